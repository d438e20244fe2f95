# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API lives here (api., port 8000): health, version, menus, opening hours, orders, tokens and webhooks.

Our own pages, restaurants' programs and providers come in.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from prometheus_client import generate_latest
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comanda import (
    conversations,
    database,
    degraded,
    logs,
    metrics,
    openapi,
    orders,
    people,
    queue,
    release,
    restaurants,
    settings,
    testing,
    tokens,
    web,
    webhooks,
)

PORT = 8000
# What a part that does not answer looks like from here.
DOWN = (psycopg.Error, PoolTimeout, RedisError, OSError, TimeoutError)
PART_TIMEOUT_S = 3.0
# ITU-T E.164: at most fifteen digits after the plus.
PHONE = re.compile(r"\+[1-9]\d{6,14}")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.release = release.running()
    app.state.redis = queue.async_client()
    people.nobody()
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
    """An order for the caller's own restaurant; with `phone`, the guest gets a confirmation by WhatsApp."""
    user = await tokens.bearer(request)
    body = await web.json_object(request)
    asked, note = orders.wanted(body)
    phone, cid = body.get("phone"), logs.request_id.get()
    if phone is not None and not (isinstance(phone, str) and PHONE.fullmatch(phone)):
        raise HTTPException(422, "phone is no number such as +573001234567")
    async with database.of_tenant(request.app.state.pool, user.tenant) as connection:
        customer = await conversations.customer(connection, user.tenant, phone, None) if phone else None
        taken = await orders.take(connection, user.tenant, orders.Wanted(asked, note, "web", customer), cid)
        if phone:
            await conversations.send_template(connection, user.tenant, phone, "order_confirmed", [str(taken["number"]), taken["total"]], cid)
    logs.log.info("order taken", extra={"fields": {"order": taken["id"]}})
    return JSONResponse(taken, status_code=201)


async def payment_methods(request: Request) -> Response:
    """How one can pay just now."""
    return JSONResponse({"methods": await degraded.payment_methods()}, headers={"Cache-Control": "no-store"})


async def description(request: Request) -> Response:
    """This API and the panel's, for programs."""
    return JSONResponse(openapi.document(request.app.state.release.version, routes()))


def routes() -> list[Route]:
    """What the API answers."""
    own = [
        Route("/readyz", readyz),
        Route("/version", version),
        Route("/metrics", exposition),
        Route("/openapi.json", description),
        Route("/v1/restaurants/{slug}/menu", menu),
        Route("/v1/restaurants/{slug}/open", opening),
        Route("/v1/orders", take_order, methods=["POST"]),
        Route("/v1/payment-methods", payment_methods),
    ]
    return [*own, *tokens.ROUTES, *testing.ROUTES, *webhooks.ROUTES]


def app() -> Starlette:
    """The API as an application. Our own pages, and no others, may call it with credentials."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.value("COMANDA_ORIGINS").split(),
        allow_credentials=True,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["X-Request-ID", "Retry-After"],
    )
    made = web.application(routes(), lifespan, [cors])
    made.add_exception_handler(HTTPException, web.refused)
    web.answer_503_without_database(made)
    return made
