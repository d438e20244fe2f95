# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendors' own clients believe the simulator, in what it takes and in what it refuses. WhatsApp has none: Meta's documented shapes stand for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import typing as t
from urllib.parse import parse_qsl, urlsplit

import mercadopago
import pytest
import stripe
from conftest import TEMPLATES, Receiver, Simulator
from mercadopago.config import RequestOptions
from mercadopago.http import HttpClient
from mercadopago.webhook import InvalidWebhookSignatureError, WebhookSignatureValidator
from providers import webhooks
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

Make = t.Callable[..., Simulator]
ACCOUNT = "AC" + "0" * 31 + "1"
TEXT = {"messaging_product": "whatsapp", "to": "+57 300", "type": "text", "text": {"body": "hola"}}


def template(name: str, values: int) -> dict[str, t.Any]:
    places = [{"type": "text", "text": str(number)} for number in range(values)]
    told = {"name": name, "language": {"code": "es"}, "components": [{"type": "body", "parameters": places}]}
    return {"messaging_product": "whatsapp", "to": "57300", "type": "template", "template": told}


class ToSimulator(TwilioHttpClient):
    """Twilio's client has its addresses built in; this one goes to the simulator instead."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, *args: t.Any, **more: t.Any) -> t.Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **more)


class PayClient(HttpClient):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, *args: t.Any, **more: t.Any) -> t.Any:
        return super().request(method, url.replace("https://api.mercadopago.com", self.base), *args, **more)


def test_twilio_takes_a_message_and_gives_it_back(simulator: Make) -> None:
    client = Client(ACCOUNT, "right", http_client=ToSimulator(simulator("twilio", token="right").base))
    sent = client.messages.create(to="+57300", from_="+15550001111", body="hola")
    assert client.messages(sent.sid).fetch().body == "hola"
    assert client.api.v2010.accounts(ACCOUNT).fetch().status == "active"


def test_twilio_refuses_a_wrong_token_and_a_message_without_a_body(simulator: Make) -> None:
    base = simulator("twilio", token="right").base
    with pytest.raises(TwilioRestException) as refused:
        Client(ACCOUNT, "wrong", http_client=ToSimulator(base)).messages.create(to="+57300", from_="+1", body="hola")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    with pytest.raises(TwilioRestException) as refused:
        Client(ACCOUNT, "right", http_client=ToSimulator(base)).messages.create(to="+57300", from_="+1", body="")
    assert refused.value.code == 21602


def paying(base: str, token: str = "sk_test_1") -> stripe.StripeClient:
    return stripe.StripeClient(token, base_addresses={"api": base}, max_network_retries=0)


def test_stripe_makes_one_payment_for_one_key(simulator: Make) -> None:
    client = paying(simulator("stripe").base)
    params: t.Any = {"amount": 1200, "currency": "eur", "metadata": {"order_id": "7"}}
    first, again = (client.v1.payment_intents.create(params, {"idempotency_key": "one"}) for _time in range(2))
    assert first.id == again.id
    assert client.v1.payment_intents.retrieve(first.id).metadata["order_id"] == "7"
    assert client.v1.payment_intents.create(params, {"idempotency_key": "two"}).id != first.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create({**params, "amount": 1}, {"idempotency_key": "one"})


def test_stripe_refunds_what_was_paid_and_refuses_what_it_does_not_know(simulator: Make) -> None:
    base = simulator("stripe", token="sk_test_1").base
    client = paying(base)
    paid = client.v1.payment_intents.create({"amount": 1200, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa"})
    assert (paid.status, paid.amount_received) == ("succeeded", 1200)
    assert client.v1.refunds.create({"payment_intent": paid.id, "amount": 200}).amount == 200
    assert client.v1.refunds.create({"payment_intent": paid.id}).amount == 1000
    unpaid = client.v1.payment_intents.create({"amount": 1200, "currency": "eur"})
    for intent in (paid.id, unpaid.id, "pi_nobody"):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.retrieve("pi_nobody")
    with pytest.raises(stripe.AuthenticationError):
        paying(base, "sk_test_2").v1.balance.retrieve()


def test_stripe_tells_of_payments_signed(simulator: Make, receiver: Receiver) -> None:
    client = paying(simulator("stripe", webhook=receiver.url, signing="whsec_1").base)
    params: t.Any = {"amount": 1200, "currency": "eur", "metadata": {"order_id": "7"}}
    made = client.v1.payment_intents.create(params)
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_chargeDeclined"})
    assert declined.value.code == "card_declined"
    receiver.wait(1)
    for _time in range(2):  # the second is the first one's copy, and tells nobody
        client.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"}, {"idempotency_key": "confirm"})
    receiver.wait(2)
    client.v1.refunds.create({"payment_intent": made.id})
    events = [stripe.Webhook.construct_event(one.body, one.headers["Stripe-Signature"], "whsec_1") for one in receiver.wait(3)]
    assert [event.type for event in events] == ["payment_intent.payment_failed", "payment_intent.succeeded", "charge.refunded"]
    assert (events[1].data.object.metadata["order_id"], events[2].data.object.amount_refunded) == ("7", 1200)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.events[0].body, receiver.events[0].headers["Stripe-Signature"], "whsec_2")


def test_mercadopago_makes_one_payment_for_one_key(simulator: Make) -> None:
    sdk = mercadopago.SDK("right", http_client=PayClient(simulator("mercadopago", token="right").base))
    body = {"transaction_amount": 10.5, "payment_method_id": "visa", "description": "2 arepas"}
    key = RequestOptions(custom_headers={"x-idempotency-key": "one"})
    first, again = (sdk.payment().create(body, key) for _time in range(2))
    assert first["status"] == 201
    assert first["response"]["id"] == again["response"]["id"]
    assert sdk.payment().get(first["response"]["id"])["response"]["status"] == "approved"
    assert sdk.refund().create(first["response"]["id"])["response"]["amount"] == 10.5
    assert sdk.payment().get(first["response"]["id"])["response"]["status"] == "refunded"


def test_mercadopago_refuses_a_wrong_token(simulator: Make) -> None:
    sdk = mercadopago.SDK("wrong", http_client=PayClient(simulator("mercadopago", token="right").base))
    assert sdk.payment().get(1)["status"] == 401


def test_twilio_tells_of_a_message_signed(simulator: Make, receiver: Receiver) -> None:
    one = simulator("twilio", token="right", webhook=receiver.url, signing="right")
    client = Client(ACCOUNT, "right", http_client=ToSimulator(one.base))
    sent = client.messages.create(to="+57300", from_="+15550001111", body="hola", status_callback=f"{receiver.url}/own?a=b")
    arrived = receiver.wait(2)
    for told in arrived:
        fields = dict(parse_qsl(told.body))
        assert fields["MessageSid"] == sent.sid
        url = f"{receiver.url}/own?a=b"
        assert RequestValidator("right").validate(url, fields, told.headers["X-Twilio-Signature"])
        assert not RequestValidator("other").validate(url, fields, told.headers["X-Twilio-Signature"])
    assert [dict(parse_qsl(told.body))["MessageStatus"] for told in arrived] == ["sent", "delivered"]
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to="+57300", from_="+1", body="hola", status_callback="https://elsewhere.test/")
    assert refused.value.code == 21609


def test_mercadopago_tells_of_a_payment_signed(simulator: Make, receiver: Receiver) -> None:
    one = simulator("mercadopago", token="right", account="4242", webhook=receiver.url, signing="mp-secret")
    sdk = mercadopago.SDK("right", http_client=PayClient(one.base))
    key = RequestOptions(custom_headers={"x-idempotency-key": "one"})
    for _time in range(2):  # the second is the first one's copy, and tells nobody
        paid = sdk.payment().create({"transaction_amount": 10.5, "payment_method_id": "visa"}, key)["response"]["id"]
    receiver.wait(1)
    sdk.refund().create(paid)
    arrived = receiver.wait(2)
    assert [json.loads(told.body)["action"] for told in arrived] == ["payment.created", "payment.updated"]
    for told in arrived:
        about = dict(parse_qsl(urlsplit(told.path).query))
        assert (about["data.id"], json.loads(told.body)["user_id"]) == (str(paid), "4242")
        headers = {name.lower(): value for name, value in told.headers.items()}
        WebhookSignatureValidator.validate(headers["x-signature"], headers["x-request-id"], about["data.id"], "mp-secret")
        with pytest.raises(InvalidWebhookSignatureError):
            WebhookSignatureValidator.validate(headers["x-signature"], headers["x-request-id"], "1", "mp-secret")
    with pytest.warns(DeprecationWarning, match="notification_url"):
        foreign = sdk.payment().create({"transaction_amount": 1, "payment_method_id": "visa", "notification_url": "https://elsewhere.test/"})
    assert foreign["status"] == 400
    assert sdk.user().get()["response"]["tags"] == ["test_user"]


def test_whatsapp_sends_statuses_back_signed(simulator: Make, receiver: Receiver) -> None:
    whatsapp = simulator("whatsapp", token="right", webhook=receiver.url, signing="app-secret")
    status, told, _headers = whatsapp.ask("POST", "/v21.0/1000/messages", TEXT, Authorization="Bearer right")
    assert (status, told["contacts"]) == (200, [{"input": "+57 300", "wa_id": "57300"}])
    arrived = receiver.wait(2)
    for one in arrived:
        assert one.headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(b"app-secret", one.body.encode(), hashlib.sha256).hexdigest()
    statuses = [json.loads(one.body)["entry"][0]["changes"][0]["value"]["statuses"][0] for one in arrived]
    assert [(one["id"], one["status"]) for one in statuses] == [(told["messages"][0]["id"], "sent"), (told["messages"][0]["id"], "delivered")]


def test_a_webhook_that_is_not_taken_is_sent_again_and_kept(simulator: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSES_S", (0.01, 0.01))
    receiver.later = 1
    whatsapp = simulator("whatsapp", webhook=receiver.url, signing="app-secret")
    whatsapp.ask("POST", "/v21.0/1000/messages", TEXT, Authorization="Bearer x")
    assert len(receiver.wait(2)) == 2

    def tries() -> list[int]:
        return [call["status"] for call in whatsapp.ask("GET", "/_golive/webhooks")[1]]

    end = time.monotonic() + 5
    while len(tries()) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert tries() == [503, 200, 200]
    assert [call["method"] for call in whatsapp.calls()] == ["POST"]


def test_a_webhook_without_a_secret_is_no_configuration(simulator: Make) -> None:
    with pytest.raises(ValueError, match="signing"):
        simulator("whatsapp", webhook="https://api.comanda.test/")


@pytest.mark.parametrize(
    ("body", "token", "status", "code"),
    [
        (TEXT, "wrong", 401, 190),
        ({**TEXT, "messaging_product": "sms"}, "right", 400, 100),
        ({**TEXT, "to": ""}, "right", 400, 131009),
        ({**TEXT, "text": {}}, "right", 400, 100),
        (template("nobody", 1), "right", 404, 132001),
        (template("promo", 0), "right", 404, 132001),
        (template("order_ready", 2), "right", 400, 132000),
    ],
)
def test_whatsapp_refuses(simulator: Make, body: t.Any, token: str, status: int, code: int) -> None:
    whatsapp = simulator("whatsapp", token="right", templates=TEMPLATES)
    found, told, _headers = whatsapp.ask("POST", "/v21.0/1000/messages", body, Authorization=f"Bearer {token}")
    assert (found, told["error"]["code"]) == (status, code)


def test_whatsapp_sends_an_approved_template(simulator: Make) -> None:
    whatsapp = simulator("whatsapp", token="right", templates=TEMPLATES)
    assert whatsapp.ask("POST", "/v21.0/1000/messages", template("order_confirmed", 2), Authorization="Bearer right")[0] == 200


def test_whatsapp_lists_templates_page_by_page(simulator: Make) -> None:
    whatsapp = simulator("whatsapp", token="right", templates=TEMPLATES)
    path, names = "/v21.0/2000/message_templates?limit=2&fields=name,status", []
    while path:
        told = whatsapp.ask("GET", path, Authorization="Bearer right")[1]
        assert set(told["data"][0]) == {"name", "status"}
        names += [one["name"] for one in told["data"]]
        path = told["paging"].get("next", "").removeprefix(f"https://127.0.0.1:{whatsapp.port}")
    assert names == ["order_confirmed", "order_ready", "promo"]
    told = whatsapp.ask("GET", "/v21.0/2000/message_templates?status=PENDING", Authorization="Bearer right")[1]
    assert [one["name"] for one in told["data"]] == ["promo"]
    assert whatsapp.ask("GET", "/v21.0/2000/message_templates?limit=0", Authorization="Bearer right")[0] == 400
