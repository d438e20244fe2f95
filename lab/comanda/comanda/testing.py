# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of checks lives here: what a check left in a test restaurant, by its id or its age. Only the owner of that restaurant comes in.

`GET` counts, `DELETE` removes, both of `/v1/test/{slug}/orders?cid=…` or `?older_than_s=…`. The database itself refuses any real restaurant.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comanda import audit, logs, tokens
from comanda.database import Connection, of_tenant
from comanda.sessions import User

FORGET = "select what, gone from forget_test(%(tenant)s, %(cid)s, now() - make_interval(secs => %(age)s))"
COUNT = """select count(*) as found from {table} where tenant_id = %(tenant)s and (%(cid)s::text is null or cid = %(cid)s)
    and (%(age)s::float is null or {at} < now() - make_interval(secs => %(age)s))"""
# Table, and the column that says since when.
TABLES = {"orders": "created_at", "reservations": "created_at", "messages": "created_at", "outbox": "created_at", "webhook_events": "received_at"}


async def _asked(request: Request) -> tuple[User, dict[str, Any]]:
    """Who asks, and about which rows; by an id or by age, never about all."""
    user = await tokens.bearer(request)
    if user.tenant.slug != request.path_params["slug"] or user.role != "owner" or not user.tenant.is_test:
        raise HTTPException(403, "only the owner of a test restaurant, of that one")
    cid, age = request.query_params.get("cid"), request.query_params.get("older_than_s")
    if (cid is None) == (age is None) or not (cid is None or cid) or not (age is None or age.isdecimal()):
        raise HTTPException(422, "wanted either cid or older_than_s (a whole number)")
    return user, {"tenant": user.tenant.id, "cid": cid, "age": int(age) if age else None}


async def _count(connection: Connection, table: str, at: str, which: dict[str, Any]) -> int:
    query = sql.SQL(COUNT).format(table=sql.Identifier(table), at=sql.Identifier(at))
    [row] = await (await connection.execute(query, which)).fetchall()
    return int(row["found"])


async def count(request: Request) -> Response:
    """What is there."""
    user, which = await _asked(request)
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        found = {table: await _count(connection, table, at, which) for table, at in TABLES.items()}
    return JSONResponse(found)


async def forget(request: Request) -> Response:
    """Remove it, and say how much it was."""
    user, which = await _asked(request)
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        gone = {row["what"]: row["gone"] for row in await (await connection.execute(FORGET, which)).fetchall()}
        about = which["cid"] or f"older than {which['age']} s"
        await audit.of_user(connection, request, user, "forget_test", about, before=gone)
    logs.log.info("test rows removed", extra={"fields": gone})
    return JSONResponse(gone)


ROUTES = [
    Route("/v1/test/{slug}/orders", count, methods=["GET"]),
    Route("/v1/test/{slug}/orders", forget, methods=["DELETE"]),
]
