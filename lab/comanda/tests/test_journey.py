# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's order from the first message to the closed ticket, and that there is one of it however often the message comes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
from conftest import PHONE, World, text
from servers import until


@contextmanager
def listening(world: World, user: str) -> Iterator[list[str]]:
    """Data of the panel's events, from now on."""
    ready, seen, sockets = threading.Event(), [], []

    def run() -> None:
        with world.log_in(user) as client, suppress(httpx.TransportError), client.stream("GET", "/api/events", timeout=60) as answer:
            sockets.append(answer.extensions["network_stream"].get_extra_info("socket"))
            for line in answer.iter_lines():
                if line == "event: ready":
                    ready.set()
                if line.startswith("data:"):
                    seen.append(line)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield seen
    sockets[0].shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_from_message_to_closed_order(world: World, cid: str) -> None:
    with listening(world, "employee@a.test") as mine, listening(world, "owner@b.test") as others:
        assert world.whatsapp(text(f"2 arepas {cid}")).status_code == 200
        [order] = world.postgres.rows("select id::text, note, number from orders where cid = %s", cid)
        assert cid in order[1]
        [reply] = until(lambda: [call for call in world.provider.seen(cid) if cid in call["body"]])
        sent = json.loads(reply["body"])
        assert reply["path"].endswith("/100000000000001/messages")
        assert (sent["to"], sent["type"]) == (PHONE, "text")
        assert "2 × Arepa de prueba" in sent["text"]["body"]
        assert reply["headers"]["Authorization"] == "Bearer graph token"
        assert reply["headers"]["Idempotency-Key"]
        assert until(lambda: [line for line in mine if cid in line])
        assert not [line for line in others if cid in line]

    employee = world.browser("employee@a.test")
    assert cid in employee.get(f"/api/orders/{order[0]}").json()["note"]
    assert employee.post(f"/api/orders/{order[0]}/close").json()["state"] == "closed"
    [ready] = until(lambda: [call for call in world.provider.seen(cid) if "order_ready" in call["body"]])
    template = json.loads(ready["body"])["template"]
    assert template["language"] == {"code": "es"}
    assert template["components"] == [{"type": "body", "parameters": [{"type": "text", "text": str(order[2])}]}]

    # Again: nothing more happens.
    assert employee.post(f"/api/orders/{order[0]}/close").status_code == 200
    assert world.postgres.rows("select count(*) from outbox where cid = %s", cid) == [(4,)]
    # The provider has it before the worker writes that it has.
    assert until(lambda: world.postgres.rows("select count(*) from messages where cid = %s and direction = 'out'", cid) == [(2,)])
    assert world.postgres.rows("select count(*) from messages where cid = %s and direction = 'in'", cid) == [(1,)]
    services = {line["message"] for process in (world.api, world.worker) for line in process.lines(cid)}
    assert {"event processed", "message delivered"} <= services


def test_one_order_of_twenty_copies(world: World, cid: str) -> None:
    value = text(f"1 limonada y 2 x 1 {cid}")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: world.whatsapp(value).status_code, range(20)))
    assert answers == [200] * 20
    assert world.whatsapp(value).status_code == 200
    assert world.postgres.rows("select count(*) from orders where cid = %s", cid) == [(1,)]
    sent = "select state, count(*) from outbox where cid = %s and kind = 'whatsapp' group by 1"
    assert until(lambda: world.postgres.rows(sent, cid) == [("sent", 1)])
    assert len(world.provider.seen(cid)) == 1


def test_a_journey_is_undone(world: World, cid: str) -> None:
    world.whatsapp(text(f"2 arepas {cid}"))
    until(lambda: world.postgres.rows("select 1 from messages where cid = %s and direction = 'out'", cid))
    owner, place = world.token(), f"/v1/test/test-bogota/orders?cid={cid}"
    assert world.api.client.get(place, headers=owner).json() == {"orders": 1, "reservations": 0, "messages": 2, "outbox": 2, "webhook_events": 1}
    for who in ("employee@a.test", "owner@b.test"):
        assert world.api.client.delete(place, headers=world.token(who)).status_code == 403
    assert world.api.client.delete(f"/v1/test/la-candelaria/orders?cid={cid}", headers=owner).status_code == 403
    assert world.api.client.delete("/v1/test/test-bogota/orders", headers=owner).status_code == 422
    assert world.api.client.delete(place, headers=owner).json()["orders"] == 1
    assert set(world.api.client.get(place, headers=owner).json().values()) == {0}
