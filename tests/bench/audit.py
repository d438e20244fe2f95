# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real audit, whole: preflight, probe, every check, verdict and reports, against its slowest check and against the same checks one module a task."""

from __future__ import annotations

import json
import pathlib
import statistics
import tempfile
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.tests.bench import lab
from ansible_collections.resto.golive.tests.bench.engine import bare
from ansible_collections.resto.golive.tests.bench.measure import median_s, ratio, rounds
from ansible_collections.resto.golive.tests.bench.table import Floor, Row, seconds

#: The journey takes several hosts and the join afterwards; no single task can call it.
APART: tuple[type[Check], ...] = tuple(check for check in CHECKS.values() if not check.drill and check is not OrderJourney)


def rows() -> list[Row]:
    looked: list[dict[str, float]] = []
    apart = lab.playbook("real_apart", *one_by_one())
    audit()
    seen = rounds(3, audit=lambda: looked.append(audit()), bare=bare)
    beside = rounds(1, audit=audit, apart=lambda: lab.play(apart))
    runs = list(zip(seen["audit"], looked, seen["bare"], strict=True))
    took, floor = seconds(median_s(seen["audit"])), seconds(median_s(seen["bare"]))
    slowest, waited = statistics.median(max(checks.values()) for checks in looked), statistics.median(one_after_another(checks) for checks in looked)
    beyond_slowest = statistics.median((whole.wall_s - max(checks.values())) / bare_run.wall_s for whole, checks, bare_run in runs)
    beyond_waited = statistics.median((whole.wall_s - one_after_another(checks)) / bare_run.wall_s for whole, checks, bare_run in runs)
    names = sorted({max(checks, key=lambda name: checks[name]) for checks in looked})
    return [
        Row(
            "real audit beyond its slowest check, in bare floors",
            took,
            f"{seconds(slowest)} ({', '.join(names)}), floor {floor}",
            beyond_slowest,
            Floor(at_most=2.5),
        ),
        Row("the same, beyond what has to run one after another (slowest check, then those alone)", took, f"{seconds(waited)}, floor {floor}", beyond_waited),
        Row(
            f"real audit; its {len(APART)} checks one module a task, without the journey, preflight, verdict and reports",
            seconds(median_s(beside["audit"])),
            seconds(median_s(beside["apart"])),
            ratio(beside["apart"], beside["audit"]),
        ),
    ]


def audit() -> dict[str, float]:
    """Run it once, with a ledger of its own; returns what each check took at most, in seconds."""
    with tempfile.TemporaryDirectory(prefix="golive-bench-") as reports:
        lab.play("playbooks/audit.yml", "-e", "golive_fail_on_no_go=false", "-e", f"golive_report_dir={reports}")
        report = json.loads(pathlib.Path(reports, "staging", "latest", "golive.json").read_text(encoding="utf-8"))
    seen: dict[str, float] = {}
    for row in (row for item in report["items"] for row in item["observations"] if row["duration_ms"]):
        seen[row["check"]] = max(seen.get(row["check"], 0.0), row["duration_ms"] / 1000)
    return seen


def one_after_another(checks: dict[str, float]) -> float:
    """Return the slowest of the checks that run side by side, and all of those that would disturb them."""
    alone = {name for name in checks if CHECKS[name].alone}
    return max(took for name, took in checks.items() if name not in alone) + sum(checks[name] for name in alone)


def one_by_one() -> list[lab.Play]:
    """Return a play for each group with a task for each of its checks, as a playbook of single modules is written."""
    groups: dict[str, list[dict[str, t.Any]]] = {}
    for check in APART:
        groups.setdefault(check.vantage, []).append({"name": check.name, f"resto.golive.{check.name}": {}})
    hosts = {"control": "localhost"}
    return [{"hosts": hosts.get(group, group), "become": group != "control", "tasks": tasks} for group, tasks in groups.items()]
