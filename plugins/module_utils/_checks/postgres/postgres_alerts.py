# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.monitoring``: somebody would be told. The exporter is scraped, and a rule stands and sees for each of connections, space and locks.

Here: what is asked and what is seen. How it is judged: ``alerts_rules``. That a real breach reaches the exporter: ``postgres_lock_drill``.
"""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import alerts_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres._prometheus import Prometheus, metrics_in

#: The trend is taken over this many days, from one sample a day.
TREND_DAYS = 30
DAY_S = 86400


class PostgresAlerts(Check):
    """One target: the Prometheus of this host."""

    name = "postgres_alerts"
    items = ("postgres.monitoring",)
    vantage = "monitoring"
    timeout_s = 40.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "prometheus_url": {"type": "str", "default": "http://127.0.0.1:9090", "example": "postgres_monitoring_prometheus_url: http://127.0.0.1:9090"},
        "prometheus_token": {"type": "str", "secret": True, "example": 'postgres_monitoring_prometheus_token: "prometheus#token"'},
        "rules": {"type": "dict", "default": {}, "example": "postgres_monitoring_rules: {space: RdsFreeStorageLow}"},
        "disk_days": {"type": "list", "elements": "float", "default": [30, 7], "example": "postgres_monitoring_disk_days: [30, 7]"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        server = Prometheus(ctx.options["prometheus_url"], ctx.secrets.get("prometheus_token"))
        try:
            return look(server, ctx.options)
        except (KeyError, TypeError, ValueError, IndexError) as problem:
            raise CannotKnow("postgres_alerts.prometheus_odd", url=ctx.options["prometheus_url"], status_code=200, message=type(problem).__name__) from None

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return alerts_rules.judge(seen, options)


def look(server: Prometheus, options: Options) -> dict[str, Json]:
    """Return the rules, who is up, which series the rules would read, and how the free space of the databases' hosts went."""
    alerts, up = server.alerts(), server.now("pg_up")
    watching = {alert["name"]: alert for topic in alerts_rules.TOPICS for alert in alerts_rules.chosen(alerts, topic, options["rules"] or {})}
    names = sorted({name for alert in watching.values() for name in metrics_in(alert["expr"])})
    series: dict[str, list[str]] = {}
    for one in server.now(f'group by (__name__, instance) ({{__name__=~"{"|".join(names)}"}})') if names else ():
        series.setdefault(one["labels"]["__name__"], []).append(one["labels"].get("instance", ""))
    hosts = "|".join(re.escape(alerts_rules.host_of(one["labels"].get("instance", ""))) for one in up)
    space = []
    if up:
        now = time.time()
        kinds = 'fstype!~"tmpfs|ramfs|overlay"'
        # PromQL strings have escapes of their own: a backslash of the pattern is written twice.
        query = f'node_filesystem_avail_bytes{{instance=~"({hosts.replace(chr(92), chr(92) * 2)})(:[0-9]+)?",{kinds}}}'
        space = server.over(query, now - TREND_DAYS * DAY_S, now, DAY_S)
    return {"alerts": alerts, "up": up, "series": series, "space": space}
