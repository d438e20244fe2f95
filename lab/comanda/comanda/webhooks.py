# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks live here: providers come in. The raw body is verified first; each event in it is stored once and processed in the same transaction.

So a copy finds the event and does nothing, also when twenty arrive at once (the others wait for the first one's commit), and an event
whose processing failed is not stored: the answer is 5xx, the provider sends again. While Postgres is down every answer is 503.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from json import JSONDecodeError
from typing import Any
from urllib.parse import parse_qsl

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from comanda import bot, conversations, logs, payments, settings, signatures, statuses
from comanda.database import Connection

# Meta sends up to 3 MB (developers.facebook.com, webhooks); more is nobody we know.
LONGEST_BODY = 4 * 1024 * 1024
CLAIM = "insert into webhook_events (provider, event_id, body, cid) values (%s, %s, %s, %s) on conflict do nothing returning id"
DONE = "update webhook_events set processed_at = now(), tenant_id = %s where id = %s"
LATE = "update webhook_events set tenant_id = %s where id = %s"


@dataclass(frozen=True)
class Event:
    """One thing that happened, under the id by which its copies are known. `process` returns the tenant, and whether it is done."""

    id: str
    body: Any
    cid: str
    process: Callable[[Connection, str], Awaitable[tuple[int | None, bool]]]


@asynccontextmanager
async def _under(cid: str) -> AsyncIterator[None]:
    """What is logged about an event bears its own id."""
    before = logs.request_id.get()
    logs.request_id.set(cid)
    try:
        yield
    finally:
        logs.request_id.set(before)
        logs.tenant.set("-")


async def _once(request: Request, provider: str, event: Event) -> None:
    async with _under(event.cid), request.app.state.pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(CLAIM, [provider, event.id, Jsonb(event.body), event.cid])).fetchone()
        if row is None:
            logs.log.info("event known already", extra={"fields": {"provider": provider, "event": event.id}})
            return
        tenant_id, done = await event.process(connection, event.cid)
        await connection.execute(DONE if done else LATE, [tenant_id, row["id"]])
        logs.log.info("event processed" if done else "event waits", extra={"fields": {"provider": provider, "event": event.id}})


async def _all(request: Request, provider: str, events: Iterable[Event]) -> None:
    """Each event for itself: one that fails takes no other along, and makes the provider send the body again."""
    failed = False
    for event in events:
        try:
            await _once(request, provider, event)
        except (psycopg.OperationalError, PoolTimeout):
            # The database is away: it would be so for each of them.
            raise
        except Exception as error:
            failed = True
            logs.log.error("event failed", exc_info=error, extra={"fields": {"provider": provider, "event": event.id}})
    if failed:
        raise HTTPException(500, "not all of it was processed: send it again")


async def _raw(request: Request) -> bytes:
    """The body as it was sent. The edge buffers it and says how long it is."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LONGEST_BODY:
        raise HTTPException(413, "too long")
    return await request.body()


def _genuine(provider: str, holds: bool) -> None:
    if not holds:
        logs.log.warning("signature refused", extra={"fields": {"provider": provider}})
        raise HTTPException(401, "the signature does not hold")


def _object(raw: bytes) -> dict[str, Any]:
    """What is signed and cannot be read is the sender's mistake: 400, which providers don't repeat for ever."""
    try:
        body = json.loads(raw)
    except (JSONDecodeError, UnicodeDecodeError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is no JSON object")
    return body


def _dicts(parent: Any, key: str) -> list[dict[str, Any]]:
    found = parent.get(key) if isinstance(parent, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _cid(text: str) -> str:
    return bot.reference(text) or logs.request_id.get()


def _written(seconds: Any) -> datetime:
    """When the guest wrote it; a message that does not say was written now."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _message(message: conversations.Message, body: Any) -> Event:
    async def process(connection: Connection, cid: str) -> tuple[int | None, bool]:
        tenant = await conversations.restaurant_of(connection, message.provider, message.account, message.phone)
        if tenant is None:
            logs.log.warning("message for an account that is nobody's", extra={"fields": {"provider": message.provider, "account": message.account}})
            return None, True
        await conversations.enter(connection, tenant)
        await conversations.receive(connection, tenant, message, cid)
        return tenant.id, True

    return Event(message.id, body, _cid(message.text), process)


def _status(provider: str, account: str, guest: str, provider_id: str, word: str, body: Any) -> Event:
    async def process(connection: Connection, cid: str) -> tuple[int | None, bool]:
        tenant = await conversations.restaurant_of(connection, provider, account, conversations.phone(guest))
        if tenant is None:
            return None, True
        await conversations.enter(connection, tenant)
        return tenant.id, await statuses.note(connection, provider, provider_id, word)

    return Event(f"{provider_id}:{word}", {**body, "message": provider_id, "word": word}, logs.request_id.get(), process)


def _whatsapp_events(body: dict[str, Any]) -> Iterable[Event]:
    for entry in _dicts(body, "entry"):
        for change in _dicts(entry, "changes"):
            value = change.get("value") or {}
            account = str((value.get("metadata") or {}).get("phone_number_id", ""))
            names = {contact.get("wa_id"): (contact.get("profile") or {}).get("name") for contact in _dicts(value, "contacts")}
            for one in _dicts(value, "messages"):
                # Pictures, places and the like are answered as something not understood.
                text = str((one.get("text") or {}).get("body", ""))
                sender = conversations.phone(str(one.get("from", "")))
                known = names.get(one.get("from"))
                yield _message(conversations.Message("whatsapp", account, str(one.get("id")), sender, known, text, _written(one.get("timestamp"))), one)
            for one in _dicts(value, "statuses"):
                yield _status("whatsapp", account, str(one.get("recipient_id", "")), str(one.get("id")), str(one.get("status")), one)


async def whatsapp_handshake(request: Request) -> Response:
    """Meta proves that the address is ours: the bare challenge, for who knows the token."""
    asked, token = request.query_params, settings.secret("WHATSAPP_VERIFY_TOKEN")
    if asked.get("hub.mode") != "subscribe" or not signatures.same(asked.get("hub.verify_token", ""), token):
        raise HTTPException(403, "the token is not ours")
    return PlainTextResponse(asked.get("hub.challenge", ""))


async def whatsapp(request: Request) -> Response:
    """Messages and statuses of the Cloud API, several in one body."""
    raw = await _raw(request)
    _genuine("whatsapp", signatures.meta(settings.secret("WHATSAPP_APP_SECRET"), raw, request.headers.get("x-hub-signature-256", "")))
    await _all(request, "whatsapp", _whatsapp_events(_object(raw)))
    return PlainTextResponse("ok")


def _twilio_event(sent: Mapping[str, str]) -> Event:
    guest, account = sent.get("From", ""), sent.get("AccountSid", "")
    sid, word = sent.get("MessageSid") or sent.get("SmsSid") or "", sent.get("MessageStatus") or sent.get("SmsStatus") or "received"
    if word != "received":
        return _status("twilio", account, sent.get("To", ""), sid, word, dict(sent))
    text = sent.get("Body", "")
    return _message(conversations.Message("twilio", account, sid, conversations.phone(guest), None, text, datetime.now(UTC)), dict(sent))


async def twilio(request: Request) -> Response:
    """A message (answered later, through the outbox) or a status of one of ours."""
    raw = await _raw(request)
    url = f"{settings.value('COMANDA_API_ORIGIN')}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
    is_json = request.headers.get("content-type", "").startswith("application/json")
    form = None if is_json else ImmutableMultiDict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    signed: Any = raw.decode("utf-8", "replace") if form is None else form
    _genuine("twilio", signatures.twilio(settings.secret("TWILIO_AUTH_TOKEN"), url, signed, request.headers.get("x-twilio-signature", "")))
    sent = _object(raw) if form is None else form
    event = _twilio_event({name: str(value) for name, value in sent.items()})
    if not event.id:
        raise HTTPException(400, "no MessageSid")
    await _all(request, "twilio", [event])
    return Response("<Response/>", media_type="text/xml")


async def stripe(request: Request) -> Response:
    """One event; what it says about money is signed, so it is believed."""
    raw = await _raw(request)
    _genuine("stripe", signatures.stripe(settings.secret("STRIPE_WEBHOOK_SECRET"), raw, request.headers.get("stripe-signature", "")))
    body = _object(raw)
    event_id = str(body.get("id") or "")
    if not event_id:
        raise HTTPException(400, "no id")

    async def process(connection: Connection, cid: str) -> tuple[int | None, bool]:
        return await payments.from_stripe(connection, event_id, body), True

    await _all(request, "stripe", [Event(event_id, body, logs.request_id.get(), process)])
    return PlainTextResponse("ok")


async def mercadopago(request: Request) -> Response:
    """Word that a payment changed. Only the payment's id is signed: what it is worth is asked of Mercado Pago, by the worker."""
    raw = await _raw(request)
    data_id, headers = request.query_params.get("data.id", ""), request.headers
    holds = signatures.mercadopago(settings.secret("MP_WEBHOOK_SECRET"), data_id, headers.get("x-request-id", ""), headers.get("x-signature", ""))
    _genuine("mercadopago", holds)
    body = _object(raw)
    about = body.get("data") if isinstance(body.get("data"), dict) else {}
    if str((about or {}).get("id", data_id)).lower() != data_id.lower():
        raise HTTPException(400, "the body speaks of another payment than the one that is signed")
    event_id = str(body.get("id") or data_id)

    async def process(connection: Connection, cid: str) -> tuple[int | None, bool]:
        return await payments.from_mercadopago(connection, event_id, data_id, str(body.get("user_id", "")), cid), True

    await _all(request, "mercadopago", [Event(event_id, body, logs.request_id.get(), process)])
    return PlainTextResponse("ok")


ROUTES = [
    Route("/webhooks/whatsapp", whatsapp_handshake, methods=["GET"]),
    Route("/webhooks/whatsapp", whatsapp, methods=["POST"]),
    Route("/webhooks/twilio", twilio, methods=["POST"]),
    Route("/webhooks/stripe", stripe, methods=["POST"]),
    Route("/webhooks/mercadopago", mercadopago, methods=["POST"]),
]
