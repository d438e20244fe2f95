# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations live here: one message of a guest becomes a row, perhaps an order or a reservation, and one reply. The webhooks come in.

All of it happens in the caller's transaction, which has already claimed the event: however often a provider sends it, there is one order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from comanda import bot, hours, logs, orders, outbox, restaurants
from comanda.database import Connection, Tenant

CHANNEL = """select t.id, t.slug, t.name, t.zone, t.currency, t.is_test from channels c join tenants t on t.id = c.tenant_id
    where c.provider = %s and c.account in (%s, '') and (c.guest = %s or c.guest is null) order by c.guest nulls last, c.account desc limit 1"""
ACCOUNT = """select account from channels where provider = 'whatsapp' and tenant_id = %s and (guest = %s or guest is null)
    order by guest nulls last limit 1"""
TWILIO_ACCOUNT = "select account from channels where provider = 'twilio' and tenant_id = %s limit 1"
CUSTOMER = """insert into customers (tenant_id, phone, name) values (%s, %s, %s)
    on conflict (tenant_id, phone) do update set name = coalesce(excluded.name, customers.name) returning id"""
MESSAGE = "insert into messages (tenant_id, customer_id, direction, provider, provider_id, body, cid) values (%s, %s, 'in', %s, %s, %s, %s)"
RESERVE = "insert into reservations (tenant_id, customer_id, at, people, cid) values (%s, %s, %s, %s, %s)"
MOST_PEOPLE = 20


@dataclass(frozen=True)
class Message:
    """What a guest wrote, to which account of ours."""

    provider: str
    account: str
    id: str
    phone: str
    name: str | None
    text: str
    at: datetime


def phone(number: str) -> str:
    """E.164 with its plus, as every provider's number is stored."""
    return f"+{number.removeprefix('whatsapp:').lstrip('+')}"


async def restaurant_of(connection: Connection, provider: str, account: str, guest: str | None) -> Tenant | None:
    """Whose account it is; a test guest has a restaurant of their own."""
    row = await (await connection.execute(CHANNEL, [provider, account, guest])).fetchone()
    return Tenant(**row) if row else None


async def enter(connection: Connection, tenant: Tenant) -> None:
    """From here to the end of the transaction, only this tenant's rows are seen."""
    logs.tenant.set(tenant.slug)
    await connection.execute("select set_config('app.tenant', %s, true)", [str(tenant.id)])


async def _order(connection: Connection, tenant: Tenant, message: Message, asked: bot.Order, due: datetime | None, customer: int, cid: str) -> str:
    taken = await orders.take(connection, tenant, orders.Wanted(asked.items, message.text[: orders.LONGEST_NOTE], message.provider, customer, due), cid)
    lines = ", ".join(f"{line['quantity']} × {line['name']}" for line in taken["items"])
    reference = bot.reference(message.text)
    name = f"Pedido {taken['number']}" + (f" ({reference})" if reference else "")
    return f"{name}: {lines}. Total {bot.money(taken['total_minor'], tenant.currency)}. Te avisamos cuando esté listo."


async def _reserve(connection: Connection, tenant: Tenant, asked: bot.Reservation, opening: hours.Hours, customer: int, cid: str) -> str:
    if asked.at is None or asked.people is None or asked.people > MOST_PEOPLE:
        return f"Para reservar dime cuántos sois (hasta {MOST_PEOPLE}), el día y la hora, por ejemplo «reserva para 4 mañana a las 20:30»."
    if not hours.is_open(opening, asked.at):
        coming = hours.next_opening(opening, asked.at)
        return f"A esa hora estamos cerrados. {bot.opening(bot.wall(coming, tenant.zone) if coming else None, asked.at)}"
    await connection.execute(RESERVE, [tenant.id, customer, asked.at, asked.people, cid])
    return f"Mesa para {asked.people} el {asked.at:%d/%m} a las {asked.at:%H:%M}, reservada."


async def answer(connection: Connection, tenant: Tenant, message: Message, customer: int, cid: str) -> str:
    """Our reply, and whatever it promises."""
    # A test restaurant lives at the time at which its message was written, so that any hour can be tried; a real one lives now.
    now = bot.wall(message.at if tenant.is_test else datetime.now(UTC), tenant.zone)
    opening, card = await restaurants.hours_of(connection, tenant), await restaurants.card(connection)
    asked = bot.understand(message.text, card, now)
    is_open, coming = hours.is_open(opening, now), hours.next_opening(opening, now)
    if isinstance(asked, bot.Order):
        reply = await _order(connection, tenant, message, asked, None if is_open else coming, customer, cid)
    elif isinstance(asked, bot.Reservation):
        reply = await _reserve(connection, tenant, asked, opening, customer, cid)
    elif asked.about == "menu":
        reply = bot.menu(card, tenant.currency)
    elif asked.about == "hours":
        reply = bot.week({str(day): restaurants.written(opening.week.get(day, ())) for day in range(7)})
    elif asked.about == "greeting":
        reply = f"¡Hola! Somos {tenant.name}. Escribe «carta», «horario», un pedido («2 arepas») o una reserva."
    else:
        reply = "No te he entendido. Escribe «carta», «horario», un pedido («2 arepas» o «2 x 1») o una reserva."
    note = bot.reference(message.text)
    reply = reply if note is None or note in reply else f"{reply} ({note})"
    return reply if is_open else f"{bot.closed(bot.wall(coming, tenant.zone) if coming else None, now)} {reply}"


async def customer(connection: Connection, tenant: Tenant, phone: str, name: str | None) -> int:
    """The guest with this phone, perhaps a new one."""
    [row] = await (await connection.execute(CUSTOMER, [tenant.id, phone, name])).fetchall()
    return int(row["id"])


async def send_template(connection: Connection, tenant: Tenant, phone: str, template: str, values: list[str], cid: str) -> None:
    """A template by WhatsApp, for who has not written to us in the last 24 hours; a restaurant without an account there sends none."""
    row = await (await connection.execute(ACCOUNT, [tenant.id, phone])).fetchone()
    if row is None:
        logs.log.info("no WhatsApp account to send from", extra={"fields": {"template": template}})
        return
    await outbox.put(connection, tenant.id, "whatsapp", {"account": row["account"], "to": phone, "template": template, "values": values}, cid)


async def tell_ready(connection: Connection, tenant: Tenant, order: Mapping[str, Any]) -> None:
    """The guest's order is ready: by the channel it came in, if it came with a phone."""
    row = await (await connection.execute("select c.phone from customers c join orders o on o.customer_id = c.id where o.id = %s", [order["id"]])).fetchone()
    if row is None:
        return
    if order["channel"] == "twilio":
        account = await (await connection.execute(TWILIO_ACCOUNT, [tenant.id])).fetchone()
        text = f"Tu pedido {order['number']} está listo."
        body = {"account": account["account"] if account else "", "to": row["phone"], "text": text}
        await outbox.put(connection, tenant.id, "twilio", body, order["cid"])
        return
    await send_template(connection, tenant, row["phone"], "order_ready", [str(order["number"])], order["cid"])


async def receive(connection: Connection, tenant: Tenant, message: Message, cid: str) -> None:
    """Keep the message and answer it."""
    guest = await customer(connection, tenant, message.phone, message.name)
    await connection.execute(MESSAGE, [tenant.id, guest, message.provider, message.id, message.text, cid])
    reply = await answer(connection, tenant, message, guest, cid)
    await outbox.put(connection, tenant.id, message.provider, {"account": message.account, "to": message.phone, "text": reply}, cid)
