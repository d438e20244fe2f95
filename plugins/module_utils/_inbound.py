# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signed message of a guest, as a provider delivers it: ``send: {whatsapp: "text"}`` (inventory contract, section 3.3)."""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._http import Answer, Client
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions
from ansible_collections.resto.golive.plugins.module_utils._signatures import whatsapp
from ansible_collections.resto.golive.plugins.module_utils._words import malformed

#: The providers, declared once; secrets by place: ``providers.whatsapp.keys.signing``.
OPTIONS: dict[str, dict[str, t.Any]] = {
    "providers": {
        "type": "dict",
        "variable": "integrations_providers",
        "secrets": ("*.keys.*",),
        "example": 'integrations_providers: {whatsapp: {webhook: api:/webhooks/whatsapp, keys: {signing: "api#WHATSAPP_APP_SECRET"}, account: "1"}}',
    },
}


@dataclasses.dataclass(frozen=True)
class Inbound:
    """A message to be delivered: by which provider, and its text, words not yet filled in."""

    provider: str
    text: str
    where: str

    @property
    def words(self) -> set[str]:
        return _words.names(self.text) | {"phone"}


def parse(value: Json, options: Options, where: str) -> Inbound | None:
    """Return the message that *value* says, or None where it is a request. Raises ``CannotKnow``."""
    if not isinstance(value, t.Mapping) or {"http", "request"} & set(value):
        return None
    providers = options.get("providers") or {}
    names = [name for name in value if not str(name).startswith("x_")]
    if len(names) != 1 or names[0] not in providers:
        raise malformed(where, "unknown_provider", ", ".join(map(str, names)))
    if not isinstance(value[names[0]], str) or not value[names[0]]:
        raise malformed(where, "wrong_type", names[0])
    rules = providers[names[0]]
    if rules.get("kind", names[0]) != "whatsapp":
        raise malformed(where, "provider_unsupported", names[0])
    for key in ("webhook", "account"):
        if not rules.get(key):
            raise malformed(f"integrations_providers.{names[0]}", "provider_incomplete", key)
    return Inbound(names[0], value[names[0]], where)


@dataclasses.dataclass(frozen=True)
class Signed:
    """A message ready to be delivered, and delivered again: the same bytes under the same signature."""

    url: str
    headers: t.Mapping[str, str]
    body: bytes

    def deliver(self, client: Client, timeout_s: float) -> Answer:
        return client.send("POST", self.url, headers=self.headers, body=self.body, timeout_s=timeout_s)


def signed(inbound: Inbound, options: Options, secrets: t.Mapping[str, str], sessions: Sessions, words: _words.Words) -> Signed:
    """Return *inbound* as its provider would deliver it, under the id ``event_id`` of *words*. Raises ``CannotKnow``."""
    rules = options["providers"][inbound.provider]
    secret = secrets.get(f"providers.{inbound.provider}.keys.signing")
    if not secret:
        raise CannotKnow("request.signing_key_missing", provider=inbound.provider)
    text = _words.text(inbound.text, words, inbound.where)
    payload = whatsapp.message(account=str(rules["account"]), phone=str(words["phone"]), text=text, event_id=str(words["event_id"]), now=time.time())
    body = json.dumps({**payload, **_words.fill(rules.get("event") or {}, words, inbound.where)}).encode()
    return Signed(sessions.url(rules["webhook"], words, f"integrations_providers.{inbound.provider}.webhook"), whatsapp.headers(body, secret), body)
