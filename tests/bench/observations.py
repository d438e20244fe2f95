# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""10,000 observations: what it takes to write, seal and load them, to decide, and to write every report. In this process, without Ansible and without a lab."""

from __future__ import annotations

import pathlib
import statistics
import tempfile
import time
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import assembly, catalogue, ledger, report, verdict
from ansible_collections.resto.golive.tests.bench.table import Row, seconds

COUNT = 10_000
HOSTS = 50
MANIFEST_FIELDS = {"severity": "high", "waivable": False, "max_age_h": 24, "release_bound": False, "attestation": False, "group": "all", "owner": "ana@x.test"}


def rows() -> list[Row]:
    times: dict[str, list[float]] = {}
    for _round in range(3):
        for what, took in measured().items():
            times.setdefault(what, []).append(took)
    medians = {what: statistics.median(taken) for what, taken in times.items()}
    return [Row(f"{COUNT:,} observations: {what}", seconds(took), "", took, unit="s") for what, took in medians.items()]


def measured() -> dict[str, float]:
    """Go the whole way once; returns seconds by step."""
    manifest, observations = made()
    times: dict[str, float] = {}

    def step(what: str, act: t.Callable[[], t.Any]) -> t.Any:
        began = time.monotonic()
        made_now = act()
        times[what] = time.monotonic() - began
        return made_now

    with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
        runs = pathlib.Path(folder, "runs")
        path = ledger.start(runs, "staging", manifest)
        by_host: dict[str, list[dict[str, t.Any]]] = {}
        for observation in observations:
            by_host.setdefault(observation["target"]["host"], []).append(observation)
        step("write", lambda: [ledger.append(path, host, listed) for host, listed in by_host.items()])
        step("seal", lambda: ledger.seal(path))
        sealed, _problems = step("load and check the seal", lambda: ledger.load(runs, "staging"))
        decision = step("verdict", lambda: verdict.decide(manifest, ledger.observations(sealed), ledger.now()))
        about = {"id": path.name, "hosts": {}, "check_mode": False, "tags": ["all"], "limit": None, "started_at": "", "finished_at": "", "controller": {}}
        whole = step("golive.json", lambda: assembly.report(decision, manifest, about, release="v1", now=ledger.now()))
        step("all reports", lambda: report.write_all(whole, pathlib.Path(folder, "report")))
    return times


def made() -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Return a manifest and its observations: every item of the catalogue on fifty hosts, five targets each."""
    items = list(catalogue.items())
    started = ledger.timestamp(ledger.now())
    manifest_rows, observations = [], []
    for number in range(COUNT):
        host = f"host{number % HOSTS:02}"
        target = {"host": host, "kind": "endpoint", "name": f"name{number // (HOSTS * len(items))}"}
        row = {"item": items[number // HOSTS % len(items)], "check": "bench", "target": target}
        manifest_rows.append({**row, "basis": "b", "impact": "passive", "problem": None, "selected": True})
        piece = {"kind": "assertion", "source": "bench", "assertion": "verdict.passed", "status": "pass", "params": {"count": 1}, "excerpt": ""}
        observations.append(
            {
                **row,
                "schema": 1,
                "row": "observation",
                "run_id": "bench",
                "environment": "staging",
                "mode": "audit",
                "impact": "passive",
                "basis": "b",
                "machine": "m",
                "release": "v1",
                "clock_skew_ms": 0,
                "status": "pass",
                "reason": {"code": "verdict.passed", "params": {"count": 1}},
                "expected": 1,
                "observed": 1,
                "started_at": started,
                "duration_ms": 5,
                "attempts": 1,
                "flaky": False,
                "evidence": [{**piece, "expected": 1, "observed": 1, "sha256": "0" * 64}] * 3,
            }
        )
    fields = {item: {**MANIFEST_FIELDS, "not_applicable": None} for item in items}
    manifest = {"schema": 1, "environment": "staging", "impact": "active", "check_mode": False, "tags": ["all"], "limit": None, "hosts_in_play": []}
    return {**manifest, "items": fields, "rows": manifest_rows}, observations
