# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail sink: takes every mail, keeps it in the record, delivers none."""

from __future__ import annotations

import asyncio
import ssl
import typing as t
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from providers.call import Answer, Call, token_is
from providers.faults import Faults
from providers.record import Record
from providers.server import reset


class Sink:
    """``settings``: ``token`` (the password; without one nobody has to log in)."""

    def __init__(self, settings: t.Mapping[str, t.Any], record: Record, faults: Faults) -> None:
        self._token = settings.get("token")
        self._record = record
        self._faults = faults

    def authenticator(self, server: t.Any, session: t.Any, envelope: t.Any, mechanism: str, data: t.Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and token_is(data.password.decode("utf-8", "replace"), self._token)
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(self, server: t.Any, session: t.Any, envelope: t.Any, address: str, options: list[str]) -> str:
        fault = self._faults.met("smtp", address, connecting=True) or self._faults.met("smtp", address)
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.delay_s)
        elif fault:
            self._record.add("smtp", "RCPT", address, {}, "", fault.status if fault.kind == "status" else None, fault.kind)
            if fault.kind == "status":
                return f"{fault.status} scripted"
            reset(server.transport.get_extra_info("socket"), server.transport.abort)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: t.Any, session: t.Any, envelope: t.Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        body = letter.get_body(("plain", "html"))
        text = body.get_content() if body else ""
        headers = {name: str(value) for name, value in letter.items()}
        for address in envelope.rcpt_tos:
            self._record.add("smtp", "MAIL", address, headers, text, 250, effect="new")
        return "250 2.0.0 OK"


class Name:
    """Mail has no HTTP: under its name is only the record."""

    def answer(self, call: Call) -> Answer:
        return Answer(404, {"error": "mail comes in by SMTP"})


class Refusal(asyncio.Protocol):
    """Who connects now gets no word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(transport.get_extra_info("socket"), t.cast("asyncio.Transport", transport).abort)


class Door(Controller):
    """Where mail comes in, while it does."""

    def __init__(self, sink: Sink, record: Record, faults: Faults, **settings: t.Any) -> None:
        self._record, self._faults = record, faults
        super().__init__(sink, authenticator=sink.authenticator, auth_required=False, ident="golive providers", decode_data=False, **settings)

    def factory(self) -> t.Any:
        if not self._faults.met("smtp", connecting=True):
            return super().factory()  # type: ignore[no-untyped-call]  # aiosmtpd leaves it untyped
        self._record.add("smtp", "CONNECT", "", {}, "", None, "refuse")
        return Refusal()


def door(settings: t.Mapping[str, t.Any], host: str, tls: ssl.SSLContext | None, record: Record, faults: Faults) -> Door:
    """With a certificate STARTTLS is offered, and AUTH only after it: then no password goes over the wire as it is."""
    sink = Sink(settings, record, faults)
    return Door(sink, record, faults, hostname=host, port=settings["port"], server_hostname="providers", tls_context=tls, auth_require_tls=tls is not None)
