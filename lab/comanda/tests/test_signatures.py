# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures against documented values and against the vendors' own libraries, both ways."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest
from comanda import signatures
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator

TWILIO_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TWILIO_FORM = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", "From": "+14158675309", "To": "+18005551212", "Caller": "+14158675309"}


@pytest.mark.parametrize(
    ("key", "body", "digest"),
    [
        # docs.github.com, "Validating webhook deliveries": the same header, algorithm and form as Meta's.
        ("It's a Secret to Everybody", b"Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
        # hexdocs.pm/whatsapp_sdk
        ("secret", b"test", "0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"),
    ],
)
def test_meta(key: str, body: bytes, digest: str) -> None:
    assert signatures.meta(key, body, f"sha256={digest}")
    assert not signatures.meta(key, body + b" ", f"sha256={digest}")
    assert not signatures.meta(key + "x", body, f"sha256={digest}")
    for header in ("", digest, f"sha1={digest}", f"sha256={digest[:-1]}", "sha256=é"):
        assert not signatures.meta(key, body, header)


def test_twilio_as_documented() -> None:
    # twilio/twilio-python, tests/unit/test_request_validator.py
    assert signatures.twilio("12345", TWILIO_URL, TWILIO_FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not signatures.twilio("12345", TWILIO_URL, {**TWILIO_FORM, "Digits": "1235"}, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not signatures.twilio("12346", TWILIO_URL, TWILIO_FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not signatures.twilio("12345", TWILIO_URL, TWILIO_FORM, "")


def test_twilio_json() -> None:
    body = '{"property": "value", "boolean": true}'
    url = f"{TWILIO_URL}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    assert signatures.twilio("12345", url, body, "a9nBmqA0ju/hNViExpshrM61xv4=")
    assert not signatures.twilio("12345", url, body + " ", "a9nBmqA0ju/hNViExpshrM61xv4=")


def test_twilio_signs_what_we_accept() -> None:
    signed = RequestValidator("token").compute_signature("https://api.comanda.test/webhooks/twilio", {"Body": "hola 🙂", "From": "+57"})
    assert signatures.twilio("token", "https://api.comanda.test/webhooks/twilio", {"Body": "hola 🙂", "From": "+57"}, signed)


@pytest.mark.parametrize(("offset_s", "holds"), [(0, True), (-290, True), (290, True), (-310, False), (310, False), (10**9, False)])
def test_stripe_signs_what_we_accept(offset_s: int, holds: bool) -> None:
    payload = json.dumps({"id": "evt_1", "emoji": "🙂"})
    header = WebhookSignature.generate_signature_header(payload, "secret", int(time.time()) + offset_s)
    assert signatures.stripe("secret", payload.encode(), header) is holds
    assert not signatures.stripe("other", payload.encode(), header)
    assert not signatures.stripe("secret", payload.encode() + b" ", header)


@pytest.mark.parametrize("header", ["", "t=1", "v1=aa", "t=x,v1=aa", "nonsense"])
def test_stripe_malformed(header: str) -> None:
    assert not signatures.stripe("secret", b"{}", header)
    assert not signatures.stripe("secret", b"\xff", header)


def test_stripe_during_a_rotation() -> None:
    """Two signatures while the secret changes: either will do (docs.stripe.com/webhooks)."""
    now = int(time.time())
    one, two = (WebhookSignature.generate_signature_header("{}", secret, now).partition(",")[2] for secret in ("old", "new"))
    assert signatures.stripe("new", b"{}", f"t={now},{one},{two}")


def test_mercadopago_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    # Inputs: mercadopago/sdk-python, tests/test_webhook_signature_validator.py (its time is in milliseconds).
    request_id, payment = "2066ca19-c6f1-498a-be75-1923005edd06", "ord01jq4s4ky8hwq6na5pxb65b3d3"
    header = "ts=1742505638683,v1=633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c"
    assert not signatures.mercadopago("your_secret_key_here", payment, request_id, header)
    monkeypatch.setattr(time, "time", lambda: 1742505700.0)
    assert signatures.mercadopago("your_secret_key_here", payment, request_id, header)
    assert signatures.mercadopago("your_secret_key_here", payment.upper(), request_id, header)
    assert not signatures.mercadopago("your_secret_key_here", payment, request_id + "0", header)
    assert not signatures.mercadopago("your_secret_key_here", payment + "0", request_id, header)
    assert not signatures.mercadopago("another", payment, request_id, header)


@pytest.mark.parametrize("unit", [1, 1000])
def test_mercadopago_in_either_unit(unit: int) -> None:
    stamp = int(time.time()) * unit
    digest = hmac.new(b"secret", f"id:123;request-id:r-1;ts:{stamp};".encode(), hashlib.sha256).hexdigest()
    assert signatures.mercadopago("secret", "123", "r-1", f"ts={stamp},v1={digest}")
    assert not signatures.mercadopago("secret", "123", "", f"ts={stamp},v1={digest}")
    for header in ("", f"ts={stamp}", f"v1={digest}", f"ts=²,v1={digest}"):
        assert not signatures.mercadopago("secret", "123", "r-1", header)
