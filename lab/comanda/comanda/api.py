# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API lives here (api., port 8000): health, version, menus, opening hours and orders. Guests and our own website come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from json import JSONDecodeError
from typing import Any

import psycopg
from prometheus_client import generate_latest
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comanda import database, logs, metrics, orders, queue, release, restaurants, web

PORT = 8000
# What a part that does not answer looks like from here.
DOWN = (psycopg.Error, PoolTimeout, RedisError, OSError, TimeoutError)
PART_TIMEOUT_S = 3.0


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.release = release.running()
    app.state.redis = queue.async_client()
    async with database.lifespan(app):
        yield
    await app.state.redis.aclose()


async def _rows(app: Starlette, query: str) -> list[dict[str, Any]]:
    async with app.state.pool.connection() as connection:
        found: list[dict[str, Any]] = await (await connection.execute(query)).fetchall()
        return found


async def _part(name: str, question: Any) -> tuple[str, str]:
    """One part's word; why it is down goes to the journal, not to the guest."""
    try:
        await asyncio.wait_for(question, PART_TIMEOUT_S)
    except DOWN as error:
        logs.log.warning("part is down", extra={"fields": {"part": name, "error": type(error).__name__}})
        return name, "down"
    return name, "ok"


async def readyz(request: Request) -> Response:
    """Ready: every part answers."""
    app = request.app
    parts = dict(await asyncio.gather(_part("postgres", _rows(app, "select 1 from tenants limit 1")), _part("redis", app.state.redis.ping())))
    ready = set(parts.values()) == {"ok"}
    return JSONResponse({"status": "ready" if ready else "not ready", "parts": parts}, status_code=200 if ready else 503)


async def version(request: Request) -> Response:
    """What runs here, and at which revision its database is (null while it cannot be asked)."""
    try:
        revision = (await _rows(request.app, "select version_num from alembic_version"))[0]["version_num"]
    except DOWN:
        revision = None
    found = request.app.state.release
    return JSONResponse({"version": found.version, "digest": found.digest, "commit": found.commit, "migration": revision})


async def exposition(request: Request) -> Response:
    """Metrics, with the outbox' depth as it is now; without a database there is no depth rather than an old one."""
    metrics.outbox_depth.clear()
    try:
        for row in await _rows(request.app, "select state, depth from outbox_depth()"):
            metrics.outbox_depth.labels(row["state"]).set(row["depth"])
    except DOWN:
        logs.log.warning("outbox depth is not known")
    return Response(generate_latest(), media_type=web.METRICS_TYPE)


async def menu(request: Request) -> Response:
    pool = request.app.state.pool
    return JSONResponse(await restaurants.menu(pool, await database.find_tenant(pool, request.path_params["slug"])))


def instant(text: str | None) -> datetime:
    """An RFC 3339 instant, now if none is given."""
    if not text:
        return datetime.now(UTC)
    try:
        # A `+` that was not escaped arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise HTTPException(422, "at is no RFC 3339 instant") from None
    if at.tzinfo is None:
        raise HTTPException(422, "at has no offset: end it with Z or +hh:mm")
    return at


async def opening(request: Request) -> Response:
    """Open at an instant? Any instant may be asked of a test tenant, of a real restaurant only now."""
    pool = request.app.state.pool
    tenant = await database.find_tenant(pool, request.path_params["slug"])
    asked = request.query_params.get("at")
    if asked and not tenant.is_test:
        raise HTTPException(403, "only a test restaurant answers for another instant")
    return JSONResponse(await restaurants.open_at(pool, tenant, instant(asked)))


async def take_order(request: Request) -> Response:
    """A guest's order; `restaurant` in the body names where."""
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        raise HTTPException(400, "the body is no JSON") from None
    slug = body.get("restaurant") if isinstance(body, dict) else None
    if not isinstance(slug, str):
        raise HTTPException(422, "wanted restaurant (its name)")
    pool = request.app.state.pool
    tenant = await database.find_tenant(pool, slug)
    taken = await orders.take(pool, tenant, body, "web")
    logs.log.info("order taken", extra={"fields": {"order": taken["id"]}})
    return JSONResponse(taken, status_code=201)


def app() -> Starlette:
    """The API as an application."""
    routes = [
        Route("/readyz", readyz),
        Route("/version", version),
        Route("/metrics", exposition),
        Route("/v1/restaurants/{slug}/menu", menu),
        Route("/v1/restaurants/{slug}/open", opening),
        Route("/v1/orders", take_order, methods=["POST"]),
    ]
    made = web.application(routes, lifespan)
    made.add_exception_handler(HTTPException, web.refused)
    web.answer_503_without_database(made)
    return made
