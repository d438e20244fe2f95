# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WhatsApp Cloud API (graph.facebook.com): messages, templates with paging, statuses sent back by signed webhook."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
import secrets
import ssl
import time
import typing as t
import urllib.error
import urllib.request

from providers.call import Answer, Call, token_is

MESSAGES = re.compile(r"/v\d+\.\d+/(\d+)/messages")
TEMPLATES = re.compile(r"/v\d+\.\d+/(\d+)/message_templates")
NODE = re.compile(r"/v\d+\.\d+/(\d+)")
#: A page of templates, where the caller names no limit.
PAGE = 25
CALLBACK_S = 5.0


def error(status: int, code: int, message: str, kind: str = "OAuthException") -> Answer:
    return Answer(status, {"error": {"message": message, "type": kind, "code": code, "fbtrace_id": secrets.token_urlsafe(8)}})


class WhatsApp:
    """``settings``: ``token``, ``app_secret`` and ``statuses`` (where they are sent), ``ca_file``, ``templates`` (a list as the API returns them)."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token = settings.get("token")
        self._secret = settings.get("app_secret")
        self._statuses = settings.get("statuses")
        self._ca_file = settings.get("ca_file")
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
        after = functools.partial(self._send_statuses, phone_id, to, message) if self._statuses else None
        contact = {"input": body["to"], "wa_id": to}
        return Answer(200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message}]}, after=after)

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
            return error(400, 100, "(#100) Invalid parameter: limit or after")
        end = start + limit
        paging: dict[str, t.Any] = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(self._templates):
            paging["next"] = f"https://{call.headers.get('host', '')}{call.path}?limit={limit}&after={end}"
        return Answer(200, {"data": self._templates[start:end], "paging": paging})

    def _send_statuses(self, phone_id: str, to: str, message: str) -> None:
        """Sent, then delivered, each in a signed webhook of its own. Nobody waits for them, so a receiver that is down is no error here."""
        for word in ("sent", "delivered"):
            told = {"id": message, "status": word, "timestamp": str(int(time.time())), "recipient_id": to}
            value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": phone_id}, "statuses": [told]}
            event = {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [{"field": "messages", "value": value}]}]}
            if not post_signed(str(self._statuses), event, str(self._secret), self._ca_file):
                return


def post_signed(url: str, event: t.Any, secret: str, ca_file: str | None) -> bool:
    """POST with ``X-Hub-Signature-256``; whether it was taken."""
    body = json.dumps(event).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "X-Hub-Signature-256": signature})  # noqa: S310  the operator names it
    trust = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=CALLBACK_S, context=trust) as answer:  # noqa: S310  the same
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False
