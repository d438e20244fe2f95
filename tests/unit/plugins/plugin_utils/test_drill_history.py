# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drills that the ledger remembers: all that were tried, what each measured, and the steps of the last that passed."""

from __future__ import annotations

import datetime
import random
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_rules
from ansible_collections.resto.golive.plugins.plugin_utils import drill_history

SEEN = {
    "verdict": "pass", "id": "20261124T095500Z-00000000", "tables": 3, "rows": 9, "invariants": 1, "questions": {"a": "select 1"},
    "phases": {"fetch": 1.5, "restore": 20.0}, "steps": [{"phase": "fetch", "argv": ["restic"], "seconds": 1.5}], "settings": "tuned",
    "walls": {"User": True},
    "server_version": 150018, "database": "shop", "copy_bytes": 4096, "twice_the_size": None, "at": "2026-11-24T09:55:00+00:00", "started": 1795514700.0,
}  # fmt: skip
OPTIONS = {"engine": "dump", "rto_minutes": 30.0, "rpo_minutes": 60.0, "invariants": {"a": "select 1"}}

Row = dict[str, t.Any]


def row(day: int, *, host: str = "db1", mode: str = "drill", **changed: t.Any) -> Row:
    """One observation as the ledger has it: what the check's own judge says of what was seen."""
    assertions = drill_rules.judge({**SEEN, **changed}, OPTIONS)
    worst = next((one for one in assertions if one.status != "pass"), assertions[0])
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=day)
    return {
        "check": "restore_drill", "mode": mode, "run_id": f"r{day:03}", "started_at": at.isoformat(), "target": {"host": host, "kind": "host", "name": host},
        "status": worst.status, "reason": {"code": worst.code, "params": dict(worst.params)}, "evidence": [one.evidence() for one in assertions],
    }  # fmt: skip


FAILED: Row = {"verdict": "fail", "told": [{"code": "rows_differ", "name": "public.orders", "wanted": 2, "found": 1}]}


def test_everything_that_a_drill_measured() -> None:
    (drill,) = drill_history.restores([row(1)])
    assert drill["reason"]["text"]["en"].startswith("The backup 20261124T095500Z-00000000 came back exact: 3 tables")
    del drill["reason"]
    assert drill == {
        "host": "db1", "run_id": "r001", "at": "2026-01-02T00:00:00+00:00", "status": "pass", "backup": SEEN["id"], "tables": 3, "rows": 9, "invariants": 1,
        "rto_s": 21.5, "rto_limit_min": 30.0, "rpo_min": 10.0, "rpo_limit_min": 60.0, "bytes": 4096, "settings": "tuned", "database": "shop",
        "server_version": 150018, "twice_the_size": None, "phases": SEEN["phases"], "steps": SEEN["steps"],
    }  # fmt: skip


def test_somebody_elses_backup_has_its_numbers_as_well() -> None:
    (drill,) = drill_history.restores([row(1, unsealed=True, answers={"a": [["1"]]})])
    assert (drill["status"], drill["backup"], drill["tables"], drill["invariants"]) == ("pass", SEEN["id"], 3, 1)


def test_order_does_not_matter() -> None:
    rows = [row(day) for day in range(20)]
    mixed = random.Random(1).sample(rows, len(rows))
    assert [drill["run_id"] for drill in drill_history.restores(mixed)] == [one["run_id"] for one in rows]


def test_only_drills_count() -> None:
    assert drill_history.restores([row(1, mode="audit"), row(2, mode="check_mode"), {**row(3), "check": "postgres_backup"}]) == []


def test_one_that_failed_has_no_numbers_and_is_there() -> None:
    (drill,) = drill_history.restores([row(1, **FAILED)])
    assert (drill["status"], drill["rto_s"], drill["bytes"], drill["steps"], drill["phases"]) == ("fail", None, None, [], {})


def test_one_that_was_too_slow_has_its_numbers_but_no_steps_to_follow() -> None:
    (drill,) = drill_history.restores([row(1, phases={"restore": 3600.0})])
    assert (drill["status"], drill["rto_s"], drill["steps"]) == ("fail", 3600.0, [])


def test_only_the_newest_that_passed_carries_its_steps() -> None:
    told = drill_history.restores([row(1), row(2), row(3, **FAILED), row(4, host="db2")])
    assert [(drill["host"], drill["run_id"], bool(drill["steps"])) for drill in told] == [
        ("db1", "r001", False), ("db1", "r002", True), ("db1", "r003", False), ("db2", "r004", True),
    ]  # fmt: skip


def test_the_last_that_passed_stays_however_many_failed_since() -> None:
    told = drill_history.restores([row(0), row(1), *(row(day, **FAILED) for day in range(2, 90))])
    assert len(told) == drill_history.KEPT + 1
    assert (told[0]["run_id"], bool(told[0]["steps"])) == ("r001", True)
