# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API tokens live here: a short one that is signed (RFC 7519), and one that renews it and is worth something once.

A refresh token that comes a second time was stolen from somebody: its whole family is revoked (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comanda import audit, keys, logs, people, settings, web
from comanda.database import Connection, Tenant
from comanda.sessions import User

AUDIENCE = "comanda-api"
REFRESH_LIFE = timedelta(days=30)
INSERT = "insert into refresh_tokens (id_hash, tenant_id, user_id, family, expires_at) values (%s, %s, %s, %s, now() + %s)"
USE = """select r.user_id, r.family, r.used_at is not null as used, r.revoked_at is not null or r.expires_at <= now() as over, u.email, u.role,
    t.id as tenant_id, t.slug
    from refresh_tokens r join users u on u.id = r.user_id join tenants t on t.id = r.tenant_id where r.id_hash = %s for update of r"""
WHO = """select u.email, u.role, t.id, t.slug, t.name, t.zone, t.currency, t.is_test from users u join tenants t on t.id = u.tenant_id where u.email = %s"""
BEARER = {"WWW-Authenticate": 'Bearer realm="comanda"'}


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _issuer() -> str:
    return settings.value("COMANDA_API_ORIGIN")


async def _pair(connection: Connection, row: dict[str, Any], family: UUID) -> Response:
    """A new access token and the next refresh token of the family."""
    [current, *_] = await keys.generations(connection)
    key, now = keys.key(current), int(time.time())
    claims = {"iss": _issuer(), "aud": AUDIENCE, "sub": row["email"], "role": row["role"], "tenant": row["slug"], "iat": now, "nbf": now}
    claims |= {"exp": now + int(keys.TOKEN_LIFE.total_seconds()), "jti": str(uuid4())}
    access, refresh = jwt.encode({"alg": keys.ALGORITHM, "kid": key.kid, "typ": "at+jwt"}, claims, key), secrets.token_urlsafe(32)
    await connection.execute("select set_config('app.tenant', %s, true)", [str(row["tenant_id"])])
    await connection.execute(INSERT, [_hash(refresh), row["tenant_id"], row["user_id"], family, REFRESH_LIFE])
    told = {"access_token": access, "token_type": "Bearer", "expires_in": int(keys.TOKEN_LIFE.total_seconds()), "refresh_token": refresh}
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def issue(request: Request) -> Response:
    """Tokens for the right password."""
    body = await web.json_object(request)
    email, password = str(body.get("email", ""))[: people.LONGEST_EMAIL], str(body.get("password", ""))
    async with request.app.state.pool.connection() as connection:
        row = await people.find(connection, email)
    right = await run_in_threadpool(people.right, password, row)
    async with request.app.state.pool.connection() as connection, connection.transaction():
        tenant_id, outcome = (row["tenant_id"] if row else None), "done" if right else "denied"
        await audit.record(connection, tenant_id=tenant_id, actor=email, action="login", target="token", outcome=outcome, source_ip=web.source(request))
        if row and right:
            return await _pair(connection, {**row, "user_id": row["id"]}, uuid4())
    raise HTTPException(401, "wrong email or password", BEARER)


async def refresh(request: Request) -> Response:
    """The next pair; a token that was used before ends its family."""
    body = await web.json_object(request)
    given = _hash(str(body.get("refresh_token", "")))
    async with request.app.state.pool.connection() as connection, connection.transaction():
        # Row-level security hides the token until its restaurant is known: a definer's function says which one that is.
        owner = await (await connection.execute("select tenant_of_refresh(%s) as id", [given])).fetchone()
        await connection.execute("select set_config('app.tenant', %s, true)", [str(owner["id"]) if owner and owner["id"] else ""])
        row = await (await connection.execute(USE, [given])).fetchone()
        if row and not row["used"] and not row["over"]:
            await connection.execute("update refresh_tokens set used_at = now() where id_hash = %s", [given])
            return await _pair(connection, row, row["family"])
        if row and row["used"]:
            await connection.execute("update refresh_tokens set revoked_at = now() where family = %s and revoked_at is null", [row["family"]])
            await audit.record(
                connection,
                tenant_id=row["tenant_id"],
                actor=row["email"],
                action="refresh_reused",
                target=f"family {row['family']}",
                outcome="denied",
                source_ip=web.source(request),
            )
            logs.log.warning("refresh token used twice", extra={"fields": {"family": str(row["family"])}})
    raise HTTPException(401, "the refresh token is not valid", BEARER)


async def _claims(connection: Connection, token: str) -> dict[str, Any]:
    """What a token of ours says; 401 for any other. Its kid chooses among our own keys and nothing else of its header is believed."""
    held = {keys.key(generation).kid: keys.key(generation) for generation in await keys.generations(connection)}
    try:
        decoded = jwt.decode(token, lambda guess: held[guess.headers()["kid"]], algorithms=[keys.ALGORITHM])
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": _issuer()},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(decoded.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        logs.log.info("token refused", extra={"fields": {"error": type(error).__name__}})
        raise HTTPException(401, "the token is not valid", {**BEARER, "WWW-Authenticate": 'Bearer realm="comanda", error="invalid_token"'}) from None
    return dict(decoded.claims)


async def bearer(request: Request) -> User:
    """Who sent this, by the token in `Authorization`; 401 if nobody we know. The role is the one of now, not of when the token was made."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "a token is needed", BEARER)
    async with request.app.state.pool.connection() as connection:
        claims = await _claims(connection, token.strip())
        row = await (await connection.execute(WHO, [claims["sub"]])).fetchone()
    if row is None or row["slug"] != claims.get("tenant"):
        raise HTTPException(401, "the user is gone", BEARER)
    logs.tenant.set(row["slug"])
    return User(row.pop("email"), row.pop("role"), Tenant(**row))


async def me(request: Request) -> Response:
    user = await bearer(request)
    return JSONResponse({"email": user.email, "role": user.role, "restaurant": user.tenant.slug}, headers={"Cache-Control": "no-store"})


async def jwks(request: Request) -> Response:
    async with request.app.state.pool.connection() as connection:
        held = await keys.generations(connection)
    return JSONResponse(keys.jwks(held), headers={"Cache-Control": f"public, max-age={int(keys.JWKS_CACHE.total_seconds())}"})


ROUTES = [
    Route("/.well-known/jwks.json", jwks),
    Route("/v1/token", issue, methods=["POST"]),
    Route("/v1/token/refresh", refresh, methods=["POST"]),
    Route("/v1/me", me),
]
