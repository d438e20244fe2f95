# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's JSON API lives here: orders, hours, users, what is not working, and live events. People of one restaurant come in, by their session.

Every act and every refusal of one is written down, in the act's own transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, time
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from redis.exceptions import RedisError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comanda import audit, conversations, degraded, logs, orders, outbox, passwords, people, queue, restaurants, sessions, web
from comanda.database import Connection, of_tenant
from comanda.sessions import User

LONGEST_NOTE = 500
LONGEST_REASON = 500
NO_STORE = {"Cache-Control": "no-store"}
NOTE = """insert into notices (tenant_id, holiday_note) values (%s, %s)
    on conflict (tenant_id) do update set holiday_note = excluded.holiday_note, updated_at = now()"""
REFUND = """insert into payments (tenant_id, order_id, provider, event_id, amount_minor, currency) select %s, %s, 'panel', %s, %s, currency from orders
    where id = %s on conflict do nothing"""


async def user_of(request: Request) -> User:
    """Who is logged in; 401 if nobody."""
    async with request.app.state.pool.connection() as connection:
        user = await sessions.find(connection, request)
    if user is None:
        raise HTTPException(401, "not logged in")
    logs.tenant.set(user.tenant.slug)
    return user


async def acting(request: Request, action: str, target: str, *roles: str) -> User:
    """Who may do this: logged in, from our own page, in one of these roles (none: any). A refusal by role is written down."""
    user = await user_of(request)
    sent = request.headers.get("x-csrf-token", "")
    if not sessions.csrf_holds(request.app.state.key, request, sent, request.app.state.origin):
        raise HTTPException(403, "the request is not from our page, or that one is too old")
    if roles and user.role not in roles:
        async with request.app.state.pool.connection() as connection:
            await audit.of_user(connection, request, user, action, target, outcome="denied")
        raise HTTPException(403, f"only for: {', '.join(roles)}")
    return user


async def _owner(request: Request) -> User:
    user = await user_of(request)
    if user.role != "owner":
        raise HTTPException(403, "only for: owner")
    return user


async def me(request: Request) -> Response:
    """Who am I?"""
    user = await user_of(request)
    return JSONResponse({"email": user.email, "role": user.role, "restaurant": user.tenant.slug}, headers=NO_STORE)


async def order_list(request: Request) -> Response:
    """The open orders, oldest first."""
    user = await user_of(request)
    return JSONResponse({"orders": await orders.live(request.app.state.pool, user.tenant)}, headers=NO_STORE)


def _order(request: Request) -> UUID:
    found: UUID = request.path_params["order"]
    return found


async def read_order(request: Request) -> Response:
    """One order."""
    user = await user_of(request)
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        return JSONResponse(await orders.read(connection, _order(request)), headers=NO_STORE)


async def close_order(request: Request) -> Response:
    """The order is ready: the guest is told, once. Closing it again changes nothing."""
    user = await acting(request, "close", f"order {_order(request)}")
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        before = await orders.read(connection, _order(request), lock=True)
        if before["state"] == "open":
            await connection.execute("update orders set state = 'closed', closed_at = now() where id = %s", [_order(request)])
            await outbox.put(connection, user.tenant.id, "order_closed", {"order": before["id"], "number": before["number"]}, before["cid"])
            await conversations.tell_ready(connection, user.tenant, before)
        after = await orders.read(connection, _order(request))
        states = [{"state": order["state"]} for order in (before, after)]
        await audit.of_user(connection, request, user, "close", f"order {before['id']}", before=states[0], after=states[1])
    return JSONResponse(after, headers=NO_STORE)


async def refund_order(request: Request) -> Response:
    """Give back what was paid; what was not paid gives nothing back, and it is written down all the same."""
    user = await acting(request, "refund", f"order {_order(request)}", "owner")
    reason = (await web.json_object(request)).get("reason")
    if not isinstance(reason, str) or not 0 < len(reason) <= LONGEST_REASON:
        raise HTTPException(422, f"wanted a reason of at most {LONGEST_REASON} letters")
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        before = await orders.read(connection, _order(request), lock=True)
        if (paid := before["paid_minor"]) > 0:
            event = f"refund:{before['id']}:{before['refunded_minor'] + paid}"
            await connection.execute(REFUND, [user.tenant.id, before["id"], event, -paid, before["id"]])
            await connection.execute("update orders set refunded_minor = refunded_minor + %s where id = %s", [paid, before["id"]])
        after = await orders.read(connection, _order(request))
        money = [{name: order[name] for name in ("paid_minor", "refunded_minor")} for order in (before, after)]
        await audit.of_user(connection, request, user, "refund", f"order {before['id']}", before=money[0], after={**money[1], "reason": reason})
    return JSONResponse(after, headers=NO_STORE)


async def _hours(connection: Connection, user: User) -> dict[str, Any]:
    found = await restaurants.hours_of(connection, user.tenant)
    row = await (await connection.execute("select holiday_note from notices")).fetchone()
    week = {str(day): restaurants.written(found.week.get(day, ())) for day in range(7)}
    special = {day.isoformat(): restaurants.written(shifts) for day, shifts in sorted(found.special.items())}
    return {"zone": found.zone, "week": week, "special_days": special, "holiday_note": row["holiday_note"] if row else ""}


async def read_hours(request: Request) -> Response:
    """The week, the special days, and the note about holidays."""
    user = await user_of(request)
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        return JSONResponse(await _hours(connection, user), headers=NO_STORE)


def _shifts(value: Any) -> list[tuple[time, time]]:
    """`["12:00-15:30", …]`, in order and apart from each other; 422 for anything else."""
    try:
        pairs = [shift.split("-") for shift in value]
        found = sorted((time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in pairs)
    except (AttributeError, TypeError, ValueError):
        raise HTTPException(422, 'shifts are written ["12:00-15:30", "20:00-02:00"]') from None
    for (_, closes), (opens, _) in pairwise(found):
        if opens < closes:
            raise HTTPException(422, "shifts overlap")
    if any(closes <= opens for opens, closes in found[:-1]):
        raise HTTPException(422, "only the last shift may end on the next day")
    return found


async def _change_hours(request: Request, action: str, change: Any) -> Response:
    user = await acting(request, action, "hours", "owner")
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        before = await _hours(connection, user)
        await change(connection, user.tenant.id)
        after = await _hours(connection, user)
        changed = [name for name in after if before[name] != after[name]]
        states = [{name: hours[name] for name in changed} for hours in (before, after)]
        await audit.of_user(connection, request, user, action, "hours", before=states[0], after=states[1])
    return JSONResponse(after, headers=NO_STORE)


async def write_note(request: Request) -> Response:
    """The note about holidays."""

    async def change(connection: Connection, tenant_id: int) -> None:
        note = (await web.json_object(request)).get("note")
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise HTTPException(422, f"wanted a note of at most {LONGEST_NOTE} letters")
        await connection.execute(NOTE, [tenant_id, note])

    return await _change_hours(request, "holiday_note", change)


async def write_week(request: Request) -> Response:
    """The whole week anew: `{"week": {"0": ["12:00-15:30"], …}}`, 0 is Monday, a day that is missing is closed."""

    async def change(connection: Connection, tenant_id: int) -> None:
        week = (await web.json_object(request)).get("week")
        if not isinstance(week, dict) or not set(week) <= set("0123456"):
            raise HTTPException(422, "wanted week, its days from 0 (Monday) to 6")
        rows = [[tenant_id, int(day), *shift] for day, shifts in week.items() for shift in _shifts(shifts)]
        await connection.execute("delete from business_hours")
        await connection.cursor().executemany("insert into business_hours (tenant_id, weekday, opens, closes) values (%s, %s, %s, %s)", rows)

    return await _change_hours(request, "hours", change)


async def write_day(request: Request) -> Response:
    """One special day: `{"shifts": […]}`, none for closed; DELETE makes it a day like any other."""
    try:
        day = date.fromisoformat(request.path_params["day"])
    except ValueError:
        raise HTTPException(422, "wanted a day such as 2026-12-24") from None

    async def change(connection: Connection, tenant_id: int) -> None:
        shifts: list[Any] = []
        if request.method == "PUT":
            shifts = _shifts((await web.json_object(request)).get("shifts")) or [(None, None)]
        await connection.execute("delete from special_days where day = %s", [day])
        rows = [[tenant_id, day, *shift] for shift in shifts]
        await connection.cursor().executemany("insert into special_days (tenant_id, day, opens, closes) values (%s, %s, %s, %s)", rows)

    return await _change_hours(request, "special_day", change)


async def user_list(request: Request) -> Response:
    """The people of this restaurant."""
    user = await _owner(request)
    async with request.app.state.pool.connection() as connection:
        query = "select id, email, role, created_at::text from users where tenant_id = %s order by email"
        found = await (await connection.execute(query, [user.tenant.id])).fetchall()
    return JSONResponse({"users": found}, headers=NO_STORE)


def _role(body: dict[str, Any]) -> str:
    if (role := body.get("role")) not in ("owner", "employee"):
        raise HTTPException(422, "a role is owner or employee")
    return str(role)


async def invite(request: Request) -> Response:
    """A new person, who gets a mail and has no password that anybody knows."""
    user = await acting(request, "invite", "user", "owner")
    body = await web.json_object(request)
    email, role = body.get("email"), _role(body)
    if not isinstance(email, str) or email.count("@") != 1 or not 3 <= len(email) <= people.LONGEST_EMAIL or any(letter.isspace() for letter in email):
        raise HTTPException(422, "wanted an email")
    kept = passwords.keep(passwords.unknown())
    insert = "insert into users (tenant_id, email, role, password_hash) values (%s, %s, %s, %s) returning id"
    try:
        async with of_tenant(request.app.state.pool, user.tenant) as connection:
            [row] = await (await connection.execute(insert, [user.tenant.id, email, role, kept])).fetchall()
            text = f"{user.email} te invita al panel de {user.tenant.name}. Pide tu contraseña a soporte: {request.app.state.origin}/login"
            await outbox.put(connection, user.tenant.id, "mail", {"to": email, "subject": "Tu acceso a comanda", "text": text}, logs.request_id.get())
            await audit.of_user(connection, request, user, "invite", f"user {email}", after={"role": role})
    except UniqueViolation:
        raise HTTPException(409, "this email is known already") from None
    return JSONResponse({"id": row["id"], "email": email, "role": role}, status_code=201, headers=NO_STORE)


async def change_role(request: Request) -> Response:
    """Another role; whoever has it now logs in anew."""
    user = await acting(request, "change_role", f"user {request.path_params['id']}", "owner")
    role, who = _role(await web.json_object(request)), request.path_params["id"]
    async with of_tenant(request.app.state.pool, user.tenant) as connection:
        query = "select id, email, role from users where id = %s and tenant_id = %s for update"
        row = await (await connection.execute(query, [who, user.tenant.id])).fetchone()
        if row is None:
            raise HTTPException(404, "no such user")
        if row["email"] == user.email:
            raise HTTPException(409, "nobody changes their own role")
        await connection.execute("update users set role = %s where id = %s", [role, who])
        await connection.execute("delete from sessions where user_id = %s", [who])
        await connection.execute("update refresh_tokens set revoked_at = now() where user_id = %s and revoked_at is null", [who])
        await audit.of_user(connection, request, user, "change_role", f"user {row['email']}", before={"role": row["role"]}, after={"role": role})
    return JSONResponse({"id": who, "email": row["email"], "role": role}, headers=NO_STORE)


async def status(request: Request) -> Response:
    """What is not working just now, for the banner."""
    user = await user_of(request)
    return JSONResponse({"degraded": await degraded.parts(request.app.state.pool, request.app.state.redis, user.tenant)}, headers=NO_STORE)


async def _events(request: Request, user: User) -> AsyncIterator[ServerSentEvent]:
    """`ready` once we listen (and so nothing more is missed), then one `order` for each change. Redis that goes is said, and waited for."""
    while True:
        try:
            async with request.app.state.redis.pubsub() as listening:
                await listening.subscribe(queue.events(user.tenant.slug))
                # The confirmation: only what is published after it is sure to come.
                await listening.get_message(timeout=queue.TIMEOUT_S)
                yield ServerSentEvent(json.dumps({"restaurant": user.tenant.slug}), event="ready")
                while True:
                    message = await listening.get_message(ignore_subscribe_messages=True, timeout=1.0)
                    if message is not None:
                        yield ServerSentEvent(message["data"].decode(), event="order")
        except RedisError as error:
            logs.log.warning("part is down", extra={"fields": {"part": "redis", "error": type(error).__name__}})
            yield ServerSentEvent(json.dumps({"part": "redis"}), event="interrupted")
            await asyncio.sleep(1)


async def events(request: Request) -> Response:
    """Live events of one's own restaurant (server-sent events)."""
    return EventSourceResponse(_events(request, await user_of(request)), ping=15, headers={**NO_STORE, "X-Accel-Buffering": "no"})


ROUTES = [
    Route("/api/me", me),
    Route("/api/events", events),
    Route("/api/status", status),
    Route("/api/orders", order_list),
    Route("/api/orders/{order:uuid}", read_order),
    Route("/api/orders/{order:uuid}/close", close_order, methods=["POST"]),
    Route("/api/orders/{order:uuid}/refund", refund_order, methods=["POST"]),
    Route("/api/hours", read_hours),
    Route("/api/hours", write_week, methods=["PUT"]),
    Route("/api/hours/holiday-note", write_note, methods=["PUT"]),
    Route("/api/hours/special-days/{day}", write_day, methods=["PUT", "DELETE"]),
    Route("/api/users", user_list),
    Route("/api/users", invite, methods=["POST"]),
    Route("/api/users/{id:int}", change_role, methods=["PUT"]),
]
