# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail sink: takes every mail, keeps it in the record, delivers none."""

from __future__ import annotations

import typing as t
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from providers.call import token_is
from providers.faults import Faults
from providers.record import Record


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
        if fault:
            self._record.add("smtp", "RCPT", address, {}, "", None, fault.kind)
            return "421 4.3.2 not now" if fault.kind == "refuse" else f"{fault.status if fault.status in range(400, 600) else 451} scripted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: t.Any, session: t.Any, envelope: t.Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        body = letter.get_body(("plain", "html"))
        text = body.get_content() if body else ""
        headers = {name: str(value) for name, value in letter.items()}
        for address in envelope.rcpt_tos:
            self._record.add("smtp", "MAIL", address, headers, text, 250)
        return "250 2.0.0 OK"


def controller(sink: Sink, host: str, port: int) -> Controller:
    """AUTH is offered without TLS: a sink on a network of its own, whose password opens nothing else."""
    return Controller(
        sink,
        hostname=host,
        port=port,
        authenticator=sink.authenticator,
        auth_require_tls=False,
        auth_required=False,
        ident="golive providers",
        decode_data=False,
    )
