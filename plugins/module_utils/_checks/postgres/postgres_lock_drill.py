# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.monitoring``: a breach, made on purpose, is seen. Two sessions want the same scratch table, and the exporter must tell of the one that waits.

The table is made in the maintenance database, is empty, and goes again, also after a drill that was killed: the next one makes the same name its own.
No table of the app's is touched, and the one that waits gives up by itself.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._http import Client

#: The database that every cluster has and no app uses, and the table that the two sessions want.
DATABASE = "postgres"
TABLE = "golive_lock_drill"

#: How often the exporter is asked, in seconds. It asks the server each time it is asked.
POLL_S = 0.5


class PostgresLockDrill(Check):
    """One target: the server that the options name, and the exporter beside it."""

    name = "postgres_lock_drill"
    items = ("postgres.monitoring",)
    vantage = "postgres"
    impact = "active"
    drill = True
    proven_by = "staging"
    runs_as = "postgres"
    timeout_s = 60.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **_postgres.CONNECTION,
        "exporter_url": {
            "type": "str",
            "default": "http://127.0.0.1:9187/metrics",
            "example": "postgres_monitoring_exporter_url: http://127.0.0.1:9187/metrics",
        },
        "exporter_metric": {
            "type": "str",
            "default": "golive_postgres_locks_waiting",
            "example": "postgres_monitoring_exporter_metric: pg_blocked_sessions   # counts sessions that wait for a lock",
        },
        "seen_within_s": {"type": "float", "default": 20.0, "example": "postgres_monitoring_seen_within_s: 20"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        exporter = Exporter(ctx.options["exporter_url"], ctx.options["exporter_metric"])
        before = exporter.value()
        if before is None:
            return {"before": None, "during": None, "after": None, "seconds": 0.0}
        with wait(ctx.options, ctx.secrets, ctx.options["seen_within_s"] + 5):
            begun = time.monotonic()
            during, seconds = _until(exporter.value, lambda value: value > before, begun, ctx.options["seen_within_s"])
        after, _seconds = _until(exporter.value, lambda value: value <= before, time.monotonic(), ctx.options["seen_within_s"])
        return {"before": before, "during": during, "after": after, "seconds": seconds}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        params = {
            "url": options["exporter_url"],
            "metric": options["exporter_metric"],
            "seconds": round(seen["seconds"], 1),
            "within_s": round(options["seen_within_s"]),
        }
        if seen["before"] is None:
            return [Assertion("fail", "postgres_lock_drill.metric_missing", params, expected=options["exporter_metric"], observed=None, source=params["url"])]
        if not seen["during"] > seen["before"]:
            return [Assertion("fail", "postgres_lock_drill.unseen", params, expected="a session that waits", observed=seen["during"], source=params["url"])]
        if seen["after"] > seen["before"]:
            return [Assertion("fail", "postgres_lock_drill.stuck", params, expected=seen["before"], observed=seen["after"], source=params["url"])]
        return [Assertion("pass", "postgres_lock_drill.seen", params, expected="a session that waits", observed=seen["during"], source=params["url"])]


def _until(look: t.Callable[[], float | None], enough: t.Callable[[float], bool], begun: float, within_s: float) -> tuple[float, float]:
    """Return the first value that is enough, or the last one, and how long it took."""
    while True:
        value = look()
        seconds = time.monotonic() - begun
        if value is None:
            raise CannotKnow("postgres_lock_drill.metric_lost")
        if enough(value) or seconds > within_s:
            return value, seconds
        time.sleep(POLL_S)


class Exporter:
    """What an exporter says of one metric."""

    def __init__(self, url: str, metric: str) -> None:
        self._url, self._client = url, Client(timeout_s=5.0)
        self._line = re.compile(rf"^{re.escape(metric)}(?:\{{[^}}]*\}})?\s+(\S+)", re.M)

    def value(self) -> float | None:
        """Return the metric's value, added up over its labels; None where the exporter has no such metric."""
        answer = self._client.send("GET", self._url)
        if answer.status != 200:
            raise CannotKnow("postgres_lock_drill.exporter_odd", url=self._url, status_code=answer.status)
        values = self._line.findall(answer.text)
        return sum(float(value) for value in values) if values else None


@contextlib.contextmanager
def wait(options: Options, secrets: t.Mapping[str, str], seconds: float) -> t.Iterator[None]:
    """Have one session wait for another's lock for the length of a ``with``, and at most *seconds*."""
    with (
        _postgres.writing(options, secrets, DATABASE, "golive-lock-drill") as holder,
        _postgres.writing(options, secrets, DATABASE, "golive-lock-drill") as waiter,
    ):
        holder.run(f"drop table if exists {TABLE}")
        holder.run(f"create table {TABLE} ()")
        try:
            holder.run("begin")
            holder.run(f"lock table {TABLE} in access exclusive mode")
            waiter.run(f"set lock_timeout = {int(seconds * 1000)}")
            thread = threading.Thread(target=_want, args=(waiter,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                holder.run("rollback")
                thread.join(seconds)
        finally:
            holder.run(f"drop table if exists {TABLE}")


def _want(waiter: _postgres.Writer) -> None:
    """Wait for the table, and let it go as soon as it is there. Giving up is no news."""
    with contextlib.suppress(CannotKnow):
        waiter.run(f"begin; lock table {TABLE} in access share mode; rollback")
