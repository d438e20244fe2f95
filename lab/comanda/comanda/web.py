# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every web process of ours shares lives here: ids, one log line and metrics for each request, liveness, and the server itself."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from json import JSONDecodeError
from typing import Any
from uuid import uuid4

import psycopg
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from comanda import logs, metrics, settings

REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
METRICS_TYPE = CONTENT_TYPE_LATEST
# Asked every few seconds by machines: counted, not logged.
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Observed:
    """Gives each request its ids, and afterwards one log line and its metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        trace = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid4())
        logs.request_id.set(request_id)
        logs.trace_id.set(trace[1] if trace else secrets.token_hex(16))
        status, started = 500, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            elapsed = time.perf_counter() - started
            # The route's pattern, never the path: a path would make a new series for every order.
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(scope["method"], route, str(status)).inc()
            metrics.duration.labels(scope["method"], route).observe(elapsed)
            if route not in QUIET:
                fields = {"method": scope["method"], "path": scope["path"], "status": status, "duration_ms": round(elapsed * 1000, 1)}
                logs.log.info("request answered", extra={"fields": fields})


async def json_object(request: Request) -> dict[str, Any]:
    """The body, if it is a JSON object."""
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(422, "the body is no JSON object")
    return body


def source(request: Request) -> str | None:
    """Where it came from, as the edge saw it."""
    return request.client.host if request.client else None


async def healthz(request: Request) -> Response:
    """Alive: the process answers. Says nothing about its parts."""
    return JSONResponse({"status": "alive"})


async def exposition(request: Request) -> Response:
    """This process' metrics."""
    return Response(generate_latest(), media_type=METRICS_TYPE)


async def refused(request: Request, error: Any) -> Response:
    """A request that we do not grant, in the words of JSON."""
    return JSONResponse({"error": error.detail, "request_id": logs.request_id.get()}, status_code=error.status_code, headers=error.headers)


async def failed(request: Request, error: Exception) -> Response:
    """Tell the guest only the id under which the journal has the rest."""
    logs.log.error("request failed", exc_info=error)
    return JSONResponse({"error": "internal", "request_id": logs.request_id.get()}, status_code=500)


async def unavailable(request: Request, error: Exception) -> Response:
    """The database does not answer: 503, so that a sender tries again."""
    logs.log.error("database does not answer", extra={"fields": {"error": type(error).__name__}})
    return JSONResponse({"error": "unavailable", "request_id": logs.request_id.get()}, status_code=503, headers={"Retry-After": "5"})


def answer_503_without_database(app: Starlette) -> None:
    """For the processes that cannot answer without Postgres."""
    for kind in (psycopg.OperationalError, PoolTimeout):
        app.add_exception_handler(kind, unavailable)


def application(routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None, inside: Sequence[Middleware] = ()) -> Starlette:
    """A web process: its own routes, and those that all of them have."""
    shared = [Route("/healthz", healthz), Route("/metrics", exposition)]
    return Starlette(routes=[*routes, *shared], lifespan=lifespan, middleware=[Middleware(Observed), *inside], exception_handlers={Exception: failed})


def serve(app: Starlette, port: int) -> None:
    """Run until SIGTERM. Access lines are ours, so uvicorn's are off; forwarded headers are believed from the edge alone."""
    options: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "timeout_graceful_shutdown": 10}
    uvicorn.run(
        app,
        host=settings.value("COMANDA_LISTEN", "127.0.0.1"),
        port=settings.number("COMANDA_PORT", port),
        forwarded_allow_ips=settings.value("COMANDA_EDGE", "127.0.0.1"),
        **options,
    )
