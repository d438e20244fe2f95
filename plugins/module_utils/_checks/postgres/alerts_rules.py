# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``postgres_alerts`` judges: pure functions of what a Prometheus said. Only that check comes in."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres._prometheus import metrics_in
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.forecast import SAMPLES_MIN, daily, slope

Seen = t.Mapping[str, Json]

#: What must be watched, and the metrics by which a rule is known to watch it: those of postgres_exporter, node_exporter and our own.
#: A rule on others (a vendor's, a recorded one) is named in the option ``rules``.
TOPICS: dict[str, str] = {
    "connections": r"pg_stat_activity_count|pg_stat_database_numbackends|golive_postgres_connections_\w+",
    "space": r"node_filesystem_(avail|free)_bytes|\w*free_storage_space\w*",
    "locks": r"pg_locks_count|golive_postgres_lock\w+|pg_blocked_\w+",
}


#: A breach that must last longer than this before anybody is told has closed the restaurant first. Our own rules wait 10 minutes at most.
FOR_MAX_S = 3600.0


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return what holds and what does not."""
    found = [*_exporter(seen)]
    for topic in TOPICS:
        found += _topic(topic, seen, options)
    found += _growth(seen, options)
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def chosen(alerts: t.Sequence[Seen], topic: str, named: t.Mapping[str, str]) -> list[Seen]:
    """Return the rules that watch *topic*: those of the declared name, else those that read one of its metrics."""
    if topic in named:
        return [alert for alert in alerts if alert["name"] == named[topic]]
    return [alert for alert in alerts if any(re.fullmatch(TOPICS[topic], name) for name in metrics_in(alert["expr"]))]


def host_of(instance: str) -> str:
    """Return the host in ``host:port``."""
    return instance.rpartition(":")[0] or instance


def _say(status: str, code: str, source: str, expected: Json, observed: Json, **params: Json) -> Assertion:
    return Assertion(status, f"postgres_alerts.{code}", params, expected=expected, observed=observed, source=source)


def _exporter(seen: Seen) -> t.Iterator[Assertion]:
    instances = {one["labels"].get("instance", ""): one["value"] for one in seen["up"]}
    down = sorted(name for name, value in instances.items() if value != 1)
    if not instances:
        yield _say("fail", "exporter_missing", "pg_up", "at least one series", 0)
    elif down:
        yield _say("fail", "exporter_blind", "pg_up", 1, 0, instances=", ".join(down))
    else:
        yield _say("pass", "exporter_up", "pg_up", 1, 1, instances=", ".join(sorted(instances)))


def _topic(topic: str, seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """A rule that is there, that Prometheus can evaluate, that has something to look at, that fires in time, and that says how bad it is."""
    rules = chosen(seen["alerts"], topic, options["rules"] or {})
    source = "/api/v1/rules"
    if not rules:
        wanted = (options["rules"] or {}).get(topic, "")
        yield _say("fail", "rule_misnamed" if wanted else "rule_missing", source, "a rule", None, topic=topic, name=wanted)
        return
    good = [rule for rule in rules if rule["health"] == "ok" and not blind(rule, topic, seen)]
    if not good:
        rule = rules[0]
        if rule["health"] != "ok":
            yield _say("fail", "rule_broken", source, "health ok", rule["health"], topic=topic, name=rule["name"], message=rule["error"] or rule["health"])
        else:
            yield _say("fail", "rule_blind", source, "series", [], topic=topic, name=rule["name"], metrics=", ".join(blind(rule, topic, seen)))
        return
    soon = [rule for rule in good if rule["for_s"] <= FOR_MAX_S]
    if not soon:
        rule, limit = min(good, key=lambda one: float(one["for_s"])), FOR_MAX_S / 60
        minutes = round(rule["for_s"] / 60)
        yield _say("fail", "rule_slow", source, f"for: {limit:g}m at most", f"{minutes}m", topic=topic, name=rule["name"], minutes=minutes, limit=round(limit))
        return
    good = soon
    told = [rule for rule in good if rule["severity"]]
    if not told:
        yield _say("warn", "rule_unlabelled", source, "a severity", "", topic=topic, name=good[0]["name"])
    else:
        yield _say("pass", "rule_watches", source, "a rule", told[0]["name"], topic=topic, name=told[0]["name"], severity=told[0]["severity"])


def blind(rule: Seen, topic: str, seen: Seen) -> list[str]:
    """Return the metrics that *rule* reads and Prometheus has not. Free space must be that of a database's host."""
    missing = [name for name in metrics_in(rule["expr"]) if name not in seen["series"]]
    hosts = {host_of(one["labels"].get("instance", "")) for one in seen["up"]}
    for name in metrics_in(rule["expr"]):
        instances = {host_of(instance) for instance in seen["series"].get(name, ())}
        if topic == "space" and name.startswith("node_") and name in seen["series"] and not hosts & instances:
            missing.append(f"{name} ({', '.join(sorted(hosts))})")
    return missing


def _growth(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """At the pace of the last weeks, the disk is full in so many days. Fewer samples than a week say nothing, and nothing is said."""
    worst: tuple[float, str, int] | None = None
    for one in seen["space"]:
        points = daily((at / 86400, value) for at, value in one["points"])
        pace = slope(points) if len(points) >= SAMPLES_MIN else None
        if pace is None:
            continue
        days = points[-1][1] / -pace if pace < 0 else float("inf")
        if worst is None or days < worst[0]:
            worst = (days, f"{one['labels'].get('instance', '')} {one['labels'].get('mountpoint', '')}", len(points))
    if worst is None:
        return
    days, where, samples = worst
    warn, fail = options["disk_days"]
    status = "fail" if days <= fail else "warn" if days <= warn else "pass"
    shown = min(round(days), 9999) if days != float("inf") else 9999
    code = "growth_ok" if status == "pass" else "growth_high"
    yield _say(status, code, "node_filesystem_avail_bytes", f"more than {warn:g} days", shown, where=where, days=shown, samples=samples)
