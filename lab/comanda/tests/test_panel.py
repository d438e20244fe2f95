# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel: sessions, who may do what, and that every act is written down."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from conftest import ADMIN, PASSWORDS, PHONE, World, text
from servers import until


def an_order(world: World, cid: str) -> str:
    world.whatsapp(text(f"2 arepas {cid}"))
    [(order,)] = world.postgres.rows("select id::text from orders where cid = %s", cid)
    return str(order)


def acts(world: World, cid: str) -> list[tuple[Any, ...]]:
    return world.postgres.rows("select actor, action, outcome, before, after from audit_log where request_id = %s order by id", cid)


def test_login_gives_a_new_session_and_logout_ends_it(world: World) -> None:
    base = world.panel.client.base_url
    csrf = httpx.get(f"{base}/login").cookies["csrf"]
    planted = f"__Host-session=planted; csrf={csrf}"
    form = {"email": "owner@a.test", "password": PASSWORDS["owner@a.test"], "csrf": csrf}
    # A token of before any session does not fit a session that came along.
    assert httpx.post(f"{base}/login", data=form, headers={"Cookie": planted}).status_code == 403
    browser = world.log_in("owner@a.test")
    assert browser.get("/api/me").json()["role"] == "owner"
    assert 'data-live="off"' in browser.get("/orders").text
    assert browser.post("/logout").status_code == 303
    assert browser.get("/api/me").status_code == 401
    assert browser.get("/orders").status_code == 303
    browser.close()


def test_cookies(world: World) -> None:
    base = world.panel.client.base_url
    csrf = httpx.get(f"{base}/login").cookies["csrf"]
    answer = httpx.post(f"{base}/login", data={"email": "owner@a.test", "password": "one"}, headers={"Cookie": f"csrf={csrf}", "X-CSRF-Token": csrf})
    [session] = [line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-session=")]
    for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert word in session
    assert "Domain" not in session


@pytest.mark.parametrize("headers", [{"X-CSRF-Token": ""}, {"X-CSRF-Token": "a.b"}, {"Origin": "https://evil.example"}])
def test_a_request_that_is_not_from_our_page(world: World, cid: str, headers: dict[str, str]) -> None:
    owner = world.browser("owner@a.test")
    before = owner.get("/api/hours").json()
    assert owner.put("/api/hours/holiday-note", json={"note": cid}, headers=headers).status_code == 403
    assert owner.get("/api/hours").json() == before
    assert owner.put("/api/hours/holiday-note", json={"note": cid}, headers={"Origin": ADMIN}).json()["holiday_note"] == cid


def test_anothers_token_opens_nothing(world: World, cid: str) -> None:
    other = world.browser("employee@a.test").headers["X-CSRF-Token"]
    assert world.browser("owner@a.test").put("/api/hours/holiday-note", json={"note": cid}, headers={"X-CSRF-Token": other}).status_code == 403


def test_who_may_do_what(world: World, cid: str) -> None:
    order = an_order(world, cid)
    nobody, employee = world.panel.client, world.browser("employee@a.test")
    routes: list[tuple[str, str, Any, int]] = [
        ("GET", f"/api/orders/{order}", None, 200),
        ("POST", f"/api/orders/{order}/refund", {"reason": cid}, 403),
        ("PUT", "/api/hours/holiday-note", {"note": cid}, 403),
        ("PUT", "/api/hours", {"week": {}}, 403),
        ("PUT", "/api/hours/special-days/2026-12-24", {"shifts": []}, 403),
        ("GET", "/api/users", None, 403),
        ("POST", "/api/users", {"email": "x@a.test", "role": "owner"}, 403),
        ("POST", f"/api/orders/{order}/close", None, 200),
        ("GET", "/api/status", None, 200),
        ("GET", "/api/orders", None, 200),
    ]
    for method, path, body, expected in routes:
        assert nobody.request(method, path, json=body).status_code == 401, path
        assert employee.request(method, path, json=body, headers={"X-Request-ID": cid}).status_code == expected, path
    denied = [action for _, action, outcome, *_ in acts(world, cid) if outcome == "denied"]
    assert denied == ["refund", "holiday_note", "hours", "special_day", "invite"]


def test_another_restaurants_order_does_not_exist(world: World, cid: str) -> None:
    order, other = an_order(world, cid), world.browser("owner@b.test")
    for method, path in (("GET", ""), ("POST", "/close"), ("POST", "/refund")):
        body = {"reason": "x"} if path == "/refund" else None
        assert other.request(method, f"/api/orders/{order}{path}", json=body).status_code == 404
    assert world.browser("owner@a.test").get(f"/api/orders/{order}").json()["state"] == "open"
    assert world.browser("owner@a.test").get(f"/api/orders/{uuid4()}").status_code == 404
    assert world.browser("owner@a.test").get("/api/orders/none").status_code == 404


def test_refund(world: World, cid: str) -> None:
    order, owner = an_order(world, cid), world.browser("owner@a.test")
    headers = {"X-Request-ID": cid}
    assert owner.post(f"/api/orders/{order}/refund", json={}, headers=headers).status_code == 422
    assert owner.post(f"/api/orders/{order}/refund", json={"reason": cid}, headers=headers).json()["refunded_minor"] == 0
    import psycopg

    paid = """insert into payments (tenant_id, order_id, provider, event_id, amount_minor, currency)
        select tenant_id, id, 'test', %s, 200, 'COP' from orders where id = %s"""
    with psycopg.connect(world.postgres.url("postgres")) as connection:
        connection.execute(paid, [cid, order])
    for _ in range(2):
        told = owner.post(f"/api/orders/{order}/refund", json={"reason": cid}, headers=headers).json()
        assert (told["paid_minor"], told["refunded_minor"]) == (0, 200)
    assert [(before["paid_minor"], after["paid_minor"]) for *_, before, after in acts(world, cid)] == [(0, 0), (200, 0), (0, 0)]


def test_hours(world: World, cid: str) -> None:
    owner, headers = world.browser("owner@a.test"), {"X-Request-ID": cid}
    before = owner.get("/api/hours").json()
    assert owner.put("/api/hours", json={}, headers=headers).status_code == 422
    for week in ({"7": []}, {"0": ["12:00"]}, {"0": ["12:00-15:00", "14:00-16:00"]}, {"0": ["20:00-02:00", "22:00-23:00"]}):
        assert owner.put("/api/hours", json={"week": week}, headers=headers).status_code == 422, week
    try:
        told = owner.put("/api/hours", json={"week": {"1": ["20:00-02:00"]}}, headers=headers).json()
        assert told["week"] == {**{day: [] for day in "0123456"}, "1": ["20:00-02:00"]}
        assert owner.put("/api/hours/special-days/2026-12-24", json={"shifts": []}, headers=headers).json()["special_days"] == {"2026-12-24": []}
        assert owner.delete("/api/hours/special-days/2026-12-24", headers=headers).json()["special_days"] == {}
        assert owner.put("/api/hours/special-days/24-12", json={"shifts": []}, headers=headers).status_code == 422
        # A Tuesday night, past midnight.
        opened = world.api.client.get("/v1/restaurants/test-bogota/open", params={"at": "2026-11-25T01:59:00-05:00"}).json()
        assert opened["open"] is True
    finally:
        assert owner.put("/api/hours", json={"week": before["week"]}, headers=headers).json()["week"] == before["week"]
    [first, *_] = acts(world, cid)
    assert (first[0], first[1], first[3]["week"]) == ("owner@a.test", "hours", before["week"])


def test_people(world: World, cid: str) -> None:
    owner, headers, email = world.browser("owner@a.test"), {"X-Request-ID": cid}, f"{cid}@a.test"
    for wrong in ({}, {"email": "x", "role": "owner"}, {"email": email, "role": "king"}):
        assert owner.post("/api/users", json=wrong).status_code == 422
    world.mail.later = 1
    invited = owner.post("/api/users", json={"email": email, "role": "employee"}, headers=headers)
    assert invited.status_code == 201
    assert owner.post("/api/users", json={"email": email, "role": "employee"}).status_code == 409
    place = f"/api/users/{invited.json()['id']}"
    assert world.browser("owner@b.test").put(place, json={"role": "owner"}).status_code == 404
    assert owner.put(place, json={"role": "owner"}, headers=headers).json()["role"] == "owner"
    assert email in {user["email"] for user in owner.get("/api/users").json()["users"]}
    assert [(action, before, after) for _, action, _, before, after in acts(world, cid)] == [
        ("invite", None, {"role": "employee"}),
        ("change_role", {"role": "employee"}, {"role": "owner"}),
    ]
    [letter] = until(lambda: [letter for letter in world.mail.letters if letter["To"] == email])
    assert (letter["X-Request-ID"], letter["Subject"]) == (cid, "Tu acceso a comanda")
    assert until(lambda: world.postgres.rows("select state, attempts from outbox where cid = %s and kind = 'mail'", cid) == [("sent", 2)])


def test_a_new_role_ends_the_sessions(world: World) -> None:
    owner, employee = world.browser("owner@a.test"), world.log_in("employee@a.test")
    [who] = [user["id"] for user in owner.get("/api/users").json()["users"] if user["email"] == "employee@a.test"]
    assert employee.get("/api/me").status_code == 200
    try:
        owner.put(f"/api/users/{who}", json={"role": "owner"})
        assert employee.get("/api/me").status_code == 401
    finally:
        owner.put(f"/api/users/{who}", json={"role": "employee"})
        world.browsers.pop("employee@a.test").close()
        employee.close()


def test_nobody_rewrites_what_was_written_down(world: World) -> None:
    import psycopg

    for act in ("update audit_log set actor = 'x'", "delete from audit_log", "truncate audit_log", "select 1 from audit_log"):
        with psycopg.connect(world.postgres.url("comanda_app")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(act)


def test_the_database_keeps_real_restaurants(world: World) -> None:
    import psycopg

    [(real,)] = world.postgres.rows("select id from tenants where slug = 'la-candelaria'")
    with psycopg.connect(world.postgres.url("comanda_app")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select forget_test(%s, null, null)", [real])


def test_closing_by_sms(world: World, cid: str) -> None:
    from test_webhooks import TWILIO_ACCOUNT, twilio

    twilio(world, {"MessageSid": f"SM{uuid4().hex}", "AccountSid": TWILIO_ACCOUNT, "From": PHONE, "To": "+1", "Body": f"2 arepas {cid}"})
    [(order,)] = world.postgres.rows("select id::text from orders where cid = %s", cid)
    assert world.browser("employee@a.test").post(f"/api/orders/{order}/close").status_code == 200
    assert until(lambda: len([call for call in world.provider.seen(cid) if "Messages.json" in call["path"]]) == 2)
