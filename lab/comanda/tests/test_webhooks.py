# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks of the four providers: who is refused, what is stored once, what happens while the database is away."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from conftest import API, PHONE, SECRETS, World, text
from servers import until
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator

TWILIO_ACCOUNT = "AC00000000000000000000000000000001"


def bogota(when: str) -> float:
    return datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("America/Bogota")).timestamp()


def stripe(world: World, body: dict[str, Any]) -> httpx.Response:
    raw = json.dumps(body)
    header = WebhookSignature.generate_signature_header(raw, SECRETS["STRIPE_WEBHOOK_SECRET"])
    return world.api.client.post("/webhooks/stripe", content=raw, headers={"Stripe-Signature": header})


def money(event: str, kind: str, amount: int, order: str, **more: Any) -> dict[str, Any]:
    key = {"payment_intent.succeeded": "amount_received", "charge.succeeded": "amount", "charge.refunded": "amount_refunded"}[kind]
    return {"id": event, "type": kind, "data": {"object": {"id": more.pop("id"), key: amount, "currency": "cop", "metadata": {"order_id": order}, **more}}}


def twilio(world: World, form: dict[str, str]) -> httpx.Response:
    signature = RequestValidator(SECRETS["TWILIO_AUTH_TOKEN"]).compute_signature(f"{API}/webhooks/twilio", form)
    return world.api.client.post("/webhooks/twilio", data=form, headers={"X-Twilio-Signature": signature})


def mercadopago(world: World, payment: str, body: dict[str, Any]) -> httpx.Response:
    stamp, request_id = int(time.time() * 1000), str(uuid4())
    digest = hmac.new(SECRETS["MP_WEBHOOK_SECRET"].encode(), f"id:{payment};request-id:{request_id};ts:{stamp};".encode(), hashlib.sha256).hexdigest()
    headers = {"x-signature": f"ts={stamp},v1={digest}", "x-request-id": request_id}
    return world.api.client.post(f"/webhooks/mercadopago?data.id={payment}&type=payment", json=body, headers=headers)


def an_order(world: World, cid: str) -> str:
    body = {"items": [{"sku": "TEST-1", "quantity": 3}], "note": cid}
    answer = world.api.client.post("/v1/orders", json=body, headers={**world.token(), "X-Request-ID": cid})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_handshake(world: World) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": SECRETS["WHATSAPP_VERIFY_TOKEN"]}
    answer = world.api.client.get("/webhooks/whatsapp", params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "other"}, {"hub.mode": "other"}):
        answer = world.api.client.get("/webhooks/whatsapp", params={**asked, **wrong})
        assert answer.status_code == 403
        assert "1158201444" not in answer.text


@pytest.mark.parametrize("provider", ["whatsapp", "twilio", "stripe", "mercadopago"])
def test_who_did_not_sign_is_refused(world: World, provider: str) -> None:
    before = world.postgres.rows("select count(*) from webhook_events")
    names = {"whatsapp": "X-Hub-Signature-256", "twilio": "X-Twilio-Signature", "stripe": "Stripe-Signature", "mercadopago": "x-signature"}
    for headers in ({}, {names[provider]: "sha256=00"}, {names[provider]: f"t={int(time.time())},v1=00"}, {names[provider]: f"ts={int(time.time())},v1=00"}):
        assert world.api.client.post(f"/webhooks/{provider}?data.id=1", content=b'{"id": "1"}', headers=headers).status_code == 401
    assert world.postgres.rows("select count(*) from webhook_events") == before


def test_signed_nonsense_is_the_senders_mistake(world: World) -> None:
    for raw in (b"", b"[]", b"\xff", b"{"):
        digest = hmac.new(SECRETS["WHATSAPP_APP_SECRET"].encode(), raw, hashlib.sha256).hexdigest()
        answer = world.api.client.post("/webhooks/whatsapp", content=raw, headers={"X-Hub-Signature-256": f"sha256={digest}"})
        assert answer.status_code == 400
    assert world.whatsapp({}, {"messages": "x"}, {"statuses": [1, None]}).status_code == 200


def test_several_entries_and_letters_of_all_kinds(world: World, cid: str) -> None:
    assert world.whatsapp(text(f"1 ajiaco {cid}"), text(f"¡gracias! 🙂 {cid}"), text(f"hola {cid}", sender="+340000000001")).status_code == 200
    found = world.postgres.rows(
        "select t.slug, m.body from messages m join tenants t on t.id = m.tenant_id where m.cid = %s and direction = 'in' order by m.id", cid
    )
    assert found == [("test-bogota", f"1 ajiaco {cid}"), ("test-bogota", f"¡gracias! 🙂 {cid}"), ("test-madrid", f"hola {cid}")]
    assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(1,)]


def test_one_bad_event_takes_no_other_along(world: World, cid: str) -> None:
    """A name that Postgres cannot store (a NUL) fails alone; the body is asked for again, and what was stored is not done twice."""
    good, bad = text(f"1 ajiaco {cid}"), text(f"hola \x00 {cid}")
    for _ in range(2):
        assert world.whatsapp(bad, good).status_code == 500
    assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(1,)]


def test_out_of_hours_says_so_and_takes_the_order_for_then(world: World, cid: str) -> None:
    # A Tuesday: 12:00-15:30 and 18:00-22:00 on Bogotá's wall.
    world.whatsapp(text(f"hola {cid}", at=bogota("2026-11-24 16:00")), text(f"2 arepas {cid}", at=bogota("2026-11-24 22:00")))
    world.whatsapp(text(f"horario {cid}", at=bogota("2026-11-24 13:00")))
    replies = [row[0] for row in world.postgres.rows("select body ->> 'text' from outbox where cid = %s and kind = 'whatsapp' order by id", cid)]
    assert replies[0].startswith("Ahora estamos cerrados. Abrimos hoy a las 18:00. ¡Hola!")
    assert "Abrimos mañana a las 12:00." in replies[1]
    assert "cerrados" not in replies[2]
    assert world.postgres.rows("select due_at::text from orders where cid = %s", cid) == [("2026-11-25 17:00:00+00",)]


def test_reservation(world: World, cid: str) -> None:
    world.whatsapp(text(f"reserva para 4 el 2026-12-01 a las 20:00 {cid}", at=bogota("2026-11-24 13:00")))
    world.whatsapp(text(f"reserva para 4 el 2026-12-01 a las 23:00 {cid}", at=bogota("2026-11-24 13:00")))
    assert world.postgres.rows("select people, at::text, state from reservations where cid = %s", cid) == [(4, "2026-12-02 01:00:00+00", "booked")]


def test_statuses_out_of_order(world: World, cid: str) -> None:
    world.whatsapp(text(f"hola {cid}"))
    [(sent,)] = until(lambda: world.postgres.rows("select provider_id from messages where cid = %s and direction = 'out'", cid))
    for words in (["read"], ["sent", "delivered"], ["delivered"]):
        statuses = [{"id": sent, "status": word, "recipient_id": PHONE.lstrip("+"), "timestamp": "1"} for word in words]
        assert world.whatsapp({"statuses": statuses}).status_code == 200
    assert world.postgres.rows("select status from messages where provider_id = %s", sent) == [("read",)]


def test_a_status_before_its_message(world: World, cid: str) -> None:
    until(lambda: not world.postgres.rows("select 1 from outbox where state = 'waiting' and kind = 'whatsapp'"))
    early = f"wamid.{len(world.provider.calls) + 1}.{world.provider.port}"
    world.whatsapp({"statuses": [{"id": early, "status": "delivered", "recipient_id": PHONE.lstrip("+"), "timestamp": "1"}]})
    assert world.postgres.rows("select processed_at from webhook_events where event_id = %s", f"{early}:delivered") == [(None,)]
    world.whatsapp(text(f"hola {cid}"))
    assert until(lambda: world.postgres.rows("select 1 from messages where cid = %s and provider_id = %s and status = 'delivered'", cid, early))


def test_an_account_that_is_nobodys(world: World, cid: str) -> None:
    value = {**text(f"2 arepas {cid}"), "metadata": {"phone_number_id": "1"}}
    assert world.whatsapp(value).status_code == 200
    assert world.postgres.rows("select count(*) from messages where cid = %s", cid) == [(0,)]


def test_twilio(world: World, cid: str) -> None:
    form = {
        "MessageSid": f"SM{uuid4().hex}",
        "AccountSid": TWILIO_ACCOUNT,
        "From": PHONE,
        "To": "+15550001111",
        "Body": f"2 arepas {cid}",
        "SmsStatus": "received",
    }
    for _ in range(2):
        answer = twilio(world, form)
        assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert world.postgres.rows("select count(*) from messages where provider_id = %s", form["MessageSid"]) == [(1,)]
    [reply] = until(lambda: world.provider.seen(cid))
    assert reply["path"] == f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages.json"
    assert f"To=%2B{PHONE.lstrip('+')}" in reply["body"]
    assert reply["headers"]["Authorization"].startswith("Basic ")


def test_stripe_money_is_counted_once(world: World, cid: str) -> None:
    order, payment = an_order(world, cid), f"pi_{cid}"
    intent = money(f"evt_1{cid}", "payment_intent.succeeded", 300, order, id=payment)
    for event in (intent, intent, money(f"evt_2{cid}", "charge.succeeded", 300, order, id=f"ch_{cid}", payment_intent=payment)):
        assert stripe(world, event).status_code == 200
    assert world.postgres.rows("select event_id, amount_minor from payments where order_id = %s order by id", order) == [
        (f"evt_1{cid}", 300),
        (f"evt_2{cid}", 0),
    ]
    assert world.browser("owner@a.test").get(f"/api/orders/{order}").json()["paid_minor"] == 300
    assert stripe(world, money(f"evt_3{cid}", "charge.refunded", 100, order, id=f"ch_{cid}", payment_intent=payment)).status_code == 200
    assert world.browser("owner@a.test").get(f"/api/orders/{order}").json()["paid_minor"] == 200


def test_stripe_without_an_order_of_ours(world: World, cid: str) -> None:
    assert stripe(world, money(f"evt_4{cid}", "payment_intent.succeeded", 300, "none", id=f"pi4{cid}")).status_code == 200
    assert stripe(world, money(f"evt_5{cid}", "payment_intent.succeeded", 300, str(uuid4()), id=f"pi5{cid}")).status_code == 200
    assert world.postgres.rows("select order_id from payments where event_id like %s", f"evt_%{cid}") == [(None,), (None,)]


def test_mercadopago_is_asked_what_it_is_worth(world: World, cid: str) -> None:
    order, payment = an_order(world, cid), str(int(time.time() * 1000))
    for event in (f"{payment}1", f"{payment}1", f"{payment}2"):
        answer = mercadopago(world, payment, {"id": event, "type": "payment", "data": {"id": payment}, "user_id": 1})
        assert answer.status_code == 200, answer.text
    assert world.postgres.rows("select count(*), sum(amount_minor) from payments where payment_id = %s", payment) == [(2, 0)]
    # It did not know the payment: the question is dead, nothing is marked paid.
    assert until(lambda: world.postgres.rows("select 1 from outbox where kind = 'mercadopago' and body ->> 'event' = %s and state = 'dead'", f"{payment}2"))
    world.provider.payments[payment] = {"status": "approved", "transaction_amount": 3, "currency_id": "COP", "external_reference": order}
    for event in (f"{payment}3", f"{payment}4"):
        mercadopago(world, payment, {"id": event, "type": "payment", "data": {"id": payment}, "user_id": 1})
    assert until(lambda: world.postgres.rows("select 1 from outbox where kind = 'mercadopago' and body ->> 'event' = %s and state = 'sent'", f"{payment}4"))
    assert world.postgres.rows("select sum(amount_minor) from payments where payment_id = %s", payment) == [(300,)]
    assert world.browser("owner@a.test").get(f"/api/orders/{order}").json()["paid_minor"] == 300


def test_mercadopago_body_is_not_signed(world: World) -> None:
    assert mercadopago(world, "77", {"id": "e-77", "data": {"id": "78"}}).status_code == 400


def test_5xx_while_the_database_is_away(world: World, cid: str) -> None:
    value = text(f"2 arepas {cid}")
    world.postgres.stop()
    try:
        assert world.whatsapp(value).status_code == 503
        assert world.api.client.get("/healthz").status_code == 200
        assert world.api.client.get("/readyz").json()["parts"] == {"postgres": "down", "redis": "ok"}
    finally:
        world.postgres.start()
    assert until(lambda: world.whatsapp(value).status_code == 200)
    assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(1,)]
    assert until(lambda: world.provider.seen(cid), 20)
