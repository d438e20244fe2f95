# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to Postgres lives here: a pool, and transactions that see one tenant only. Whoever wants rows comes through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from comanda import logs, settings

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

# A guest waits this long for a connection at most: a slow "no" keeps a dead database's requests piling up.
WAIT_S = 2.0


@dataclass(frozen=True)
class Tenant:
    """A restaurant."""

    id: int
    slug: str
    name: str
    zone: str
    currency: str
    is_test: bool


def pool() -> Pool:
    """A closed pool; sessions run in UTC and no statement may take longer than 5 s."""
    options = {"row_factory": dict_row, "options": "-c timezone=UTC -c statement_timeout=5000", "connect_timeout": 3}
    return AsyncConnectionPool(
        settings.database_url(),
        connection_class=Connection,
        kwargs=options,
        min_size=1,
        max_size=8,
        timeout=WAIT_S,
        open=False,
        check=AsyncConnectionPool.check_connection,
    )


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep the pool as long as the application runs. It starts without a database too: readiness says so, not a crash loop."""
    app.state.pool = pool()
    await app.state.pool.open(wait=False)
    yield
    await app.state.pool.close()


async def find_tenant(pool: Pool, slug: str) -> Tenant:
    """The restaurant of that name, or 404."""
    async with pool.connection() as connection:
        cursor = await connection.execute("select id, slug, name, zone, currency, is_test from tenants where slug = %s", [slug])
        row = await cursor.fetchone()
    if row is None:
        raise HTTPException(404, "no such restaurant")
    logs.tenant.set(slug)
    return Tenant(**row)


@asynccontextmanager
async def of_tenant(pool: Pool, tenant: Tenant) -> AsyncIterator[Connection]:
    """A transaction in which row-level security shows this tenant's rows and no others."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant', %s, true)", [str(tenant.id)])
        yield connection
