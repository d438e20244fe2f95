# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of providers live here: is it really they who send? Each answers about the raw bytes, before anything is parsed.

Vendors' own libraries decide where there is one. Meta has none: X-Hub-Signature-256 is the HMAC-SHA256 of the body under the app's secret
(developers.facebook.com/docs/graph-api/webhooks/getting-started).
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from mercadopago.webhook import InvalidWebhookSignatureError, WebhookSignatureValidator
from stripe import SignatureVerificationError, WebhookSignature
from twilio.request_validator import RequestValidator

# How far a signed time may be from ours, either way. Stripe's library looks at the past alone, Mercado Pago's takes one unit for both of its own.
TOLERANCE_S = 300
MILLISECONDS_FROM = 10**12


def _fresh(stamp: str) -> bool:
    """A time in seconds or milliseconds, near to now."""
    if not stamp.isdecimal() or len(stamp) > 16:
        return False
    seconds = int(stamp) / 1000 if int(stamp) >= MILLISECONDS_FROM else int(stamp)
    return abs(time.time() - seconds) <= TOLERANCE_S


def _stamp(header: str, key: str) -> str:
    pairs = (pair.strip().partition("=") for pair in header.split(","))
    return next((value for name, _, value in pairs if name == key), "")


def same(one: str, other: str) -> bool:
    """Compared without telling by time how much of it is right."""
    return hmac.compare_digest(one.encode(), other.encode())


def meta(secret: str, raw: bytes, header: str) -> bool:
    """`X-Hub-Signature-256: sha256=<hex>`."""
    made = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return same(f"sha256={made}", header)


def twilio(token: str, url: str, parameters: Any, header: str) -> bool:
    """`X-Twilio-Signature`: over the public URL and the form's fields, or (JSON) over a URL that carries the body's digest."""
    return bool(RequestValidator(token).validate(url, parameters, header))


def stripe(secret: str, raw: bytes, header: str) -> bool:
    """`Stripe-Signature: t=…,v1=…`."""
    try:
        WebhookSignature.verify_header(raw.decode(), header, secret, TOLERANCE_S)
    except (SignatureVerificationError, ValueError):
        return False
    return _fresh(_stamp(header, "t"))


def mercadopago(secret: str, data_id: str, request_id: str, header: str) -> bool:
    """`x-signature: ts=…,v1=…` over the id in the query and the request's id. The body is not signed: it may be believed in nothing."""
    for known_as in {data_id, data_id.lower()}:
        try:
            WebhookSignatureValidator.validate(header, request_id or None, known_as or None, secret)
        except InvalidWebhookSignatureError:
            continue
        return _fresh(_stamp(header, "ts"))
    return False
