# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What providers tell of their own accord: signed webhooks, sent again with growing pauses until they are taken. Each try enters the record."""

from __future__ import annotations

import base64
import dataclasses
import hmac
import secrets
import ssl
import threading
import time
import typing as t
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from providers.record import WEBHOOK, Record

TIMEOUT_S = 5.0
#: Before each further try. Vendors go on for days; a staging has seen enough after some minutes.
PAUSES_S = (1.0, 5.0, 15.0, 60.0)


@dataclasses.dataclass(frozen=True)
class Event:
    """One webhook. ``sign`` makes the headers anew for each try, as signatures may hold the time."""

    url: str
    body: str
    sign: t.Callable[[str, str], dict[str, str]] = dataclasses.field(repr=False)
    ca_file: str | None = None


class Hook:
    """``settings``: ``webhook`` (who is told), ``signing`` (the secret), ``ca_file``. Without a webhook nobody is told anything."""

    def __init__(self, settings: Mapping[str, t.Any], sign: t.Callable[[str, str, str], dict[str, str]]) -> None:
        self.url = str(settings.get("webhook") or "")
        self._secret, self._ca_file, self._sign = str(settings.get("signing") or ""), settings.get("ca_file"), sign
        if self.url and not self._secret:
            raise ValueError("a webhook needs the secret that signs it: signing")

    def may_be(self, asked: str) -> bool:
        """Whether a call may name this address for its events: only on the server that we are told to call."""
        return not asked or urlsplit(asked)[:2] == urlsplit(self.url)[:2]

    def event(self, body: str, url: str = "") -> tuple[Event, ...]:
        """One event, or none where nobody is to be told."""
        sign = self._sign
        return (Event(url or self.url, body, lambda to, text: sign(self._secret, to, text), self._ca_file),) if self.url else ()


def _hmac(secret: str, text: str, algorithm: str = "sha256") -> hmac.HMAC:
    return hmac.new(secret.encode(), text.encode(), algorithm)


def meta(secret: str, _url: str, body: str) -> dict[str, str]:
    """X-Hub-Signature-256: developers.facebook.com/docs/graph-api/webhooks/getting-started."""
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={_hmac(secret, body).hexdigest()}"}


def twilio(secret: str, url: str, body: str) -> dict[str, str]:
    """The URL with the form's fields, sorted: twilio.com/docs/usage/security."""
    fields = sorted((name, values[-1]) for name, values in parse_qs(body, keep_blank_values=True).items())
    made = _hmac(secret, url + "".join(name + value for name, value in fields), "sha1").digest()
    return {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": base64.b64encode(made).decode()}


def stripe(secret: str, _url: str, body: str) -> dict[str, str]:
    """The time and the body: docs.stripe.com/webhooks, "Verify manually"."""
    now = int(time.time())
    return {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": f"t={now},v1={_hmac(secret, f'{now}.{body}').hexdigest()}"}


def mercadopago(secret: str, url: str, _body: str) -> dict[str, str]:
    """The payment's id in the query, the request's id and the time; the body is not signed."""
    now, request = int(time.time()), secrets.token_hex(16)
    about = parse_qs(urlsplit(url).query)["data.id"][0]
    made = _hmac(secret, f"id:{about};request-id:{request};ts:{now};").hexdigest()
    return {"Content-Type": "application/json", "x-request-id": request, "x-signature": f"ts={now},v1={made}"}


def form(**fields: str) -> str:
    return urlencode(fields)


def deliver(provider: str, events: tuple[Event, ...], record: Record) -> None:
    """Tell these, one after the other, without keeping anybody waiting."""
    if events:
        threading.Thread(target=_deliver, args=(provider, events, record), daemon=True).start()


def _deliver(provider: str, events: tuple[Event, ...], record: Record) -> None:
    for event in events:
        _insist(provider, event, record)


def _insist(provider: str, event: Event, record: Record) -> None:
    for pause in (0.0, *PAUSES_S):
        time.sleep(pause)
        headers = event.sign(event.url, event.body)
        status = _post(event, headers)
        record.add(provider, WEBHOOK, event.url, headers, event.body, status)
        if status is not None and 200 <= status < 300:
            return


class _Stay(urllib.request.HTTPRedirectHandler):
    """A webhook is for whom it was signed: no vendor follows a redirect."""

    def redirect_request(self, *_given: t.Any) -> None:
        return None


def _post(event: Event, headers: dict[str, str]) -> int | None:
    """The status that it was answered; None without an answer."""
    request = urllib.request.Request(event.url, event.body.encode(), headers)  # noqa: S310  the operator names it
    trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=event.ca_file))
    try:
        with urllib.request.build_opener(trust, _Stay).open(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
    except OSError:
        return None
