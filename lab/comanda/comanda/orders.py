# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking an order lives here: one transaction writes the order and what must be sent about it, or neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from starlette.exceptions import HTTPException

from comanda import logs, metrics
from comanda.database import Connection, Pool, Tenant, of_tenant

MOST_OF_A_DISH = 50
LONGEST_NOTE = 500

ITEM = "insert into order_items (tenant_id, order_id, sku, name, quantity, price_minor) values (%s, %s, %s, %s, %s, %s)"
ORDER = "insert into orders (tenant_id, channel, note, currency, total_minor, cid) values (%s, %s, %s, %s, %s, %s) returning id, created_at"
OUTBOX = "insert into outbox (tenant_id, kind, body, cid, trace_id) values (%s, 'order_taken', %s, %s, %s)"


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


async def take(pool: Pool, tenant: Tenant, body: Any, channel: str) -> dict[str, Any]:
    """Write the order down; the worker tells the rest of the world."""
    asked, note = wanted(body)
    cid = logs.request_id.get()
    async with of_tenant(pool, tenant) as connection:
        dishes = await _dishes(connection, asked)
        total = sum(dishes[sku]["price_minor"] * quantity for sku, quantity in asked.items())
        [row] = await (await connection.execute(ORDER, [tenant.id, channel, note, tenant.currency, total, cid])).fetchall()
        lines = [[tenant.id, row["id"], sku, dishes[sku]["name"], quantity, dishes[sku]["price_minor"]] for sku, quantity in asked.items()]
        await connection.cursor().executemany(ITEM, lines)
        await connection.execute(OUTBOX, [tenant.id, Jsonb({"order": str(row["id"])}), cid, logs.trace_id.get()])
    metrics.orders.labels(tenant.slug, channel, str(tenant.is_test).lower()).inc()
    return {"id": str(row["id"]), "state": "open", "total_minor": total, "currency": tenant.currency, "created_at": row["created_at"].isoformat()}


async def read(pool: Pool, tenant: Tenant, order: UUID) -> dict[str, Any]:
    """One order of this restaurant, or 404."""
    query = "select id::text, state, note, currency, total_minor, created_at::text from orders where id = %s"
    async with of_tenant(pool, tenant) as connection:
        row = await (await connection.execute(query, [order])).fetchone()
    if row is None:
        raise HTTPException(404, "no such order")
    return row


async def live(pool: Pool, tenant: Tenant) -> list[dict[str, Any]]:
    """The open orders of this restaurant, oldest first, with their dishes."""
    query = """select o.id::text, to_char(o.created_at at time zone %s, 'HH24:MI') as at, o.note, o.currency, o.total_minor,
        array_agg(i.quantity || ' × ' || i.name order by i.id) as items
        from orders o join order_items i on i.order_id = o.id where o.state = 'open' group by o.id order by o.created_at limit 200"""
    async with of_tenant(pool, tenant) as connection:
        return await (await connection.execute(query, [tenant.zone])).fetchall()
