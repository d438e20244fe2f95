# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker lives here: empties the outbox, restaurant by restaurant. Several may run: a locked row is somebody else's.

Kinds of message are a table, `DELIVER`: the channels to guests and providers join it there. A message is sent again, under the same
idempotency key, with growing pauses and jitter, and is dead after the last try. While Redis is down nothing is taken from the
outbox and no try is counted: the orders wait in Postgres.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from redis import Redis
from redis.exceptions import RedisError

from comanda import logs, queue, release, settings

POLL_S = 1.0
BATCH = 20
MOST_ATTEMPTS = 8
LONGEST_PAUSE_S = 300

CLAIM = """select id, kind, body, cid, trace_id, idempotency_key::text, attempts from outbox
    where state = 'waiting' and next_at <= now() order by id limit %s for update skip locked"""
SENT = "update outbox set state = 'sent', sent_at = now(), attempts = attempts + 1, last_error = null where id = %s"
FAILED = """update outbox set attempts = attempts + 1, last_error = %s, next_at = now() + make_interval(secs => %s),
    state = case when attempts + 1 >= %s then 'dead' else 'waiting' end where id = %s"""


def tell_panel(redis: Redis, slug: str, message: Mapping[str, Any]) -> None:
    """A new order appears on the panel's live list."""
    redis.publish(queue.events(slug), json.dumps({"kind": message["kind"], "cid": message["cid"], **message["body"]}))


DELIVER: Mapping[str, Callable[[Redis, str, Mapping[str, Any]], None]] = {"order_taken": tell_panel}


def pause_s(attempts: int) -> float:
    """Exponential with full jitter, so that what failed together does not come back together."""
    return random.SystemRandom().uniform(1, min(LONGEST_PAUSE_S, 2.0 ** (attempts + 1)))


def _send(connection: psycopg.Connection[DictRow], redis: Redis, slug: str, message: DictRow) -> None:
    """One message: delivered, or put back with its next try. A dead Redis is no fault of the message and passes through."""
    logs.request_id.set(message["cid"])
    logs.trace_id.set(message["trace_id"])
    fields = {"outbox": message["id"], "kind": message["kind"], "attempt": message["attempts"] + 1}
    try:
        DELIVER[message["kind"]](redis, slug, message)
    except (KeyError, ValueError, OSError) as error:
        connection.execute(FAILED, [type(error).__name__, pause_s(message["attempts"]), MOST_ATTEMPTS, message["id"]])
        logs.log.warning("message not delivered", extra={"fields": {**fields, "error": type(error).__name__}})
    else:
        connection.execute(SENT, [message["id"]])
        logs.log.info("message delivered", extra={"fields": fields})


def sweep(connection: psycopg.Connection[DictRow], redis: Redis) -> int:
    """Deliver what is due, for every restaurant; how many messages were taken up."""
    redis.set(queue.HEARTBEAT, int(time.time()), ex=queue.HEARTBEAT_TTL_S)
    taken = 0
    for tenant in connection.execute("select id, slug from tenants order by id").fetchall():
        logs.tenant.set(tenant["slug"])
        with connection.transaction():
            connection.execute("select set_config('app.tenant', %s, true)", [str(tenant["id"])])
            due = connection.execute(CLAIM, [BATCH]).fetchall()
            for message in due:
                _send(connection, redis, tenant["slug"], message)
        taken += len(due)
    for ids in (logs.request_id, logs.trace_id, logs.tenant):
        ids.set("-")
    return taken


def run() -> None:
    """Sweep until SIGTERM; a part that is down is waited for, with a connection made anew."""
    url, redis, stop = settings.database_url(), queue.client(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    logs.log.info("worker started", extra={"fields": {"version": release.running().version}})
    failures = 0
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=3, options="-c timezone=UTC") as connection:
                while not stop.wait(POLL_S):
                    sweep(connection, redis)
                    failures = 0
        except (psycopg.OperationalError, RedisError) as error:
            failures += 1
            logs.log.error("part is down, waiting for it", extra={"fields": {"error": type(error).__name__, "failures": failures}})
            stop.wait(min(30.0, pause_s(failures)))
    logs.log.info("worker stopped")
