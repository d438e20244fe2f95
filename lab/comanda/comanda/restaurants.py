# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restaurant shows the world lives here: its menu and its hours. The API asks; rows go no further than this file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from comanda.database import Connection, Pool, Tenant, of_tenant
from comanda.hours import Hours, Shift, is_open, next_opening


def _by(key: str, rows: Iterable[DictRow]) -> dict[Any, list[Shift]]:
    """Shifts by weekday or by date; a row without times is a day without shifts."""
    found: dict[Any, list[Shift]] = defaultdict(list)
    for row in rows:
        found[row[key]] += [Shift(row["opens"], row["closes"])] if row["opens"] is not None else []
    return dict(found)


async def hours_of(connection: Connection, tenant: Tenant) -> Hours:
    """When the kitchen is open; asked in a transaction of that tenant."""
    week = await (await connection.execute("select weekday, opens, closes from business_hours order by weekday, opens")).fetchall()
    special = await (await connection.execute("select day, opens, closes from special_days order by day, opens")).fetchall()
    return Hours(tenant.zone, _by("weekday", week), _by("day", special))


async def hours(pool: Pool, tenant: Tenant) -> Hours:
    """When the kitchen is open."""
    async with of_tenant(pool, tenant) as connection:
        return await hours_of(connection, tenant)


async def card(connection: Connection) -> list[DictRow]:
    """The dishes that can be had, in the order in which guests see (and number) them."""
    return await (await connection.execute("select sku, name, price_minor from menu_items where available order by name, sku")).fetchall()


def written(shifts: Iterable[Shift]) -> list[str]:
    """Shifts as they are said."""
    return [f"{shift.opens:%H:%M}-{shift.closes:%H:%M}" for shift in shifts]


async def menu(pool: Pool, tenant: Tenant) -> dict[str, Any]:
    """The restaurant's public card: dishes with prices, and the week's hours (0 is Monday)."""
    opening = await hours(pool, tenant)
    async with of_tenant(pool, tenant) as connection:
        dishes = await card(connection)
    return {
        "restaurant": {"slug": tenant.slug, "name": tenant.name, "zone": tenant.zone, "currency": tenant.currency},
        "items": dishes,
        "hours": {str(day): written(opening.week.get(day, ())) for day in range(7)},
        "special_days": {day.isoformat(): written(shifts) for day, shifts in sorted(opening.special.items())},
    }


async def open_at(pool: Pool, tenant: Tenant, at: datetime) -> dict[str, Any]:
    """Is it open at this instant, and when does it open next?"""
    opening = await hours(pool, tenant)
    coming = next_opening(opening, at)
    return {"open": is_open(opening, at), "at": at.isoformat(), "zone": tenant.zone, "opens_at": coming.isoformat() if coming else None}
