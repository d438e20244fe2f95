# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of the panel live here: a cookie the browser guards, its hash in Postgres, and the token that a form must bring along.

The CSRF token is bound to the session (before login: to nothing) by the session key, so that one's own token opens nobody else's form.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from comanda.database import Connection, Tenant

# `__Host-`: the browser takes it over TLS only, for this host only, for the whole of it.
COOKIE, CSRF = "__Host-session", "csrf"
LIFE = timedelta(hours=12)

FIND = """select u.email, u.role, t.id, t.slug, t.name, t.zone, t.currency, t.is_test
    from sessions s join users u on u.id = s.user_id join tenants t on t.id = s.tenant_id where s.id_hash = %s and s.expires_at > now()"""


@dataclass(frozen=True)
class User:
    """Who is logged in, and where."""

    email: str
    role: str
    tenant: Tenant


def _hash(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()


async def start(connection: Connection, user_id: int, tenant_id: int) -> str:
    """A new session, under an id that nobody has seen before."""
    session = secrets.token_urlsafe(32)
    insert = "insert into sessions (id_hash, tenant_id, user_id, expires_at) values (%s, %s, %s, now() + %s)"
    await connection.execute(insert, [_hash(session), tenant_id, user_id, LIFE])
    return session


async def find(connection: Connection, request: Request) -> User | None:
    """Who sent this request; None if nobody we know."""
    row = await (await connection.execute(FIND, [_hash(request.cookies.get(COOKIE, ""))])).fetchone()
    return User(row.pop("email"), row.pop("role"), Tenant(**row)) if row else None


async def end(connection: Connection, request: Request) -> None:
    """Logout: the id is worth nothing from now on, whoever kept it."""
    await connection.execute("delete from sessions where id_hash = %s", [_hash(request.cookies.get(COOKIE, ""))])


def csrf_token(key: str, session: str) -> str:
    """The token of a session."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{hmac.new(key.encode(), f'{nonce}.{session}'.encode(), hashlib.sha256).hexdigest()}"


def csrf_holds(key: str, request: Request, sent: str, origin: str) -> bool:
    """The token sent is the cookie's, was made for this session, and the page that sent it is ours."""
    cookie, session = request.cookies.get(CSRF, ""), request.cookies.get(COOKIE, "")
    nonce, _, mac = sent.partition(".")
    made = hmac.new(key.encode(), f"{nonce}.{session}".encode(), hashlib.sha256).hexdigest()
    same = hmac.compare_digest(cookie.encode(), sent.encode()) and hmac.compare_digest(mac.encode(), made.encode())
    return same and request.headers.get("origin", origin) == origin


def give(response: Response, key: str, session: str) -> None:
    """Put the session, if there is one, and its CSRF token into the browser."""
    if session:
        response.set_cookie(COOKIE, session, max_age=int(LIFE.total_seconds()), secure=True, httponly=True, samesite="lax")
    response.set_cookie(CSRF, csrf_token(key, session), secure=True, samesite="strict")
