# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendors' own clients believe the simulator, in what it takes and in what it refuses. WhatsApp has none: Meta's documented shapes stand for it."""

from __future__ import annotations

import typing as t

import mercadopago
import pytest
import stripe
from conftest import TEMPLATES, Receiver, Simulator
from mercadopago.config import RequestOptions
from mercadopago.http import HttpClient
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
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
    paid = client.v1.payment_intents.create({"amount": 1200, "currency": "eur"})
    assert client.v1.refunds.create({"payment_intent": paid.id}).amount == 1200
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.retrieve("pi_nobody")
    with pytest.raises(stripe.AuthenticationError):
        paying(base, "sk_test_2").v1.balance.retrieve()


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


def test_whatsapp_sends_statuses_back_signed(simulator: Make, receiver: Receiver) -> None:
    whatsapp = simulator("whatsapp", token="right", app_secret="app-secret", statuses=receiver.url)
    status, told, _headers = whatsapp.ask("POST", "/v21.0/1000/messages", TEXT, Authorization="Bearer right")
    assert (status, told["contacts"]) == (200, [{"input": "+57 300", "wa_id": "57300"}])
    arrived = receiver.wait(2)
    assert [good for good, _event in arrived] == [True, True]
    statuses = [event["entry"][0]["changes"][0]["value"]["statuses"][0] for _good, event in arrived]
    assert [(one["id"], one["status"]) for one in statuses] == [(told["messages"][0]["id"], "sent"), (told["messages"][0]["id"], "delivered")]


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
    path, names = "/v21.0/2000/message_templates?limit=2", []
    while path:
        told = whatsapp.ask("GET", path, Authorization="Bearer right")[1]
        names += [one["name"] for one in told["data"]]
        path = told["paging"].get("next", "").removeprefix(f"https://127.0.0.1:{whatsapp.port}")
    assert names == ["order_confirmed", "order_ready", "promo"]
