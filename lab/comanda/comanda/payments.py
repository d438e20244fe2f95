# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payments live here: what a provider says about money becomes one row for each of its events. Nothing is marked paid by anybody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from comanda import conversations, logs, outbox
from comanda.database import Connection

# The event of Stripe, where its object has the amount, and its sign.
STRIPE = {
    "payment_intent.succeeded": ("amount_received", 1),
    "checkout.session.completed": ("amount_total", 1),
    "charge.succeeded": ("amount", 1),
    "charge.refunded": ("amount_refunded", -1),
}
# ISO 4217: the code that stands for "no currency", until the provider has told us the one paid in.
NO_CURRENCY = "XXX"
INSERT = """insert into payments (tenant_id, order_id, provider, event_id, amount_minor, currency, status, payment_id)
    values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"""

PAID = "select 1 from payments where provider = 'stripe' and payment_id = %s and amount_minor > 0"


def order_id(value: Any) -> UUID | None:
    """An order's id, if it is one."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


async def _owner(connection: Connection, provider: str, account: str, order: UUID | None) -> tuple[int | None, UUID | None]:
    """Whose payment it is: the order's restaurant, else the account's. An order that does not exist is no order."""
    row = await (await connection.execute("select tenant_of_order(%s) as id", [order])).fetchone() if order else None
    if row and row["id"] is not None:
        return row["id"], order
    tenant = await conversations.restaurant_of(connection, provider, account, None)
    return (tenant.id if tenant else None), None


def _number(value: Any) -> int:
    """Minor units; what is no whole number is none of them."""
    return value if type(value) is int else 0


async def _enter(connection: Connection, tenant_id: int) -> None:
    await connection.execute("select set_config('app.tenant', %s, true)", [str(tenant_id)])


async def from_stripe(connection: Connection, event_id: str, body: dict[str, Any]) -> int | None:
    """An event about money; others are kept as events and change nothing."""
    data = body.get("data") if isinstance(body.get("data"), dict) else {}
    about = (data or {}).get("object")
    about = about if isinstance(about, dict) else {}
    named = (about.get("metadata") or body.get("metadata") or {}).get("order_id")
    amount_key, sign = STRIPE.get(str(body.get("type")), ("", 0))
    if not sign:
        logs.log.info("event without money", extra={"fields": {"provider": "stripe", "type": str(body.get("type"))}})
        return None
    tenant_id, order = await _owner(connection, "stripe", str(body.get("account") or ""), order_id(named))
    if tenant_id is None:
        logs.log.error("payment that is nobody's", extra={"fields": {"provider": "stripe", "event": event_id}})
        return None
    await _enter(connection, tenant_id)
    amount = _number(about.get(amount_key, about.get("amount"))) - _number(((data or {}).get("previous_attributes") or {}).get(amount_key))
    currency, payment = str(about.get("currency") or "xxx").upper()[:3], str(about.get("payment_intent") or about.get("id") or "")
    # One payment is told by several events (intent, charge, session); the lock makes them come one by one, and the first has the money.
    await connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [payment])
    if sign > 0 and await (await connection.execute(PAID, [payment])).fetchone():
        amount = 0
    await connection.execute(INSERT, [tenant_id, order, "stripe", event_id, sign * amount, currency, "approved", payment])
    return tenant_id


async def from_mercadopago(connection: Connection, event_id: str, payment_id: str, account: str, cid: str) -> int | None:
    """The payment's place, worth nothing until Mercado Pago has been asked what it is."""
    tenant_id, _ = await _owner(connection, "mercadopago", account, None)
    if tenant_id is None:
        logs.log.error("payment that is nobody's", extra={"fields": {"provider": "mercadopago", "event": event_id}})
        return None
    await _enter(connection, tenant_id)
    await connection.execute(INSERT, [tenant_id, None, "mercadopago", event_id, 0, NO_CURRENCY, "pending", payment_id])
    await outbox.put(connection, tenant_id, "mercadopago", {"payment": payment_id, "event": event_id}, cid)
    return tenant_id
