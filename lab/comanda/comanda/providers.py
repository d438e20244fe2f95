# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers' APIs live here: one call each, with the ids that go all the way and the same idempotency key on every try. The worker comes in.

What an answer means is decided in one place, `_told`: done, try again (and not before), or never.
"""

from __future__ import annotations

import secrets
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from comanda import settings

GRAPH_VERSION = "v21.0"
TIMEOUT_S = 5.0
# Answers that another try may change: too early, too many, and all of the server's own (RFC 9110 section 15).
AGAIN = frozenset({408, 425, 429})


class Unreachable(Exception):
    """Nobody answered: it is no fault of the message, which waits."""


@dataclass
class Refused(Exception):
    """An answer that is no success; `again` says whether another try makes sense, and after how long at least."""

    status: int
    again: bool
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return f"HTTP {self.status}"


@dataclass(frozen=True)
class Ids:
    """What goes along with each call."""

    cid: str
    trace_id: str
    idempotency_key: str

    def headers(self) -> dict[str, str]:
        parent = f"00-{self.trace_id}-{secrets.token_hex(8)}-01"
        return {"X-Request-ID": self.cid, "traceparent": parent, "Idempotency-Key": self.idempotency_key}


def base(name: str, default: str) -> str:
    """Where a provider is: the vendor, unless the configuration names a simulator."""
    return settings.value(name, default).rstrip("/")


@cache
def trust() -> ssl.SSLContext:
    """The system's CAs, or those of the bundle that COMANDA_CA names."""
    bundle = settings.value("COMANDA_CA", "-")
    return ssl.create_default_context(cafile=None if bundle == "-" else bundle)


@cache
def client() -> httpx.Client:
    """Connections are kept; each channel of the worker calls in its own thread, which httpx allows."""
    return httpx.Client(timeout=TIMEOUT_S, verify=trust())


def retry_after_s(value: str | None) -> float | None:
    """`Retry-After`: seconds or a date (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def _told(method: str, url: str, **call: Any) -> dict[str, Any]:
    """The answer's JSON; `Unreachable` without a whole answer, `Refused` for one that is no success."""
    try:
        answer = client().request(method, url, **call)
    except httpx.TransportError as error:
        raise Unreachable(type(error).__name__) from error
    if answer.is_success:
        try:
            told = answer.json()
        except ValueError:
            # Cut off on its way, or no answer of this provider: the idempotency key makes asking again harmless.
            raise Unreachable("answer without JSON") from None
        return told if isinstance(told, dict) else {}
    again = answer.status_code in AGAIN or answer.is_server_error
    raise Refused(answer.status_code, again, retry_after_s(answer.headers.get("Retry-After")))


def whatsapp(body: Mapping[str, Any], ids: Ids) -> str | None:
    """A text or a template by the Cloud API; the message's id (wamid)."""
    content: dict[str, Any] = {"type": "text", "text": {"body": body.get("text", "")}}
    if "template" in body:
        values = [{"type": "text", "text": value} for value in body["values"]]
        template = {"name": body["template"], "language": {"code": "es"}, "components": [{"type": "body", "parameters": values}]}
        content = {"type": "template", "template": template}
    told = _told(
        "POST",
        f"{base('WHATSAPP_API', 'https://graph.facebook.com')}/{GRAPH_VERSION}/{body['account']}/messages",
        json={"messaging_product": "whatsapp", "recipient_type": "individual", "to": body["to"], **content},
        headers={**ids.headers(), "Authorization": f"Bearer {settings.secret('WHATSAPP_TOKEN')}"},
    )
    messages = told.get("messages") or [{}]
    found: str | None = messages[0].get("id")
    return found


def twilio(body: Mapping[str, Any], ids: Ids) -> str | None:
    """An SMS by the Messages resource; its sid."""
    told = _told(
        "POST",
        f"{base('TWILIO_API', 'https://api.twilio.com')}/2010-04-01/Accounts/{body['account']}/Messages.json",
        data={"To": body["to"], "From": settings.value("TWILIO_NUMBER", "+15550001111"), "Body": body["text"]},
        auth=(body["account"], settings.secret("TWILIO_AUTH_TOKEN")),
        headers=ids.headers(),
    )
    return told.get("sid")


def mercadopago(payment: str, ids: Ids) -> dict[str, Any]:
    """What Mercado Pago knows about a payment."""
    token = {"Authorization": f"Bearer {settings.secret('MP_ACCESS_TOKEN')}"}
    return _told("GET", f"{base('MP_API', 'https://api.mercadopago.com')}/v1/payments/{payment}", headers={**ids.headers(), **token})


def mail(body: Mapping[str, Any], ids: Ids) -> str | None:
    """A mail, encrypted where the server can; its Message-ID is the idempotency key, so that a copy is known as one."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = settings.value("COMANDA_MAIL_FROM", "comanda@comanda.test"), body["to"], body["subject"]
    letter["Message-ID"], letter["X-Request-ID"] = f"<{ids.idempotency_key}@comanda>", ids.cid
    letter.set_content(body["text"])
    server = urlsplit(settings.value("SMTP_URL", "smtp://127.0.0.1:25"))
    try:
        with smtplib.SMTP(server.hostname or "127.0.0.1", server.port or 25, timeout=TIMEOUT_S) as connection:
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=trust())
                connection.ehlo()
            if connection.has_extn("auth"):
                connection.login(settings.value("SMTP_USER", "comanda"), settings.secret("SMTP_PASSWORD"))
            connection.send_message(letter)
    except smtplib.SMTPResponseException as error:
        # RFC 5321: 4xx may change, 5xx will not.
        raise Refused(error.smtp_code, error.smtp_code < 500) from error
    except smtplib.SMTPRecipientsRefused as error:
        code = max(code for code, _ in error.recipients.values())
        raise Refused(code, code < 500) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(type(error).__name__) from error
    return str(letter["Message-ID"])
