# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WhatsApp Cloud API (graph.facebook.com): messages, templates with paging, statuses sent back by signed webhook."""

from __future__ import annotations

import json
import re
import secrets
import time
import typing as t
from urllib.parse import urlencode

from providers.call import Answer, Call, token_is
from providers.webhooks import Event, Hook, meta

MESSAGES = re.compile(r"/v\d+\.\d+/(\d+)/messages")
TEMPLATES = re.compile(r"/v\d+\.\d+/(\d+)/message_templates")
NODE = re.compile(r"/v\d+\.\d+/(\d+)")
#: A page of templates, where the caller names no limit.
PAGE = 25
FILTERS = ("name", "language", "status", "category")


def error(status: int, code: int, message: str, kind: str = "OAuthException") -> Answer:
    return Answer(status, {"error": {"message": message, "type": kind, "code": code, "fbtrace_id": secrets.token_urlsafe(8)}})


class WhatsApp:
    """``settings``: ``token``, ``templates`` (a list as the API returns them), and those of the webhook that is told messages' statuses."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token = settings.get("token")
        self._hook = Hook(settings, meta)
        self._templates: list[dict[str, t.Any]] = list(settings.get("templates") or [])

    def answer(self, call: Call) -> Answer:
        if not (MESSAGES.fullmatch(call.path) or TEMPLATES.fullmatch(call.path) or NODE.fullmatch(call.path)):
            return error(404, 2500, f"Unknown path components: {call.path}")
        if not token_is(call.bearer or call.query.get("access_token", ""), self._token):
            return error(401, 190, "Invalid OAuth access token.")
        if found := MESSAGES.fullmatch(call.path):
            return self._message(found[1], call) if call.method == "POST" else error(400, 100, "Unsupported request", "GraphMethodException")
        if TEMPLATES.fullmatch(call.path):
            return self._page(call)
        return Answer(200, {"id": call.path.rsplit("/", 1)[-1], "verified_name": "Comanda", "quality_rating": "GREEN", "display_phone_number": "+57 000"})

    def _message(self, phone_id: str, call: Call) -> Answer:
        body = call.json()
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            return error(400, 100, "(#100) The parameter messaging_product is required.")
        to = re.sub(r"\D", "", str(body.get("to", "")))
        if not to:
            return error(400, 131009, "(#131009) Parameter value is not valid: to")
        kind = body.get("type", "text")
        if kind == "text" and not str((body.get("text") or {}).get("body", "")):
            return error(400, 100, "(#100) The parameter text['body'] is required.")
        if kind == "template" and (refused := self._refused(body.get("template") or {})):
            return refused
        message = f"wamid.{secrets.token_urlsafe(24)}"
        events = self._status(phone_id, to, message, "sent") + self._status(phone_id, to, message, "delivered")
        contact = {"input": body["to"], "wa_id": to}
        return Answer(200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message}]}, events=events)

    def _refused(self, template: t.Mapping[str, t.Any]) -> Answer | None:
        """A template is sent only if it is approved in that language and gets as many values as it has places."""
        name, language = template.get("name"), (template.get("language") or {}).get("code")
        known = [one for one in self._templates if one["name"] == name and one["language"] == language and one["status"] == "APPROVED"]
        if not known:
            return error(404, 132001, f"(#132001) Template name does not exist in the translation: {name} ({language})")
        text = next(part["text"] for part in known[0]["components"] if part["type"] == "BODY")
        wanted = len(set(re.findall(r"\{\{(\w+)\}\}", text)))
        given = sum(len(part.get("parameters", ())) for part in template.get("components", ()) if part.get("type") == "body")
        if wanted != given:
            return error(400, 132000, f"(#132000) Number of parameters does not match the expected number of params: {given} for {wanted}")
        return None

    def _page(self, call: Call) -> Answer:
        try:
            limit, start = int(call.query.get("limit", PAGE)), int(call.query.get("after", "0"))
        except ValueError:
            limit, start = 0, 0
        if limit < 1 or start < 0:
            return error(400, 100, "(#100) Invalid parameter: limit or after")
        asked = {name: call.query[name] for name in FILTERS if name in call.query}
        found = [one for one in self._templates if all(one.get(name) == value for name, value in asked.items())]
        wanted = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
        page = [{name: value for name, value in one.items() if not wanted or name in ("id", *wanted)} for one in found[start : start + limit]]
        paging: dict[str, t.Any] = {"cursors": {"before": str(start), "after": str(start + limit)}}
        if start + limit < len(found):
            query = {name: value for name, value in call.query.items() if name != "access_token"} | {"limit": str(limit), "after": str(start + limit)}
            paging["next"] = f"https://{call.headers.get('host', '')}{call.path}?{urlencode(query)}"
        return Answer(200, {"data": page, "paging": paging})

    def _status(self, phone_id: str, to: str, message: str, word: str) -> tuple[Event, ...]:
        told = {"id": message, "status": word, "timestamp": str(int(time.time())), "recipient_id": to}
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": phone_id}, "statuses": [told]}
        return self._hook.event(json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [{"field": "messages", "value": value}]}]}))
