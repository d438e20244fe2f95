# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker lives here: empties the outbox, one thread a channel, so that a slow provider keeps nobody else waiting.

Each message is sent in a transaction of its own, which holds its row: several workers may run. A try that was answered counts; after the
fifth, or an answer that no other try can change, the message is dead. While a provider cannot be reached at all its messages wait, for
a day at most. Pauses grow and have jitter, and `Retry-After` is heeded. A crash between a provider's answer and our commit sends the
message again, under the same idempotency key.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from redis import Redis
from redis.exceptions import RedisError

from comanda import logs, payments, providers, queue, release, settings, statuses
from comanda.providers import Ids, Refused, Unreachable

Connection = psycopg.Connection[DictRow]

POLL_S = 1.0
MOST_ATTEMPTS = 5
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 900.0
LONGEST_WAIT = "1 day"

DUE = "select tenant as id, slug from outbox_due(%s)"
CLAIM = """select id, tenant_id, kind, body, cid, trace_id, idempotency_key::text, attempts, created_at < now() - %s::interval as too_old from outbox
    where state = 'waiting' and kind = any(%s) and next_at <= now() order by id limit 1 for update skip locked"""
SENT = "update outbox set state = 'sent', sent_at = now(), attempts = attempts + 1, last_error = null where id = %s"
FAILED = "update outbox set attempts = attempts + 1, last_error = %s, next_at = now() + make_interval(secs => %s), state = %s where id = %s"
OUT = """insert into messages (tenant_id, customer_id, direction, provider, provider_id, body, cid)
    values (%s, (select id from customers where phone = %s limit 1), 'out', %s, %s, %s, %s) on conflict do nothing"""
EARLY = """select id, provider, event_id, body ->> 'message' as message, body ->> 'word' as word from webhook_events
    where processed_at is null and tenant_id = %s order by id limit 100 for update skip locked"""
# Several events tell of one payment: together its rows are worth what it is worth.
PAID = """update payments p set status = %s, currency = %s, order_id = (select id from orders where id = %s), amount_minor = %s
    - coalesce((select sum(q.amount_minor) from payments q where q.provider = p.provider and q.payment_id = p.payment_id and q.id <> p.id), 0)
    where provider = 'mercadopago' and event_id = %s"""


@dataclass(frozen=True)
class Channel:
    """One thread's work: what it uses, and for which restaurant and message."""

    connection: Connection
    redis: Redis
    slug: str
    message: Mapping[str, Any]

    @property
    def ids(self) -> Ids:
        return Ids(self.message["cid"], self.message["trace_id"], self.message["idempotency_key"])


def tell_panel(channel: Channel) -> None:
    """A change to an order appears on the panel's live list."""
    message = channel.message
    channel.redis.publish(queue.events(channel.slug), json.dumps({"kind": message["kind"], "cid": message["cid"], **message["body"]}))


def _keep(channel: Channel, provider: str, provider_id: str | None) -> None:
    """What went out is a message too, under the provider's id: its statuses come back by webhook."""
    message, body = channel.message, channel.message["body"]
    text = body.get("text") or f"{body['template']}: {', '.join(body['values'])}"
    values = [message["tenant_id"], body["to"], provider, provider_id or message["idempotency_key"], text, message["cid"]]
    channel.connection.execute(OUT, values)


def send_whatsapp(channel: Channel) -> None:
    _keep(channel, "whatsapp", providers.whatsapp(channel.message["body"], channel.ids))


def send_twilio(channel: Channel) -> None:
    _keep(channel, "twilio", providers.twilio(channel.message["body"], channel.ids))


def send_mail(channel: Channel) -> None:
    providers.mail(channel.message["body"], channel.ids)


def ask_mercadopago(channel: Channel) -> None:
    """What the payment is worth, now that its event is known."""
    body = channel.message["body"]
    told = providers.mercadopago(body["payment"], channel.ids)
    worth = int(Decimal(str(told.get("transaction_amount") or 0)) * 100) if told.get("status") == "approved" else 0
    order = payments.order_id(told.get("external_reference"))
    values = [str(told.get("status") or "unknown"), str(told.get("currency_id") or payments.NO_CURRENCY)[:3], order, worth, body["event"]]
    channel.connection.execute(PAID, values)


DELIVER: Mapping[str, Callable[[Channel], None]] = {
    "order_taken": tell_panel,
    "order_closed": tell_panel,
    "whatsapp": send_whatsapp,
    "twilio": send_twilio,
    "mail": send_mail,
    "mercadopago": ask_mercadopago,
}
# A thread each.
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "panel": ("order_taken", "order_closed"),
    "whatsapp": ("whatsapp",),
    "twilio": ("twilio",),
    "mail": ("mail",),
    "payments": ("mercadopago",),
}


def pause_s(attempts: int) -> float:
    """Exponential, and the upper half of it jitter: what failed together does not come back together, and still each pause is the longer one."""
    longest = min(LONGEST_PAUSE_S, 2.0 ** (attempts + 1))
    return random.SystemRandom().uniform(longest / 2, longest)


def verdict(error: Exception, message: Mapping[str, Any]) -> tuple[str, float]:
    """What becomes of a message that was not delivered: its state, and the pause before the next try."""
    pause = pause_s(message["attempts"])
    if isinstance(error, Refused):
        dead = not error.again or message["attempts"] + 1 >= MOST_ATTEMPTS
        return "dead" if dead else "waiting", max(pause, min(error.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))
    if isinstance(error, Unreachable | RedisError):
        return "dead" if message["too_old"] else "waiting", pause
    # A mistake of ours, in the message or in its code: no try of the same is going to be better.
    return "dead", pause


def _send(channel: Channel) -> None:
    """One message: delivered, put back with its next try, or dead."""
    message = channel.message
    logs.request_id.set(message["cid"])
    logs.trace_id.set(message["trace_id"])
    fields = {"outbox": message["id"], "kind": message["kind"], "attempt": message["attempts"] + 1}
    try:
        # A savepoint: what a delivery wrote goes with it, if it fails.
        with channel.connection.transaction():
            DELIVER[message["kind"]](channel)
    except psycopg.OperationalError:
        raise
    except (Refused, Unreachable, RedisError, psycopg.Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        state, pause = verdict(error, message)
        told = f"{type(error).__name__}: {error}" if isinstance(error, Refused | Unreachable) else type(error).__name__
        channel.connection.execute(FAILED, [told, pause, state, message["id"]])
        level = logging.ERROR if state == "dead" else logging.WARNING
        logs.log.log(level, "message not delivered", extra={"fields": {**fields, "error": told, "state": state, "pause_s": round(pause, 1)}})
    else:
        channel.connection.execute(SENT, [message["id"]])
        logs.log.info("message delivered", extra={"fields": fields})


def _early_statuses(connection: Connection, tenant: int) -> None:
    """Statuses that came before we knew the message they are about."""
    for event in connection.execute(EARLY, [tenant]).fetchall():
        values = {"word": event["word"], "provider": event["provider"], "id": event["message"], "ranks": list(statuses.RANKS)}
        if connection.execute(statuses.KNOWN, [event["provider"], event["message"]]).fetchone():
            connection.execute(statuses.RAISE, values)
            connection.execute("update webhook_events set processed_at = now() where id = %s", [event["id"]])


def sweep(connection: Connection, redis: Redis, kinds: tuple[str, ...]) -> int:
    """Deliver what is due of these kinds, for every restaurant; how many messages were taken up."""
    taken = 0
    for tenant in connection.execute(DUE, [list(kinds)]).fetchall():
        while True:
            logs.tenant.set(tenant["slug"])
            with connection.transaction():
                connection.execute("select set_config('app.tenant', %s, true)", [str(tenant["id"])])
                message = connection.execute(CLAIM, [LONGEST_WAIT, list(kinds)]).fetchone()
                if message is not None:
                    _send(Channel(connection, redis, tenant["slug"], message))
                    _early_statuses(connection, tenant["id"])
            if message is None:
                break
            taken += 1
    for ids in (logs.request_id, logs.trace_id, logs.tenant):
        ids.set("-")
    return taken


def _beat(redis: Redis) -> None:
    """Tell that we live; a Redis that is down is told of by what cannot be delivered to it."""
    try:
        redis.set(queue.HEARTBEAT, int(time.time()), ex=queue.HEARTBEAT_TTL_S)
    except RedisError as error:
        logs.log.warning("part is down", extra={"fields": {"part": "redis", "error": type(error).__name__}})


def _work(name: str, stop: threading.Event) -> None:
    """One channel until it is told to stop; a database that is down is waited for, with a connection made anew."""
    redis, failures = queue.client(), 0
    while not stop.is_set():
        try:
            with psycopg.connect(settings.database_url(), autocommit=True, row_factory=dict_row, connect_timeout=3, options="-c timezone=UTC") as connection:
                connection.execute("listen outbox")
                while not stop.is_set():
                    if name == "panel":
                        _beat(redis)
                    sweep(connection, redis, CHANNELS[name])
                    failures = 0
                    for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                        pass
        except psycopg.Error as error:
            failures += 1
            logs.log.error("part is down, waiting for it", extra={"fields": {"channel": name, "error": type(error).__name__, "failures": failures}})
            stop.wait(min(10.0, pause_s(failures)))


def run() -> None:
    """All channels until SIGTERM. A thread that dies of what nobody foresaw takes the process along: systemd starts it again."""
    stop, broken = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def guarded(name: str) -> None:
        try:
            _work(name, stop)
        except Exception as error:
            logs.log.critical("channel broken", exc_info=error, extra={"fields": {"channel": name}})
            broken.set()
            stop.set()

    logs.log.info("worker started", extra={"fields": {"version": release.running().version}})
    threads = [threading.Thread(target=guarded, args=[name], name=name) for name in CHANNELS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs.log.info("worker stopped")
    if broken.is_set():
        raise SystemExit(1)
