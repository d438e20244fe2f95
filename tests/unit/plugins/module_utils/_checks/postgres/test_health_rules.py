# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres_health`` and ``postgres_alerts`` at their edges: pure functions, no server. Real ones are in tests/integration/test_postgres_health.py."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import alerts_rules, health_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres._prometheus import metrics_in
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_alerts import PostgresAlerts
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_health import PostgresHealth
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_lock_drill import PostgresLockDrill
from ansible_collections.resto.golive.plugins.module_utils._options import validated

MESSAGES = pathlib.Path(health_rules.__file__).parents[3] / "plugin_utils" / "messages"
TEXTS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in MESSAGES.glob("postgres*.yml")}
OPTIONS = validated(PostgresHealth, {"database": "comanda"})
GIB = 1024**3


def told(assertions: list[Assertion]) -> tuple[str, set[str]]:
    """Return the status and the codes that are not a pass, having said every one of them in both languages."""
    for one in assertions:
        check, code = one.code.split(".")
        text = TEXTS[check][code]
        assert all(text[language].format_map(dict(one.params)) for language in ("es", "en"))
    return worst(one.status for one in assertions), {one.code.split(".")[1] for one in assertions if one.status != "pass"}


def seen(settings: t.Mapping[str, str] | None = None, **changed: t.Any) -> dict[str, t.Any]:
    return {
        "version": 150018,
        "settings": {
            "max_connections": "100",
            "superuser_reserved_connections": "3",
            "max_locks_per_transaction": "64",
            "max_prepared_transactions": "0",
            "autovacuum": "on",
            "autovacuum_freeze_max_age": "200000000",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "zero_damaged_pages": "off",
            "ignore_checksum_failure": "off",
            "ssl": "on",
            "password_encryption": "scram-sha-256",
            "listen_addresses": "127.0.0.1,10.0.0.5",
            "idle_in_transaction_session_timeout": "300000",
            "log_lock_waits": "on",
            "log_min_duration_statement": "1000",
            "max_slot_wal_keep_size": "1024",
            **(settings or {}),
        },
        "pending_restart": [],
        "refused": {},
        "sessions": {"used": 10, "xmin_age": 5},
        "longest": [],
        "waiting": [],
        "locks": {"held": 12},
        "deadlocks": {"total": 0, "seconds": 86400.0, "checksum_failures": 0},
        "prepared": {"count": 0, "seconds": 0.0, "xmin_age": 0},
        "wraparound": {"xid_age": 1000, "multixact_age": 1},
        "dead": [],
        "sequences": [{"name": "public.s", "ratio": None, "seen": True}],
        "invalid": [],
        "slots": [],
        "replication": [],
        "access": [],
        "disks": [{"path": "/var/lib/postgresql", "bytes": 100 * GIB, "free": 70 * GIB, "used_ratio": 0.3, "inodes_ratio": 0.1}],
        "disks_unseen": "",
        **changed,
    }


def session(**changed: t.Any) -> dict[str, t.Any]:
    return {"pid": 7, "user": "app", "application": "api", "state": "active", "transaction_s": 1.0, "state_s": 1.0, **changed}


def disk(**changed: t.Any) -> list[dict[str, t.Any]]:
    return [{**seen()["disks"][0], **changed}]


NO_RIGHT = {"code": "postgres.no_permission", "params": {"user": "u", "database": "d", "where": "w", "message": "m"}, "status": "error"}
SLOT = {"name": "s", "active": True, "wal_status": "reserved", "xmin_age": None, "retained": 1.0}


def test_a_healthy_server_passes_everything() -> None:
    assertions = PostgresHealth().judge(seen(), OPTIONS)
    assert told(assertions) == ("pass", set())
    assert {"connections_ok", "disk_ok", "lock_wait_ok"} <= {one.code.split(".")[1] for one in assertions}


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        (seen(sessions={"used": 77, "xmin_age": 0}), "pass", None),
        (seen(sessions={"used": 78, "xmin_age": 0}), "warn", "connections_high"),
        (seen(sessions={"used": 88, "xmin_age": 0}), "fail", "connections_high"),
        (seen({"reserved_connections": "47"}, sessions={"used": 45, "xmin_age": 0}), "fail", "connections_high"),
        (seen(disks=disk(used_ratio=0.799)), "pass", None),
        (seen(disks=disk(used_ratio=0.8)), "warn", "disk_high"),
        (seen(disks=disk(inodes_ratio=0.9)), "fail", "disk_high"),
        (seen(disks=None, disks_unseen="another host"), "error", "disk_unseen"),
        (seen(waiting=[{"pid": 3, "seconds": 29.9, "what": "orders", "application": "api", "blockers": [9]}]), "pass", None),
        (seen(waiting=[{"pid": 3, "seconds": 30.0, "what": "orders", "application": "api", "blockers": [9]}]), "warn", "lock_wait_high"),
        (seen(waiting=[{"pid": 3, "seconds": 120.0, "what": "orders", "application": "api", "blockers": [9]}]), "fail", "lock_wait_high"),
        (seen(locks={"held": 1280}), "warn", "lock_table_high"),
        (seen(longest=[session(state="idle in transaction", state_s=60.0, transaction_s=61.0)]), "warn", "idle_high"),
        (seen(longest=[session(state="idle in transaction (aborted)", state_s=300.0, transaction_s=299.0)]), "fail", "idle_high"),
        (seen(longest=[session(transaction_s=1800.0)]), "fail", "transaction_high"),
        (seen(longest=[session(state_s=4000.0)]), "pass", None),
        (seen(deadlocks={"total": 24, "seconds": 86400.0, "checksum_failures": 0}), "warn", "deadlocks_high"),
        (seen(deadlocks={"total": 0, "seconds": 1.0, "checksum_failures": 1}), "fail", "pages_damaged"),
        (seen(prepared={"count": 1, "seconds": 30.0, "xmin_age": 0}), "fail", "prepared_high"),
        (seen(slots=[{**SLOT, "xmin_age": 100_000_000}]), "fail", "horizon_high"),
        (seen(wraparound={"xid_age": 1, "multixact_age": 1_000_000_000}), "fail", "wraparound_high"),
        (seen(wraparound={"xid_age": 240_000_000, "multixact_age": 1}), "warn", "freeze_high"),
        (seen(dead=[{"name": "t", "ratio": 0.4, "dead": 20000}]), "fail", "dead_high"),
        (seen(sequences=[{"name": "s", "ratio": 0.7, "seen": True}]), "warn", "sequence_high"),
        (seen(sequences=[{"name": "s", "ratio": None, "seen": False}]), "error", "sequences_unseen"),
        (seen(invalid=[{"name": "i", "kind": "index"}]), "warn", "index_invalid"),
        (seen(invalid=[{"name": "c", "kind": "constraint"}]), "warn", "constraint_invalid"),
        (seen(archiver={"failing": False, "failed_s": 5.0, "ready": 16}), "pass", None),
        (seen(archiver={"failing": False, "failed_s": None, "ready": 17}), "fail", "archive_failing"),
        (seen(archiver={"failing": True, "failed_s": 5.0, "ready": 0}), "warn", "archive_failing"),
        (seen(slots=[{**SLOT, "active": False}]), "warn", "slot_unread"),
        (seen(slots=[{**SLOT, "wal_status": "lost"}]), "fail", "slot_unread"),
        (seen(slots=[{**SLOT, "retained": 11.0 * GIB}]), "fail", "slot_unread"),
        (seen({"max_slot_wal_keep_size": "-1"}, slots=[SLOT]), "warn", "slot_limit_off"),
        (seen(replication=[{"name": "r", "seconds": 59.0, "bytes": 0.0}]), "pass", None),
        (seen(replication=[{"name": "r", "seconds": 1.0, "bytes": 1e9}]), "fail", "replica_behind"),
        (seen({"fsync": "off"}), "fail", "settings_lose"),
        (seen({"synchronous_commit": "off"}), "fail", "settings_lose"),
        (seen(pending_restart=["max_connections"]), "warn", "restart_pending"),
        (seen({"idle_in_transaction_session_timeout": "0"}), "fail", "idle_unbounded"),
        (seen({"log_lock_waits": "off"}), "fail", "waits_unlogged"),
        (seen({"log_min_duration_statement": "-1"}), "warn", "slow_unlogged"),
        (seen(access=[{"line": 4, "type": "host", "method": "trust", "error": ""}]), "fail", "access_open"),
        (seen(access=[{"line": 4, "type": "", "method": "", "error": "x"}]), "fail", "access_broken"),
        (seen({"ssl": "off"}), "fail", "tls_off"),
        (seen({"ssl": "off", "listen_addresses": "localhost"}), "pass", None),
        (seen({"password_encryption": "md5"}), "fail", "passwords_weak"),
        (seen(refused={"access": NO_RIGHT}), "error", "no_permission"),
    ],
)  # fmt: skip
def test_one_thing_at_its_edge(what: dict[str, t.Any], status: str, code: str | None) -> None:
    assert told(PostgresHealth().judge(what, OPTIONS)) == (status, {code} - {None})


def test_pools_that_may_open_more_than_there_is_fail_before_they_do() -> None:
    assert told(PostgresHealth().judge(seen(), {**OPTIONS, "pools_max": 97})) == ("pass", set())
    assert told(PostgresHealth().judge(seen(), {**OPTIONS, "pools_max": 98})) == ("fail", {"pools_exceed"})


def test_a_part_that_was_refused_is_not_judged_as_if_it_were_empty() -> None:
    refused = {"code": "postgres.statement_timeout", "params": {"where": "w", "database": "d", "message": ""}, "status": "error"}
    what = {name: value for name, value in seen().items() if name != "sequences"}
    assert told(PostgresHealth().judge({**what, "refused": {"sequences": refused}}, OPTIONS)) == ("error", {"statement_timeout"})


def test_the_head_of_the_queue_is_who_waits_for_nobody() -> None:
    waiting = [{"pid": 1, "blockers": [2]}, {"pid": 2, "blockers": [3]}]
    assert health_rules.root_blocker(waiting, 1) == 3
    assert health_rules.root_blocker(waiting, 9) == 0
    assert health_rules.root_blocker([{"pid": 1, "blockers": [2]}, {"pid": 2, "blockers": [1]}], 1) in (1, 2)


# The alerts.
ALERTS = [
    {"name": "Connections", "expr": "sum by (instance) (pg_stat_activity_count) > 80", "for_s": 600, "severity": "warning", "health": "ok", "error": ""},
    {"name": "Space", "expr": 'node_filesystem_avail_bytes{fstype!="tmpfs"} < 1e9', "for_s": 600, "severity": "warning", "health": "ok", "error": ""},
    {"name": "Locks", "expr": "golive_postgres_lock_wait_seconds > 30", "for_s": 30, "severity": "critical", "health": "ok", "error": ""},
]
SERIES = {
    "pg_stat_activity_count": ["db1:9187"],
    "node_filesystem_avail_bytes": ["db1:9100", "app1:9100"],
    "golive_postgres_lock_wait_seconds": ["db1:9187"],
}
ALERT_OPTIONS = validated(PostgresAlerts, {})


def prometheus(**changed: t.Any) -> dict[str, t.Any]:
    return {"alerts": ALERTS, "up": [{"labels": {"instance": "db1:9187"}, "value": 1.0}], "series": SERIES, "space": [], **changed}


def without(name: str) -> list[dict[str, t.Any]]:
    return [alert for alert in ALERTS if alert["name"] != name]


def with_change(name: str, **changed: t.Any) -> list[dict[str, t.Any]]:
    return [{**alert, **changed} if alert["name"] == name else alert for alert in ALERTS]


def shrinking(days: int, a_day: float) -> list[dict[str, t.Any]]:
    points = [(day * 86400.0, 100e9 - day * a_day) for day in range(days)]
    return [{"labels": {"instance": "db1:9100", "mountpoint": "/"}, "points": points}]


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        (prometheus(), "pass", None),
        (prometheus(up=[]), "fail", "exporter_missing"),
        (prometheus(up=[{"labels": {"instance": "db1:9187"}, "value": 0.0}]), "fail", "exporter_blind"),
        *((prometheus(alerts=without(name)), "fail", "rule_missing") for name in ("Connections", "Space", "Locks")),
        (prometheus(alerts=with_change("Locks", health="err", error="bad")), "fail", "rule_broken"),
        (prometheus(alerts=with_change("Locks", health="unknown")), "fail", "rule_broken"),
        (prometheus(alerts=with_change("Locks", severity="")), "warn", "rule_unlabelled"),
        (prometheus(alerts=with_change("Locks", for_s=3600)), "pass", None),
        (prometheus(alerts=with_change("Locks", for_s=3601)), "fail", "rule_slow"),
        (prometheus(series={**SERIES, "node_filesystem_avail_bytes": ["app1:9100"]}), "fail", "rule_blind"),
        (prometheus(series={name: where for name, where in SERIES.items() if name != "pg_stat_activity_count"}), "fail", "rule_blind"),
        (prometheus(space=shrinking(6, 50e9)), "pass", None),
        (prometheus(space=shrinking(7, 1e9)), "pass", None),
        (prometheus(space=shrinking(10, 3.5e9)), "warn", "growth_high"),
        (prometheus(space=shrinking(10, 8e9)), "fail", "growth_high"),
        (prometheus(space=shrinking(10, -8e9)), "pass", None),
    ],
)
def test_alerts_at_their_edges(what: dict[str, t.Any], status: str, code: str | None) -> None:
    found, codes = told(PostgresAlerts().judge(what, ALERT_OPTIONS))
    # Without a server that exports, free space is nobody's: the exporter stands first in either case.
    assert (found, codes - ({"rule_blind"} if code == "exporter_missing" else set())) == (status, {code} - {None})


def test_a_rule_that_is_named_counts_and_one_that_is_not_there_does_not() -> None:
    vendors = {"name": "RdsFull", "expr": "aws_rds_bytes < 1e9", "for_s": 0, "severity": "page", "health": "ok", "error": ""}
    what = prometheus(alerts=[*without("Space"), vendors], series={**SERIES, "aws_rds_bytes": [""]})
    assert told(PostgresAlerts().judge(what, {**ALERT_OPTIONS, "rules": {"space": "RdsFull"}})) == ("pass", set())
    assert told(PostgresAlerts().judge(what, {**ALERT_OPTIONS, "rules": {"space": "Rds"}})) == ("fail", {"rule_misnamed"})


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (instance) (rate(pg_locks_count{mode=~"a|b", datname!="x}"}[5m])) > 1', ["pg_locks_count"]),
        ("a_total / on (instance) group_left (x) b_total offset 5m unless c:rate5m == bool 0", ["a_total", "b_total", "c:rate5m"]),
        ("predict_linear(node_filesystem_avail_bytes[6h], 24 * 3600) < 0", ["node_filesystem_avail_bytes"]),
        ("pg_stat_activity_count > 1e3 and ignoring(state) up == 1", ["pg_stat_activity_count", "up"]),
        ("vector(1)", []),
    ],
)
def test_metrics_are_told_from_the_other_words_of_promql(expression: str, names: list[str]) -> None:
    assert metrics_in(expression) == names


DRILL = validated(PostgresLockDrill, {"database": "comanda"})


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"before": 0.0, "during": 1.0, "after": 0.0, "seconds": 0.6}, "pass", None),
        ({"before": 0.0, "during": 0.0, "after": 0.0, "seconds": 20.1}, "fail", "unseen"),
        ({"before": 0.0, "during": 1.0, "after": 1.0, "seconds": 0.6}, "fail", "stuck"),
        ({"before": None, "during": None, "after": None, "seconds": 0.0}, "fail", "metric_missing"),
    ],
)
def test_the_drill_passes_only_what_was_seen_and_went(what: dict[str, t.Any], status: str, code: str | None) -> None:
    assert told(PostgresLockDrill().judge(what, DRILL)) == (status, {code} - {None})


def test_every_limit_is_an_option_that_says_where_it_comes_from() -> None:
    source = pathlib.Path(health_rules.__file__).read_text(encoding="utf-8")
    for name, (warn, fail) in health_rules.LIMITS.items():
        assert OPTIONS[name] == [warn, fail]
        assert warn < fail
        assert re.search(rf'"{name}": \([^)]*\),  # \S', source), f"{name} says no source"
    assert set(alerts_rules.TOPICS) == {"connections", "space", "locks"}
