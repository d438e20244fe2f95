# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a message: tried again and how, dead and when, and what happens while Redis or a provider is away."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from comanda import providers, worker
from comanda.providers import Refused, Unreachable
from conftest import World, text
from servers import until


def hurry(world: World, cid: str) -> None:
    """Let the next try be due now, instead of waiting for it."""
    import psycopg

    with psycopg.connect(world.postgres.url("postgres")) as connection:
        connection.execute("update outbox set next_at = now() where cid = %s and state = 'waiting'", [cid])
        connection.execute("notify outbox")


def state(world: World, cid: str, kind: str = "whatsapp") -> list[tuple[Any, ...]]:
    return world.postgres.rows("select state, attempts, last_error from outbox where cid = %s and kind = %s", cid, kind)


@pytest.mark.parametrize(
    ("error", "attempts", "too_old", "expected"),
    [
        (Refused(500, True), 3, False, "waiting"),
        (Refused(500, True), 4, False, "dead"),
        (Refused(429, True, 7.0), 0, False, "waiting"),
        (Refused(400, False), 0, False, "dead"),
        (Unreachable("x"), 4, False, "waiting"),
        (Unreachable("x"), 400, False, "waiting"),
        (Unreachable("x"), 0, True, "dead"),
        (KeyError("text"), 0, False, "dead"),
    ],
)
def test_verdict(error: Exception, attempts: int, too_old: bool, expected: str) -> None:
    assert worker.verdict(error, {"attempts": attempts, "too_old": too_old})[0] == expected


def test_pauses_grow_and_have_jitter() -> None:
    pauses = [[worker.pause_s(attempt) for _ in range(50)] for attempt in range(6)]
    for attempt, seen in enumerate(pauses):
        assert len(set(seen)) > 1
        assert all(min(30, 2 ** (attempt + 1)) / 2 <= pause <= min(30, 2 ** (attempt + 1)) for pause in seen)
    assert sum(max(seen) for seen in pauses[:4]) + 5 * providers.TIMEOUT_S < 120
    assert worker.verdict(Refused(503, True, 60.0), {"attempts": 0, "too_old": False})[1] == 60
    assert worker.verdict(Refused(503, True, 10**6), {"attempts": 0, "too_old": False})[1] == worker.LONGEST_RETRY_AFTER_S


@pytest.mark.parametrize(("header", "seconds"), [("5", 5.0), (None, None), ("nonsense", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)])
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert providers.retry_after_s(header) == seconds


def test_tried_again_under_the_same_key(world: World, cid: str) -> None:
    world.provider.script[:] = [(503, {"Retry-After": "2"}, {}), (429, {}, {})]
    world.whatsapp(text(f"hola {cid}"))
    assert until(lambda: len(world.provider.seen(cid)) == 3, 15)
    first, second, third = world.provider.seen(cid)
    assert second["at"] - first["at"] >= 2
    assert third["at"] - second["at"] >= 2
    assert len({call["headers"]["Idempotency-Key"] for call in (first, second, third)}) == 1
    assert len({call["body"] for call in (first, second, third)}) == 1
    assert until(lambda: state(world, cid) == [("sent", 3, None)])


def test_dead_after_the_fifth(world: World, cid: str) -> None:
    world.provider.script[:] = [(500, {}, {})] * 5
    world.whatsapp(text(f"hola {cid}"))
    for attempt in range(1, 6):
        assert until(lambda: len(world.provider.seen(cid)) == attempt), attempt  # noqa: B023 -- looked at before it changes
        hurry(world, cid)
    assert until(lambda: state(world, cid) == [("dead", 5, "Refused: HTTP 500")])
    assert world.provider.script == []


def test_what_no_try_can_change_is_dead_at_once(world: World, cid: str) -> None:
    world.provider.script[:] = [(400, {}, {"error": {"code": 131026}})]
    world.whatsapp(text(f"hola {cid}"))
    assert until(lambda: state(world, cid) == [("dead", 1, "Refused: HTTP 400")])


def test_while_the_provider_is_away_orders_go_on(world: World, cid: str) -> None:
    world.provider.stop()
    try:
        assert world.whatsapp(text(f"2 arepas {cid}")).status_code == 200
        assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(1,)]
        assert until(lambda: [row for row in state(world, cid) if row[1] >= 1])
        told = world.browser("employee@a.test").get("/api/status").json()
        assert "whatsapp" in told["degraded"]
        # Asked anew: what was seen before is forgotten after three seconds.
        assert until(lambda: "counter" in world.api.client.get("/v1/payment-methods").json()["methods"])
        assert state(world, cid)[0][0] == "waiting"
    finally:
        world.provider.start()
    assert until(lambda: state(world, cid)[0][0] == "sent", 30)
    assert until(lambda: world.api.client.get("/v1/payment-methods").json() == {"methods": ["card", "mercadopago"]})
    assert until(lambda: world.browser("employee@a.test").get("/api/status").json() == {"degraded": []})


def test_while_redis_is_away_nothing_is_lost(world: World, cid: str) -> None:
    world.redis.stop()
    try:
        assert world.whatsapp(text(f"2 arepas {cid}")).status_code == 200
        assert until(lambda: world.provider.seen(cid))
        assert until(lambda: [row for row in state(world, cid, "order_taken") if row[1] >= 1])
        assert world.api.client.get("/readyz").json()["parts"] == {"postgres": "ok", "redis": "down"}
        assert "redis" in world.browser("employee@a.test").get("/api/status").json()["degraded"]
    finally:
        world.redis.start()
    assert world.api.client.get("/readyz").status_code == 200
    hurry(world, cid)
    assert until(lambda: state(world, cid, "order_taken")[0][0] == "sent")


def test_ready_at_once_after_redis_restarted(world: World) -> None:
    for _ in range(3):
        assert world.api.client.get("/readyz").status_code == 200
        world.redis.stop()
        world.redis.start()
        assert world.api.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_message_outlives_the_worker(world: World, cid: str, how: signal.Signals) -> None:
    code = world.worker.stop(how)
    assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    world.whatsapp(text(f"hola {cid}"))
    assert state(world, cid) == [("waiting", 0, None)]
    world.worker.start()
    assert until(lambda: state(world, cid) == [("sent", 1, None)])
    assert len(world.provider.seen(cid)) == 1
