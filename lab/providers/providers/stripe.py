# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stripe's payment intents and refunds (api.stripe.com, v1), with idempotency keys as Stripe has them."""

from __future__ import annotations

import re
import secrets
import time
import typing as t

from providers.call import Answer, Call, token_is
from providers.idempotency import Keys, Reused

ONE = re.compile(r"/v1/(payment_intents|refunds)/(\w+)")


def error(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


class Stripe:
    """``settings``: ``token``."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token = settings.get("token")
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
        if make is None:
            return error(404, "invalid_request_error", f"Unrecognized request URL ({call.method}: {call.path}).")
        try:
            answer, before = self._keys.once(call.headers.get("idempotency-key", ""), call, lambda: make(call.form()))
        except Reused:
            return error(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters they were first used with.")
        return Answer(answer.status, answer.body, {"Idempotent-Replayed": "true"}) if before else answer

    def _intent(self, form: dict[str, str]) -> Answer:
        if not form.get("amount", "").isdecimal() or not form.get("currency"):
            return error(400, "invalid_request_error", "Missing required param: amount or currency.", code="parameter_missing")
        metadata = {found[1]: value for name, value in form.items() if (found := re.fullmatch(r"metadata\[(\w+)\]", name))}
        return self._kept(
            "pi", object="payment_intent", amount=int(form["amount"]), currency=form["currency"], status="requires_payment_method", metadata=metadata
        )

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self._objects.get(form.get("payment_intent", ""))
        if intent is None:
            return error(404, "invalid_request_error", "No such payment_intent", code="resource_missing")
        amount = int(form.get("amount") or intent["amount"])
        return self._kept("re", object="refund", amount=amount, currency=intent["currency"], status="succeeded", payment_intent=intent["id"])

    def _kept(self, prefix: str, **fields: t.Any) -> Answer:
        made = {"id": f"{prefix}_{secrets.token_hex(12)}", "created": int(time.time()), "livemode": False, **fields}
        self._objects[made["id"]] = made
        return Answer(200, made)
