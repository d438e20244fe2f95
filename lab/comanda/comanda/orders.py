# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking an order lives here: one transaction writes the order and what must be sent about it, or neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from starlette.exceptions import HTTPException

from comanda import bot, metrics, outbox
from comanda.database import Connection, Pool, Tenant, of_tenant

MOST_OF_A_DISH = 50
LONGEST_NOTE = 500

ITEM = "insert into order_items (tenant_id, order_id, sku, name, quantity, price_minor) values (%s, %s, %s, %s, %s, %s)"
ORDER = """insert into orders (tenant_id, customer_id, channel, note, currency, total_minor, cid, due_at)
    values (%s, %s, %s, %s, %s, %s, %s, %s) returning id, number, created_at"""
READ = """select o.id::text, o.number, o.state, o.channel, o.note, trim(o.currency) as currency, o.total_minor, o.refunded_minor, o.cid,
    o.created_at::text, o.closed_at::text, o.due_at::text,
    (select coalesce(sum(p.amount_minor), 0)::bigint from payments p where p.order_id = o.id and p.status = 'approved') as paid_minor,
    (select json_agg(json_build_object('sku', i.sku, 'name', i.name, 'quantity', i.quantity) order by i.id) from order_items i where i.order_id = o.id) as items
    from orders o"""


@dataclass(frozen=True)
class Wanted:
    """An order as it is asked for: quantities by sku, the guest's words, and from when on it is due (None: now)."""

    items: Mapping[str, int]
    note: str
    channel: str
    customer: int | None = None
    due: datetime | None = None


def wanted(body: Any) -> tuple[dict[str, int], str]:
    """What the guest asks for, by dish, and the note; 422 says what is wrong with it."""
    items, note = (body.get("items"), body.get("note", "")) if isinstance(body, dict) else (None, "")
    if not isinstance(items, list) or not items or not isinstance(note, str) or len(note) > LONGEST_NOTE:
        raise HTTPException(422, f"wanted items (a list with something in it) and a note of at most {LONGEST_NOTE} letters")
    asked: Counter[str] = Counter()
    for item in items:
        sku, quantity = (item.get("sku"), item.get("quantity")) if isinstance(item, dict) else (None, None)
        # bool is an int in Python, and `true` is no quantity.
        if not isinstance(sku, str) or type(quantity) is not int or not 0 < quantity <= MOST_OF_A_DISH:
            raise HTTPException(422, f"each item wants a sku and a quantity from 1 to {MOST_OF_A_DISH}")
        asked[sku] += quantity
    return dict(asked), note


async def _dishes(connection: Connection, asked: Mapping[str, int]) -> dict[str, Any]:
    """The dishes asked for, by sku; 422 names those that are not on the menu."""
    rows = await (await connection.execute("select sku, name, price_minor from menu_items where available and sku = any(%s)", [list(asked)])).fetchall()
    found = {row["sku"]: row for row in rows}
    if missing := sorted(set(asked) - set(found)):
        raise HTTPException(422, f"not on the menu: {', '.join(missing)}")
    return found


async def take(connection: Connection, tenant: Tenant, order: Wanted, cid: str) -> dict[str, Any]:
    """Write the order down, in the tenant's transaction at hand; the worker tells the rest of the world."""
    dishes = await _dishes(connection, order.items)
    total = sum(dishes[sku]["price_minor"] * quantity for sku, quantity in order.items.items())
    values = [tenant.id, order.customer, order.channel, order.note, tenant.currency, total, cid, order.due]
    [row] = await (await connection.execute(ORDER, values)).fetchall()
    lines = [[tenant.id, row["id"], sku, dishes[sku]["name"], quantity, dishes[sku]["price_minor"]] for sku, quantity in order.items.items()]
    await connection.cursor().executemany(ITEM, lines)
    taken = {
        "id": str(row["id"]),
        "number": row["number"],
        "state": "open",
        "note": order.note,
        "items": [{"sku": sku, "name": dishes[sku]["name"], "quantity": quantity} for sku, quantity in order.items.items()],
        "total_minor": total,
        "total": bot.money(total, tenant.currency),
        "currency": tenant.currency,
        "created_at": row["created_at"].isoformat(),
    }
    await outbox.put(connection, tenant.id, "order_taken", {"order": taken["id"], "number": taken["number"], "note": order.note}, cid)
    metrics.orders.labels(tenant.slug, order.channel, str(tenant.is_test).lower()).inc()
    return taken


async def read(connection: Connection, order: UUID, *, lock: bool = False) -> dict[str, Any]:
    """One order of the restaurant at hand, or 404; locked until the transaction ends, if it is to be changed."""
    row = await (await connection.execute(f"{READ} where o.id = %s{' for update of o' if lock else ''}", [order])).fetchone()
    if row is None:
        raise HTTPException(404, "no such order")
    return row


async def live(pool: Pool, tenant: Tenant) -> list[dict[str, Any]]:
    """The open orders of this restaurant, oldest first, with their dishes."""
    query = """select o.id::text, o.number, to_char(o.created_at at time zone %s, 'HH24:MI') as at, o.note, o.cid, trim(o.currency) as currency, o.total_minor,
        array_agg(i.quantity || ' × ' || i.name order by i.id) as items
        from orders o join order_items i on i.order_id = o.id where o.state = 'open' group by o.id order by o.created_at limit 200"""
    async with of_tenant(pool, tenant) as connection:
        return await (await connection.execute(query, [tenant.zone])).fetchall()
