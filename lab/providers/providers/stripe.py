# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stripe's payment intents and refunds (api.stripe.com, v1), with idempotency keys as Stripe has them."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import secrets
import time
import typing as t

from providers.call import Answer, Call, token_is
from providers.idempotency import Keys, Reused
from providers.webhooks import Event, Hook, stripe

CONFIRM = re.compile(r"/v1/payment_intents/(\w+)/confirm")
#: Test cards that are declined: docs.stripe.com/testing.
DECLINED = frozenset({"pm_card_chargeDeclined", "pm_card_visa_chargeDeclined"})
ONE = re.compile(r"/v1/(payment_intents|refunds)/(\w+)")


def error(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


class Stripe:
    """``settings``: ``token``, and those of the webhook that is told of payments."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token, self._hook = settings.get("token"), Hook(settings, stripe)
        self._objects: dict[str, dict[str, t.Any]] = {}
        self._keys = Keys()

    def answer(self, call: Call) -> Answer:
        if call.path == "/healthcheck":
            return Answer(200, {"ok": True})
        if not token_is(call.bearer or call.basic[0], self._token):
            return error(401, "invalid_request_error", "Invalid API Key provided")
        if call.method == "POST":
            return self._post(call)
        if call.path == "/v1/balance":
            return Answer(200, {"object": "balance", "livemode": False, "available": [], "pending": []})
        found = ONE.fullmatch(call.path)
        if found and found[2] in self._objects:
            return Answer(200, self._objects[found[2]])
        return error(404, "invalid_request_error", f"No such resource: {call.path}", code="resource_missing")

    def _post(self, call: Call) -> Answer:
        make = {"/v1/payment_intents": self._intent, "/v1/refunds": self._refund}.get(call.path)
        if found := CONFIRM.fullmatch(call.path):
            make = functools.partial(self._confirm, found[1])
        if make is None:
            return error(404, "invalid_request_error", f"Unrecognized request URL ({call.method}: {call.path}).")
        try:
            answer, before = self._keys.once(call.headers.get("idempotency-key", ""), call, lambda: make(call.form()))
        except Reused:
            return error(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters they were first used with.")
        return dataclasses.replace(answer, headers={"Idempotent-Replayed": "true"}) if before else answer

    def _intent(self, form: dict[str, str]) -> Answer:
        if not form.get("amount", "").isdecimal() or not form.get("currency"):
            return error(400, "invalid_request_error", "Missing required param: amount or currency.", code="parameter_missing")
        metadata = {found[1]: value for name, value in form.items() if (found := re.fullmatch(r"metadata\[(\w+)\]", name))}
        given = {"amount": int(form["amount"]), "currency": form["currency"], "metadata": metadata, "amount_received": 0}
        made = self._kept("pi", object="payment_intent", status="requires_confirmation" if form.get("payment_method") else "requires_payment_method", **given)
        return self._confirm(made["id"], form) if form.get("confirm") == "true" else Answer(200, dict(made))

    def _confirm(self, number: str, form: dict[str, str]) -> Answer:
        intent = self._objects.get(number)
        if intent is None:
            return error(404, "invalid_request_error", "No such payment_intent", code="resource_missing")
        waits = form.get("payment_method") and intent["status"] == "requires_payment_method"
        if not waits and intent["status"] != "requires_confirmation":
            return error(400, "invalid_request_error", f"This PaymentIntent's status is {intent['status']}", code="payment_intent_unexpected_state")
        if form.get("payment_method") in DECLINED:
            intent["status"] = "requires_payment_method"
            declined = error(402, "card_error", "Your card was declined.", code="card_declined", decline_code="generic_decline")
            return dataclasses.replace(declined, events=self._told("payment_intent.payment_failed", intent))
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=f"ch_{secrets.token_hex(12)}")
        return Answer(200, dict(intent), events=self._told("payment_intent.succeeded", intent))

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self._objects.get(form.get("payment_intent", ""))
        if intent is None or intent.get("status") != "succeeded" or "latest_charge" not in intent:
            return error(400, "invalid_request_error", "There is no successful charge to refund.", code="charge_not_refundable")
        before = intent.get("amount_refunded", 0)
        left = intent["amount"] - before
        asked = form.get("amount", str(left))
        if not asked.isdecimal() or not 0 < int(asked) <= left:
            return error(400, "invalid_request_error", f"The amount is not between 1 and {left}.", code="amount_too_large")
        intent["amount_refunded"] = before + int(asked)
        refund = self._kept("re", object="refund", amount=int(asked), currency=intent["currency"], status="succeeded", payment_intent=intent["id"])
        about = {name: intent[name] for name in ("amount", "currency", "metadata", "amount_refunded", "livemode")}
        charge = {**about, "id": intent["latest_charge"], "object": "charge", "payment_intent": intent["id"], "refunded": int(asked) == left}
        return Answer(200, dict(refund), events=self._told("charge.refunded", charge, {"amount_refunded": before}))

    def _kept(self, prefix: str, **fields: t.Any) -> dict[str, t.Any]:
        made = {"id": f"{prefix}_{secrets.token_hex(12)}", "created": int(time.time()), "livemode": False, **fields}
        self._objects[made["id"]] = made
        return made

    def _told(self, kind: str, about: dict[str, t.Any], before: dict[str, t.Any] | None = None) -> tuple[Event, ...]:
        data = {"object": about, **({"previous_attributes": before} if before else {})}
        event = {"id": f"evt_{secrets.token_hex(12)}", "object": "event", "type": kind, "created": int(time.time()), "livemode": False, "pending_webhooks": 1}
        return self._hook.event(json.dumps({**event, "data": data, "request": None}))
