# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mercado Pago's payments (api.mercadopago.com, v1), with ``X-Idempotency-Key`` as it asks for."""

from __future__ import annotations

import datetime
import itertools
import json
import re
import time
import typing as t

from providers.call import Answer, Call, token_is
from providers.idempotency import Keys, Reused
from providers.webhooks import Event, Hook, form, mercadopago

PAYMENT = re.compile(r"/v1/payments/(\w+)")
REFUNDS = re.compile(r"/v1/payments/(\w+)/refunds")


def error(status: int, message: str, kind: str) -> Answer:
    return Answer(status, {"message": message, "error": kind, "status": status, "cause": []})


class MercadoPago:
    """``settings``: ``token``, ``account`` (the seller's id, a number; events name it) and those of the webhook that is told of payments."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token, self._account = settings.get("token"), str(settings.get("account") or "")
        self._hook = Hook(settings, mercadopago)
        self._payments: dict[str, dict[str, t.Any]] = {}
        self._numbers = itertools.count(time.time_ns() // 1_000_000)  # never again those of before a restart
        self._keys = Keys()

    def answer(self, call: Call) -> Answer:
        if call.path == "/":
            return Answer(200, {"name": "mercadopago"})
        if not token_is(call.bearer, self._token):
            return error(401, "invalid access token", "unauthorized")
        if call.path == "/users/me":
            return Answer(200, {"id": int(self._account or 1), "nickname": "TESTUSER", "site_id": "MCO", "tags": ["test_user"]})
        if call.method == "POST":
            return self._post(call)
        found = PAYMENT.fullmatch(call.path)
        if found and found[1] in self._payments:
            return Answer(200, self._payments[found[1]])
        return error(404, "Payment not found", "not_found")

    def _post(self, call: Call) -> Answer:
        refunded = REFUNDS.fullmatch(call.path)
        if call.path != "/v1/payments" and not refunded:
            return error(404, f"unknown path {call.path}", "not_found")
        key = call.headers.get("x-idempotency-key", "")
        if not key:
            return error(400, "Header X-Idempotency-Key can't be null", "bad_request")
        try:
            return self._keys.once(key, call, lambda: self._refund(refunded[1]) if refunded else self._pay(call.json()))[0]
        except Reused:
            return error(409, "The idempotency key was used for another request", "conflict")

    def _pay(self, body: t.Any) -> Answer:
        if not isinstance(body, dict) or not isinstance(body.get("transaction_amount"), (int, float)) or not body.get("payment_method_id"):
            return error(400, "transaction_amount and payment_method_id are required", "bad_request")
        if not self._hook.may_be(str(body.get("notification_url") or "")):
            return error(400, "notification_url: only the server of the configured webhook is called from here", "bad_request")
        number, now = next(self._numbers), datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        copied = {name: body.get(name) for name in ("description", "external_reference", "metadata", "payment_method_id", "transaction_amount")}
        whole = {"id": number, "status": "approved", "status_detail": "accredited", "currency_id": body.get("currency_id", "COP"), "live_mode": False}
        self._payments[str(number)] = {**whole, **copied, "date_created": now, "date_approved": now, "refunds": []}
        return Answer(201, dict(self._payments[str(number)]), events=self._told(number, "payment.created", body.get("notification_url")))

    def _refund(self, number: str) -> Answer:
        payment = self._payments.get(number)
        if payment is None:
            return error(404, "Payment not found", "not_found")
        if payment["status"] != "approved":
            return error(400, "The action requested is not valid for the current payment state", "bad_request")
        refund = {"id": next(self._numbers), "payment_id": payment["id"], "amount": payment["transaction_amount"], "status": "approved"}
        payment.update(status="refunded", refunds=[*payment["refunds"], refund])
        return Answer(201, refund, events=self._told(payment["id"], "payment.updated", None))

    def _told(self, number: int, action: str, asked: t.Any) -> tuple[Event, ...]:
        event = {"id": next(self._numbers), "live_mode": False, "type": "payment", "action": action, "api_version": "v1"}
        event |= {"user_id": self._account} if self._account else {}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        url = f"{asked or self._hook.url}?{form(**{'data.id': str(number)}, type='payment')}"
        return self._hook.event(json.dumps({**event, "date_created": now, "data": {"id": str(number)}}), url)
