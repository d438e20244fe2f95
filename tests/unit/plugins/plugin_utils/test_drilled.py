# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One drill in one line: it passed only where everything that is asked was done by this very run, and passed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import drilled

Row = dict[str, t.Any]


def asked(host: str = "db1", **more: t.Any) -> Row:
    return {"item": "postgres.restore", "check": "restore_drill", "target": {"host": host, "kind": "host", "name": host}, "problem": None, **more}


def seen(status: str, host: str = "db1", code: str = "postgres.drill_running") -> Row:
    more = {"row": "observation", "status": status, "started_at": "2026-11-24T10:00:00Z", "reason": {"code": code, "params": {"scratch": "/x"}}}
    return {**asked(host), **more}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pass", "PASS"), ("fail", "FAIL"), ("warn", "FAIL"), ("error", "INCONCLUSIVE"),
        ("unreachable", "INCONCLUSIVE"), ("not_run", "INCONCLUSIVE"), ("not_applicable", "INCONCLUSIVE"), ("surprise", "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_only_a_pass_is_one(status: str, word: str) -> None:
    good, told = drilled.outcome("restore_drill", [asked()], [seen(status)])
    assert good == (status == "pass")
    assert told.startswith(f"restore_drill: {word} · db1 · Ya hay un ensayo en marcha en /x.")
    assert " / Another drill is running in /x." in told
    assert "\n" not in told


def test_nobody_was_asked() -> None:
    assert not drilled.outcome("restore_drill", [], [seen("pass")])[0]


def test_a_limit_left_it_out() -> None:
    good, told = drilled.outcome("restore_drill", [asked()], [{"row": "host", "host": "db1"}, {**seen("pass"), "check": "postgres_backup"}])
    assert (good, told.partition(" · ")[0]) == (False, "restore_drill: NOT RUN")


def test_the_worst_host_counts() -> None:
    rows = [seen("pass"), seen("error", "db2")]
    good, told = drilled.outcome("restore_drill", [asked(), asked("db2"), asked("db3", problem={"code": "verdict.no_hosts", "params": {}})], rows)
    assert (good, told.split(" · ")[:3]) == (False, ["restore_drill: INCONCLUSIVE", "db2", "+2"])


def test_what_is_not_declared_did_not_pass() -> None:
    problem = {"code": "verdict.undeclared", "params": {"example": "postgres_database: comanda\npostgres_host: x"}}
    good, told = drilled.outcome("restore_drill", [asked(problem=problem)], [seen("pass")])
    assert not good
    assert "postgres_database: comanda postgres_host: x" in told
