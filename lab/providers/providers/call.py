# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes between the server and the providers: a call that came in, and the answer to it."""

from __future__ import annotations

import base64
import dataclasses
import json
import secrets
import typing as t
from collections.abc import Mapping
from urllib.parse import parse_qs

from providers.webhooks import Event


@dataclasses.dataclass(frozen=True)
class Call:
    """One HTTP request. ``headers`` have lower-case names; ``body`` is what was sent, as text."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str

    def json(self) -> t.Any:
        """The body's JSON, or None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body, keep_blank_values=True).items()}

    @property
    def bearer(self) -> str:
        kind, _space, value = self.headers.get("authorization", "").partition(" ")
        return value if kind.lower() == "bearer" else ""

    @property
    def basic(self) -> tuple[str, str]:
        kind, _space, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return "", ""
        try:
            user, _colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return user, password


@dataclasses.dataclass(frozen=True)
class Answer:
    """``events``: what the provider tells by webhook once the answer is out. ``replayed``: nothing was done, as the idempotency key was known."""

    status: int
    body: t.Any
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    events: tuple[Event, ...] = ()
    replayed: bool = False


def token_is(given: str, wanted: str | None) -> bool:
    """Whether a token is good: the configured one, or any at all where none is configured."""
    return bool(given) and (wanted is None or secrets.compare_digest(given.encode(), wanted.encode()))
