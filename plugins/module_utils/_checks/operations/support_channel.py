# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel by which a restaurant asks for help: what a program can know about it, and no more.

Hours, response times and escalation are a person's word: the item needs an attestation as well, whatever is seen here.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import socket
import ssl
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options

#: Of a page, this much is read: enough to find a text in it.
BODY_LIMIT = 256 * 1024

#: RFC 3966 visual separators, and the spaces that people write.
SEPARATORS = re.compile(r"[-.() ]")

#: E.164: a plus, a country code that does not begin with 0, 15 digits at most; no country's whole number has fewer than 7.
E164 = re.compile(r"\+[1-9]\d{6,14}")

#: RFC 5321 mailboxes as people have them: dot-atoms, and a domain with at least one dot.
MAILBOX = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63})", re.IGNORECASE | re.ASCII)

#: Names that resolvers give to "there is no such name", as opposed to "I could not ask".
NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))

#: Words that a JSON answer uses for "this did not work", under the keys that say so.
ERROR_WORDS = frozenset({"error", "err", "fail", "failed", "failure", "down", "unavailable"})


class Redirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only: what people type in a hurry must not end on a plain page."""

    def redirect_request(self, req: urllib.request.Request, fp: t.IO[bytes], code: int, msg: str, headers: t.Any, newurl: str) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise PlainRedirect(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class PlainRedirect(Exception):
    """Led to something other than https; its argument is where."""


def error_in(body: str) -> str:
    """Return what a JSON *body* says went wrong, or an empty string. A page that is no JSON object says nothing of the kind."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    for key in ("error", "errors"):
        if answer.get(key):
            return key
    for key in ("status", "state", "result"):
        if str(answer.get(key)).lower() in ERROR_WORDS:
            return f"{key}: {answer[key]}"
    return next((f"{key}: false" for key in ("ok", "success", "healthy") if answer.get(key) is False), "")


def host_of(url: str) -> str:
    """Return the host in *url*; one that cannot be taken apart has none."""
    try:
        parts = urllib.parse.urlsplit(url)
        return str(parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""


def resolves(name: str) -> bool:
    """Return whether *name* has an address. Raises :class:`CannotKnow` when the resolver itself did not answer."""
    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in NO_SUCH_NAME:
            return False
        raise CannotKnow("support_channel.resolver", "unreachable", name=name, message=str(error.strerror)) from None
    except UnicodeError:
        return False
    return True


class SupportChannel(Check):
    name = "support_channel"
    items = ("operations.support",)
    vantage = "probe"
    timeout_s = 45.0
    options = {
        "channel": {"type": "str", "required": True, "example": 'operations_support_channel: "https://wa.me/573001234567"   # or tel:+57…, or mailto:…'},
        "contains": {"type": "str"},
        "deadline_s": {"type": "float", "default": 15.0},
        "ca_bundle": {"type": "str", "widest": "all"},
    }

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        return [("channel", options["channel"])]

    def observe(self, ctx: Context) -> dict[str, Json]:
        channel = ctx.target.strip()
        scheme, _separator, rest = channel.partition(":")
        seen: dict[str, Json] = {"channel": channel, "scheme": scheme.lower()}
        if seen["scheme"] == "tel":
            return {**seen, "number": SEPARATORS.sub("", rest.partition(";")[0])}
        if seen["scheme"] == "mailto":
            mailbox = MAILBOX.fullmatch(rest.partition("?")[0].strip())
            return {**seen, "domain": mailbox[1], **mail_domain(mailbox[1])} if mailbox else {**seen, "domain": None}
        if seen["scheme"] == "https" and host_of(channel):
            return {**seen, **fetch(channel, ctx.options)}
        return {**seen, "scheme": "http" if seen["scheme"] == "http" else "other"}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        judgement = {"tel": _judge_number, "mailto": _judge_mail, "https": _judge_page}.get(seen["scheme"])
        if judgement is not None:
            return judgement(seen, options)
        code = "support_channel.plain_http" if seen["scheme"] == "http" else "support_channel.malformed"
        return [Assertion("fail", code, {"channel": seen["channel"]}, "https:, tel: or mailto:", seen["channel"], "operations_support_channel")]


def _judge_number(seen: dict[str, Json], options: Options) -> list[Assertion]:
    good = bool(E164.fullmatch(seen["number"]))
    code = "support_channel.number_well_formed" if good else "support_channel.number_malformed"
    return [
        Assertion(
            "pass" if good else "fail", code, {"channel": seen["channel"], "number": seen["number"]}, "E.164", seen["number"], "operations_support_channel"
        )
    ]


def _judge_mail(seen: dict[str, Json], options: Options) -> list[Assertion]:
    params = {"channel": seen["channel"], "domain": seen["domain"], "hosts": ", ".join(seen.get("hosts") or [])}
    if seen["domain"] is None:
        return [Assertion("fail", "support_channel.mailbox_malformed", params, "name@domain", seen["channel"], "operations_support_channel")]
    code = {
        "takes": "support_channel.mail_domain",
        "refuses": "support_channel.mail_refused",
        "dead": "support_channel.mail_domain_dead",
    }[seen["mail"]]
    return [Assertion("pass" if seen["mail"] == "takes" else "fail", code, params, "a host that takes mail", seen.get("hosts"), f"DNS of {seen['domain']}")]


def _judge_page(seen: dict[str, Json], options: Options) -> list[Assertion]:
    params = {key: seen.get(key) for key in ("channel", "host", "status", "location", "message", "error")}
    if seen["problem"]:
        return [Assertion("fail", f"support_channel.{seen['problem']}", params, "2xx", seen["problem"], seen["channel"])]
    if not 200 <= seen["status"] < 300:
        return [Assertion("fail", "support_channel.status", params, "2xx", seen["status"], seen["channel"])]
    if seen["empty"]:
        return [Assertion("fail", "support_channel.empty", params, "a page", "", seen["channel"])]
    if seen["error"]:
        return [Assertion("fail", "support_channel.error_body", params, "no error", seen["error"], seen["channel"])]
    wanted = options.get("contains")
    if wanted and not seen["contains"]:
        return [Assertion("fail", "support_channel.text_missing", {**params, "contains": wanted}, wanted, None, seen["channel"])]
    return [Assertion("pass", "support_channel.answers", params, "2xx", seen["status"], seen["channel"])]


def mail_domain(domain: str) -> dict[str, Json]:
    """Return ``{mail: takes|refuses|dead, hosts}``: MX first, else the domain's own address (RFC 5321 section 5.1), a null MX refuses (RFC 7505)."""
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        if resolves(domain):
            return {"mail": "takes", "hosts": [domain]}
        raise CannotKnow("common.library_missing", library="dns", package="python3-dnspython") from None
    try:
        hosts = [str(row.exchange).rstrip(".") for row in dns.resolver.resolve(domain, "MX", lifetime=10)]
    except dns.resolver.NXDOMAIN:
        return {"mail": "dead", "hosts": []}
    except dns.resolver.NoAnswer:
        hosts = [domain]
    except dns.exception.DNSException as error:
        raise CannotKnow("support_channel.resolver", "unreachable", name=domain, message=type(error).__name__) from None
    if hosts == [""]:
        return {"mail": "refuses", "hosts": []}
    alive = [host for host in hosts if host and resolves(host)]
    return {"mail": "takes" if alive else "dead", "hosts": alive}


def fetch(url: str, options: Options) -> dict[str, Json]:
    """Return ``{problem, host, status, location, message, empty, error, contains}`` of one GET.

    ``problem`` is what the outside would run into as well (no such name, refused, untrusted certificate, plain redirect).
    Raises :class:`CannotKnow` for what may be the probe's own fault: no route, no resolver, no answer in time.
    """
    host = host_of(url)
    seen: dict[str, Json] = {"problem": "", "host": host, "status": 0, "location": "", "message": "", "empty": True, "error": "", "contains": False}
    limit_s = float(options["deadline_s"])
    ends = time.monotonic() + limit_s
    try:
        # The channel may be ours (private authority) or a messenger's (public): both are trusted.
        context = ssl.create_default_context()
        if options.get("ca_bundle"):
            context.load_verify_locations(cafile=options["ca_bundle"])
    except (OSError, ssl.SSLError) as error:
        raise CannotKnow("support_channel.ca_bundle", path=options.get("ca_bundle"), message=str(error)) from None
    if not resolves(host):
        return {**seen, "problem": "name_dead"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), Redirect())
    headers = {"User-Agent": "resto.golive support_channel"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- https only: the caller sees to it, and Redirect at every step
    try:
        with opener.open(request, timeout=limit_s) as answer:
            seen["status"] = answer.status
            body = _body(answer, ends, limit_s, host)
    except PlainRedirect as error:
        return {**seen, "problem": "plain_redirect", "location": str(error)[:300]}
    except urllib.error.HTTPError as error:
        error.close()
        return {**seen, "status": error.code}
    except urllib.error.URLError as error:
        return {**seen, **_connection(error.reason, host, limit_s)}
    except (OSError, http.client.HTTPException) as error:
        return {**seen, **_connection(error, host, limit_s)}
    seen["empty"] = not body.strip()
    seen["error"] = error_in(body)
    seen["contains"] = bool(options.get("contains")) and options["contains"] in body
    return seen


def _body(answer: t.IO[bytes], ends: float, limit_s: float, host: str) -> str:
    """Read up to :data:`BODY_LIMIT`; a server that drips has the same deadline as one that is silent."""
    body = b""
    while len(body) < BODY_LIMIT:
        # read1 returns what is there; read would wait for the whole chunk.
        chunk = answer.read1(65536)  # type: ignore[attr-defined]  # HTTPResponse has it, IO[bytes] does not say so.
        if not chunk:
            break
        body += chunk
        if time.monotonic() > ends:
            raise CannotKnow("support_channel.timeout", "unreachable", host=host, seconds=limit_s)
    return body.decode("utf-8", "replace")


def _connection(error: t.Any, host: str, limit_s: float) -> dict[str, Json]:
    """Return the problem behind *error*, or raise :class:`CannotKnow` where it may be the probe's own."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return {"problem": "certificate", "message": error.verify_message}
    if isinstance(error, ssl.SSLError):
        return {"problem": "tls", "message": str(error.reason or type(error).__name__)}
    if isinstance(error, ConnectionRefusedError):
        return {"problem": "refused"}
    if isinstance(error, socket.gaierror):
        if error.errno in NO_SUCH_NAME:
            return {"problem": "name_dead"}
        raise CannotKnow("support_channel.resolver", "unreachable", name=host, message=str(error.strerror))
    if isinstance(error, TimeoutError):
        raise CannotKnow("support_channel.timeout", "unreachable", host=host, seconds=limit_s)
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        raise CannotKnow("support_channel.no_route", "unreachable", host=host)
    return {"problem": "broken", "message": type(error).__name__}
