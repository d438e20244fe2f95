# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restaurant's panel lives here (admin., port 8001): login, logout and the list of open orders. Owners and employees come in.

The list says `data-live=on` while its events come; until then, and while they don't, it is as it was when it was last asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from comanda import audit, database, logs, orders, panel_routes, people, queue, sessions, settings, web

PORT = 8001
templates = Jinja2Templates(Path(__file__).parent / "templates")
templates.env.filters["money"] = lambda minor: f"{minor // 100:,}.{minor % 100:02d}"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.key = settings.secret("SESSION_KEY")
    app.state.origin = settings.value("COMANDA_ADMIN_ORIGIN")
    app.state.redis = queue.async_client()
    people.nobody()
    async with database.lifespan(app):
        yield
    await app.state.redis.aclose()


async def _guarded(request: Request) -> None:
    """403 unless our own page sent this."""
    sent = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf", ""))
    if not sessions.csrf_holds(request.app.state.key, request, sent, request.app.state.origin):
        raise HTTPException(403, "the form is not ours or too old")


def _login_page(request: Request, wrong: bool, status: int = 200) -> Response:
    token = sessions.csrf_token(request.app.state.key, "")
    response = templates.TemplateResponse(request, "login.html", {"csrf": token, "wrong": wrong, "pages": []}, status_code=status)
    response.delete_cookie(sessions.COOKIE, secure=True, httponly=True, samesite="lax")
    response.set_cookie(sessions.CSRF, token, secure=True, samesite="strict")
    return response


async def login_form(request: Request) -> Response:
    return _login_page(request, wrong=False)


async def login(request: Request) -> Response:
    """A new session for the right password; either way it is written down who tried."""
    await _guarded(request)
    form = await request.form()
    email, password = str(form.get("email", ""))[: people.LONGEST_EMAIL], str(form.get("password", ""))
    async with request.app.state.pool.connection() as connection:
        row = await people.find(connection, email)
    # Outside the connection: the comparison is slow on purpose.
    right = await run_in_threadpool(people.right, password, row)
    async with request.app.state.pool.connection() as connection:
        tenant_id, outcome = (row["tenant_id"] if row else None), "done" if right else "denied"
        await audit.record(connection, tenant_id=tenant_id, actor=email, action="login", target="session", outcome=outcome, source_ip=web.source(request))
        # The session that came along ends: what somebody else may have planted is worth nothing.
        await sessions.end(connection, request)
        session = await sessions.start(connection, row["id"], row["tenant_id"]) if row and right else None
    if session is None:
        return _login_page(request, wrong=True, status=401)
    response = RedirectResponse("/orders", status_code=303)
    sessions.give(response, request.app.state.key, session)
    return response


async def logout(request: Request) -> Response:
    """Kill the session, here and on the server."""
    await _guarded(request)
    async with request.app.state.pool.connection() as connection, connection.transaction():
        if user := await sessions.find(connection, request):
            await audit.of_user(connection, request, user, "logout", "session")
        await sessions.end(connection, request)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(sessions.COOKIE, secure=True, httponly=True, samesite="lax")
    return response


async def order_list(request: Request) -> Response:
    """The open orders of one's own restaurant."""
    async with request.app.state.pool.connection() as connection:
        user = await sessions.find(connection, request)
    if user is None:
        return RedirectResponse("/login", status_code=303)
    logs.tenant.set(user.tenant.slug)
    open_orders = await orders.live(request.app.state.pool, user.tenant)
    context = {"user": user, "orders": open_orders, "csrf": request.cookies.get(sessions.CSRF, ""), "pages": []}
    return templates.TemplateResponse(request, "orders.html", context, headers={"Cache-Control": "no-store"})


async def home(request: Request) -> Response:
    return RedirectResponse("/orders", status_code=303)


def app() -> Starlette:
    """The panel as an application."""
    routes = [
        Route("/", home),
        Route("/login", login_form),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/orders", order_list),
        *panel_routes.ROUTES,
    ]
    made = web.application(routes, lifespan)
    made.add_exception_handler(HTTPException, web.refused)
    web.answer_503_without_database(made)
    return made
