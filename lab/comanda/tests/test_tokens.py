# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API tokens: who gets one, what it opens, how keys change, and what a stolen refresh token is worth."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from conftest import ADMIN, API, PASSWORDS, World
from cryptography.hazmat.primitives import serialization


def by_hmac(kid: str, claims: dict[str, Any], secret: bytes) -> str:
    """HS256 under what everybody knows, the public key: what a verifier that believes `alg` falls for. PyJWT refuses to make it."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims)]
    digest = hmac.new(secret, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(digest).rstrip(b"=")]).decode()


def pair(world: World, user: str = "owner@a.test") -> dict[str, Any]:
    answer = world.api.client.post("/v1/token", json={"email": user, "password": PASSWORDS[user]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def me(world: World, token: str) -> int:
    return world.api.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def renew(world: World, token: str) -> Any:
    return world.api.client.post("/v1/token/refresh", json={"refresh_token": token})


def jwks(world: World) -> list[dict[str, str]]:
    found: list[dict[str, str]] = world.api.client.get("/.well-known/jwks.json").json()["keys"]
    return found


def test_a_token_of_ours_as_others_read_it(world: World) -> None:
    """PyJWT, which we don't use, verifies it with the published key."""
    given = pair(world)
    kid = jwt.get_unverified_header(given["access_token"])["kid"]
    [key] = [key for key in jwks(world) if key["kid"] == kid]
    claims = jwt.decode(given["access_token"], jwt.PyJWK(key).key, algorithms=["ES256"], audience="comanda-api", issuer=API)
    assert (claims["sub"], claims["tenant"], claims["exp"] - claims["iat"]) == ("owner@a.test", "test-bogota", 900)
    assert given["expires_in"] == 900
    answer = world.api.client.get("/v1/me", headers={"Authorization": f"Bearer {given['access_token']}"})
    assert answer.json() == {"email": "owner@a.test", "role": "owner", "restaurant": "test-bogota"}


def test_who_gets_none(world: World) -> None:
    wrong = ({"email": "owner@a.test", "password": "x"}, {"email": "nobody@a.test", "password": ""}, {})
    for body in wrong:
        assert world.api.client.post("/v1/token", json=body, headers={"X-Request-ID": "golive-denied-1"}).status_code == 401
    assert world.api.client.post("/v1/token", content=b"{").status_code == 400
    rows = world.postgres.rows("select actor, outcome from audit_log where request_id = 'golive-denied-1' order by id")
    assert rows == [("owner@a.test", "denied"), ("nobody@a.test", "denied"), ("", "denied")]


def test_orders_want_one(world: World, cid: str) -> None:
    body = {"items": [{"sku": "TEST-1", "quantity": 1}], "note": cid}
    answer = world.api.client.post("/v1/orders", json=body)
    assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    headers = {**world.token(), "X-Request-ID": cid}
    for wrong in ({**body, "items": []}, {**body, "items": [{"sku": "NONE", "quantity": 1}]}, {**body, "phone": "abc"}, []):
        assert world.api.client.post("/v1/orders", json=wrong, headers=headers).status_code == 422
    assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(0,)]
    taken = world.api.client.post("/v1/orders", json={**body, "phone": "+573001234567"}, headers=headers)
    assert (taken.status_code, taken.json()["note"], taken.json()["total_minor"]) == (201, cid, 100)
    [(template, values)] = world.postgres.rows("select body ->> 'template', body -> 'values' from outbox where cid = %s and kind = 'whatsapp'", cid)
    assert (template, values) == ("order_confirmed", [str(taken.json()["number"]), "1.00 COP"])


def test_rotation(world: World) -> None:
    before, old = jwks(world), pair(world)
    assert len({key["kid"] for key in before}) == len(before) >= 2
    assert all(not {"d", "p", "q", "k"} & key.keys() and (key["kty"], key["alg"], key["use"]) == ("EC", "ES256", "sig") for key in before)
    assert world.command("keys", "rotate", COMANDA_REQUEST_ID="golive-rotation-1").startswith("rotated: ")
    new = pair(world)
    kids = [jwt.get_unverified_header(given["access_token"])["kid"] for given in (old, new)]
    assert kids[0] != kids[1]
    assert kids[1] in {key["kid"] for key in before}, "the next key is published before it signs"
    assert set(kids) < {key["kid"] for key in jwks(world)}
    assert (me(world, old["access_token"]), me(world, new["access_token"])) == (200, 200)
    assert world.postgres.rows("select action, outcome from audit_log where request_id = 'golive-rotation-1'") == [("rotate_keys", "done")]


def test_a_replaced_key_ends_when_its_tokens_are_over(world: World) -> None:
    import psycopg

    old = pair(world)
    world.command("keys", "rotate")
    age = "update key_generations set activated_at = activated_at - make_interval(secs => %s) where generation = (select max(generation) from key_generations)"
    with psycopg.connect(world.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(age, [950])
        assert me(world, old["access_token"]) == 200
        connection.execute(age, [15])
        assert me(world, old["access_token"]) == 401
    assert jwt.get_unverified_header(old["access_token"])["kid"] not in {key["kid"] for key in jwks(world)}


def test_tokens_that_are_not_ours(world: World) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    good = pair(world)["access_token"]
    kid, claims = jwt.get_unverified_header(good)["kid"], jwt.decode(good, options={"verify_signature": False})
    [public] = [key for key in jwks(world) if key["kid"] == kid]
    mine = ec.generate_private_key(ec.SECP256R1())
    forged = [
        jwt.encode(claims, "", algorithm="none", headers={"kid": kid}),
        by_hmac(kid, claims, json.dumps(public).encode()),
        by_hmac(kid, claims, jwt.PyJWK(public).key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)),
        jwt.encode(claims, mine, algorithm="ES256", headers={"kid": kid}),
        jwt.encode(claims, mine, algorithm="ES256", headers={"kid": "../../dev/null"}),
        jwt.encode(claims, mine, algorithm="ES256", headers={"kid": "' or 1=1 --"}),
        jwt.encode(claims, mine, algorithm="ES256", headers={"kid": kid, "jku": "https://evil.example/jwks.json"}),
        jwt.encode(claims, mine, algorithm="ES256"),
        good[:-4] + "AAAA",
        good + "x",
        "x.y.z",
        ".",
    ]
    assert {me(world, token) for token in forged} == {401}
    assert me(world, good) == 200


@pytest.mark.parametrize("change", [{"exp": 1}, {"iss": "https://evil.example"}, {"aud": "another"}, {"nbf": int(time.time()) + 600}, {"sub": None}])
def test_claims(world: World, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed with our own key, and still not for us or not for now."""
    from comanda import keys

    monkeypatch.setenv("JWT_KEY", world.environment["JWT_KEY"])
    keys.key.cache_clear()
    [(generation,)] = world.postgres.rows("select max(generation) from key_generations")
    key = keys.key(generation)
    claims = {**jwt.decode(pair(world)["access_token"], options={"verify_signature": False})}
    pem = key.as_pem(private=True)
    assert me(world, jwt.encode(claims, pem, algorithm="ES256", headers={"kid": key.kid})) == 200
    changed = {name: value for name, value in {**claims, **change}.items() if value is not None}
    assert me(world, jwt.encode(changed, pem, algorithm="ES256", headers={"kid": key.kid})) == 401


def test_a_refresh_token_is_worth_something_once(world: World) -> None:
    first = pair(world)["refresh_token"]
    second = renew(world, first)
    assert second.status_code == 200
    assert me(world, second.json()["access_token"]) == 200
    other = pair(world)["refresh_token"]
    assert renew(world, first).status_code == 401
    # The whole family went with it, and no other.
    assert renew(world, second.json()["refresh_token"]).status_code == 401
    assert renew(world, other).status_code == 200
    assert renew(world, "unknown").status_code == 401
    [(reused,)] = world.postgres.rows("select count(*) from audit_log where action = 'refresh_reused' and actor = 'owner@a.test' and outcome = 'denied'")
    assert reused == 1


def test_only_our_pages_may_call_with_credentials(world: World) -> None:
    for path in ("/v1/me", "/v1/orders", "/none"):
        asked = {"Origin": ADMIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        allowed = world.api.client.options(path, headers=asked)
        assert (allowed.headers["access-control-allow-origin"], allowed.headers["access-control-allow-credentials"]) == (ADMIN, "true")
        assert "Origin" in allowed.headers["vary"]
        for evil in ("https://evil.example", "null", f"{ADMIN}.evil.example", "https://adminXcomanda.test", "http://admin.comanda.test"):
            assert "access-control-allow-origin" not in world.api.client.options(path, headers={**asked, "Origin": evil}).headers
            assert "access-control-allow-origin" not in world.api.client.get(path, headers={"Origin": evil}).headers


def test_description(world: World) -> None:
    paths = world.api.client.get("/openapi.json").json()["paths"]
    assert paths["/v1/orders"]["post"]["servers"] == [{"url": API}]
    assert paths["/api/orders/{order}/close"]["post"]["servers"] == [{"url": ADMIN}]
    assert "get" not in paths["/v1/orders"]
    who = {f"{method} {path}": [name for one in told["security"] for name in one] for path, place in paths.items() for method, told in place.items()}
    open_to_all = {route for route, names in who.items() if not names}
    for route in open_to_all - {route for route in who if "{slug}" in route or "/webhooks/" in route or "/token" in route}:
        method, path = route.split()
        assert world.api.client.request(method, path).status_code == 200, route
    for route in who.keys() - open_to_all:
        method, path = route.split()
        place = path.format(slug="test-bogota", order=uuid4(), day="2026-12-31", id=0) + ("?cid=x" if "/test/" in path else "")
        client = world.panel.client if who[route] == ["session"] else world.api.client
        assert client.request(method, place, json={}).status_code == 401, route
