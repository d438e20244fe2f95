# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts with a form of their own: secret names, addresses, requests, dates. Each function says what is wrong with one, without showing what may be secret."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Text, word
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names import suggestion
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names_inside import NamesInside

Spec = t.Mapping[str, t.Any]
Problem = tuple[str, dict[str, t.Any]]
Problems = t.Iterable[Problem]

SECRET_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_./-]*#[A-Za-z0-9_][A-Za-z0-9_.-]*$")
#: Beginnings that vendors give their secrets, and private keys; also a password inside an address.
SECRET_VALUE = re.compile(
    r"(whsec_|sk_live_|rk_live_|xox[abpr]-|gh[pousr]_[A-Za-z0-9]{20}|github_pat_|glpat-|AKIA[0-9A-Z]{16}|SG\.[\w-]{16,}\.|hvs\.[\w-]{20}|eyJ[\w-]{10,}\.eyJ"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|APP_USR-\d{6,}-|[a-z]+://[^/\s:@{]*:[^/\s@{]+@)"
)
_REQUEST_LINE = re.compile(r"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S.*)$")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$")
_RANGES = re.compile(r"^(closed|\d{1,2}:\d{2}-\d{1,2}:\d{2}( \d{1,2}:\d{2}-\d{1,2}:\d{2})*)$")
_RATE = re.compile(r"^\d+/[smh]$")
_RATE_KEY = re.compile(r"^(ip|login|header:[A-Za-z0-9-]+)$")
_MAILBOX = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_SELECT = re.compile(r"^\s*(select|with)\b[^;]*;?\s*$", re.IGNORECASE | re.DOTALL)


def check(text: str, spec: Spec, names: NamesInside) -> Problems:
    """Yield what is wrong with *text*, which should have the form that *spec* names."""
    form = spec.get("format")
    if form in _PATTERNS and not _PATTERNS[form].match(text):
        yield "format", {"wanted": spec.get("wanted") or word(f"wanted_{form}")}
    elif form in _FORMS:
        yield from _FORMS[form](text, spec, names)
    if form != "secret" and SECRET_VALUE.search(text):
        yield "secret_elsewhere", {}


def reference(text: str, kind: str, names: NamesInside) -> Problems:
    """Yield the mistake of a name that nobody declared."""
    known = names.of.get(kind, [])
    if names.declared(kind) and text not in known:
        near = suggestion(text, known)
        # Forty items are too many for a sentence: those of the section do.
        mine = [name for name in known if name.partition(".")[0] == text.partition(".")[0]] if kind == "item" else []
        yield "reference", {"what": word(f"what_{kind}"), "value": text[:60], "hint": _hint(near), "known": _listed(mine or known)}


def _hint(near: str) -> Text | str:
    return word("hint", suggestion=near) if near else ""


def _listed(known: t.Sequence[str], most: int = 20) -> str:
    return (", ".join(known[:most]) + (", …" if len(known) > most else "")) or "-"


def _secret(text: str, spec: Spec, names: NamesInside) -> Problems:
    if not SECRET_NAME.match(text) or SECRET_VALUE.search(text):
        yield "secret_value", {}


def _request_line(text: str, spec: Spec, names: NamesInside) -> Problems:
    found = _REQUEST_LINE.match(text)
    if found is None:
        yield "format", {"wanted": word("wanted_request_line")}
    else:
        yield from _url(found[2], spec, names)


def _request(text: str, spec: Spec, names: NamesInside) -> Problems:
    if _REQUEST_LINE.match(text):
        yield from _request_line(text, spec, names)
    elif re.fullmatch(r"[\w.-]+", text):
        yield from reference(text, "request", names)
    else:
        yield "format", {"wanted": word("wanted_request_line")}


def _url(text: str, spec: Spec, names: NamesInside) -> Problems:
    scheme = _SCHEME.match(text)
    allowed = spec.get("schemes", ["https", "http"] if spec.get("scheme_http") else ["https"])
    if scheme and scheme[1].lower() in allowed:
        return
    domain, separator, path = text.partition(":")
    if not scheme and separator and path.startswith("/") and domain in names.of["domain"] and "schemes" not in spec:
        return
    plain = scheme is not None and scheme[1].lower() == "http"
    yield "url_plain" if plain else "url", {"value": without_credentials(text), "wanted": _wanted_url(spec, names)}


def _wanted_url(spec: Spec, names: NamesInside) -> Text | str:
    schemes = [f"{scheme}://…" for scheme in spec.get("schemes", ["https"])]
    domains = [] if "schemes" in spec else [f"{domain}:/…" for domain in names.of["domain"]]
    if not domains:
        return ", ".join(schemes)
    return {"es": f"{schemes[0]} o {', '.join(domains)}", "en": f"{schemes[0]} or {', '.join(domains)}"}


def without_credentials(url: str) -> str:
    """Return *url* as it may be shown: without user, password and query."""
    return re.sub(r"//[^/@\s]*@", "//…@", url).split("?")[0][:100]


def _date(text: str, spec: Spec, names: NamesInside) -> Problems:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        yield "format", {"wanted": spec["wanted"]}


_PATTERNS = {"rate": _RATE, "rate_key": _RATE_KEY, "mailbox": _MAILBOX, "domain": _HOST, "hours": _RANGES, "sql": _SELECT}
_FORMS: dict[str, t.Callable[[str, Spec, NamesInside], Problems]] = {
    "secret": _secret,
    "request_line": _request_line,
    "request": _request,
    "url": _url,
    "date": _date,
}
