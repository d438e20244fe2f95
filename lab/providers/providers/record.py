# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: every call, mail and webhook, numbered, without its secrets."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
from collections import deque
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote_plus

#: Calls that are kept. The oldest go first; their numbers are never given again.
KEPT = 5_000
#: What is kept of a body, in characters.
LONGEST = 64 * 1024
#: Headers whose values never enter the record.
SECRET = re.compile(r"(?i)authorization|cookie|token|secret|signature|api-?key")
#: Fields whose values never do, in a query, a form (`card[number]`) or JSON.
FIELDS = r"access_token|appsecret_proof|client_secret|password|token|security_code|card_number|cvc"
IN_FORM = re.compile(rf"(?i)((?:^|[?&])(?:[^=&]*(?:\[|%5B))?(?:{FIELDS})(?:\]|%5D)?=|(?:^|[?&])[^=&]*card(?:\[|%5B)number(?:\]|%5D)=)[^&]*")
IN_JSON = re.compile(rf'(?i)("(?:{FIELDS})"\s*:\s*)"(?:[^"\\]|\\.)*"')
#: Stands in the place of a method for what a provider told of its own accord.
WEBHOOK = "WEBHOOK"
KEPT_OUT = "kept-out"


def without_secrets(text: str) -> str:
    return IN_JSON.sub(rf'\1"{KEPT_OUT}"', IN_FORM.sub(rf"\1{KEPT_OUT}", text))


def recipient(body: str) -> str:
    """To whom a call is: a phone or a mailbox; empty for nobody."""
    try:
        told = json.loads(body)
    except ValueError:
        fields = parse_qs(body)
        return (fields.get("To") or fields.get("receipt_email") or [""])[0]
    payer = told.get("payer") if isinstance(told, dict) else None
    found = told.get("to") or (payer.get("email") if isinstance(payer, dict) else "") if isinstance(told, dict) else ""
    return str(found or "")


def address(written: str) -> str:
    """A phone is its digits, however it is written; a mailbox has no case."""
    bare = written.lower().removeprefix("whatsapp:")
    return bare if "@" in bare else re.sub(r"\D", "", bare)


class Record:
    def __init__(self) -> None:
        self._calls: deque[dict[str, t.Any]] = deque(maxlen=KEPT)
        # Milliseconds: more than was ever counted before a restart, so that numbers grow over it too.
        self._number = time.time_ns() // 1_000_000
        self._lock = threading.Lock()

    def add(
        self,
        provider: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str,
        status: int | None,
        fault: str | None = None,
        effect: str | None = None,
    ) -> None:
        """Keep one call. ``status``: what it was answered, None without a whole answer; ``effect``: new, replayed (a known key) or None: nothing."""
        shown = {name: value for name, value in headers.items() if not SECRET.search(name)}
        to = path if method in ("MAIL", "RCPT") else recipient(body)
        with self._lock:
            self._number += 1
            call = {"n": self._number, "at": time.time(), "provider": provider, "method": method, "path": without_secrets(path), "headers": shown}
            self._calls.append({**call, "body": without_secrets(body)[:LONGEST], "to": to, "status": status, "fault": fault, "effect": effect})

    def calls(self, provider: str, since: int = 0, contains: str = "", to: str = "", method: str = "", *, webhooks: bool = False) -> list[dict[str, t.Any]]:
        """The calls to *provider*, or the *webhooks* from it, whose number is above *since* and that are all that is asked, oldest first."""
        with self._lock:
            kept = list(self._calls)
        return [
            call
            for call in kept
            if call["provider"] == provider
            and call["n"] > since
            and (call["method"] == WEBHOOK) == webhooks
            and method in ("", call["method"])
            and (not to or address(to) == address(call["to"]))
            and (not contains or contains in _said(call))
        ]


def _said(call: Mapping[str, t.Any]) -> str:
    """What a call said, as it was sent and as a person reads it (a form's body and JSON's escapes)."""
    try:
        read = json.dumps(json.loads(call["body"]), ensure_ascii=False)
    except ValueError:
        read = unquote_plus(call["body"])
    return "\n".join([call["path"], *call["headers"].values(), call["body"], read])
