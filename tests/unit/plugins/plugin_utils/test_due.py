# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill acts again when, and only when, its evidence would not hold until the next run."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, due, ledger
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts, key_of

HOST = {"edge1": {"state": "up", "machine": "m1", "release": "v1"}}


def drill(**item: t.Any) -> Entry:
    check = CHECKS["tls_renewal_drill"]
    entry = dataclasses.replace(catalogue.items()[check.items[0]], max_age_h=24, **{"release_bound": False, **item})
    return Entry(check, entry, "edge1", {}, [("host", "edge1")], None)


def seen(entry: Entry, *, age_h: float = 1.0, **changed: t.Any) -> dict[t.Any, dict[str, t.Any]]:
    at = ledger.timestamp(ledger.now() - datetime.timedelta(hours=age_h))
    row = {
        "item": entry.item.id,
        "check": entry.check.name,
        "target": {"host": "edge1", "kind": "host", "name": "edge1"},
        "status": "pass",
        "basis": entry.basis("host", "edge1"),
        "machine": "m1",
        "release": "v1",
        "started_at": at,
        **changed,
    }
    return {key_of(row): row}


def is_due(entry: Entry, newest: dict[t.Any, dict[str, t.Any]]) -> bool:
    return due.is_due(entry, "host", "edge1", newest, Facts.of(HOST))


def test_what_was_never_seen_is_due() -> None:
    assert is_due(drill(), {})


def test_fresh_evidence_is_not_repeated() -> None:
    assert not is_due(drill(), seen(drill()))


@pytest.mark.parametrize(("age_h", "wanted"), [(11.9, False), (12.1, True)])
def test_half_a_life_is_the_edge(age_h: float, wanted: bool) -> None:
    assert is_due(drill(), seen(drill(), age_h=age_h)) is wanted


@pytest.mark.parametrize("changed", [{"status": "fail"}, {"status": "error"}, {"basis": "another"}, {"machine": "rebuilt"}])
def test_what_the_verdict_would_not_take_is_due(changed: dict[str, str]) -> None:
    assert is_due(drill(), seen(drill(), **changed))


def test_what_is_dated_after_the_end_of_its_own_run_is_due(tmp_path: pathlib.Path) -> None:
    entry = drill()
    (row,) = seen(entry, age_h=1.0, environment="staging", row="observation").values()
    path = ledger.start(tmp_path, "staging", {"rows": []})
    ledger.append(path, "edge1", [row])
    seal = ledger.seal(path)
    (kept,) = due.remembered(ledger.load(tmp_path, "staging")[0])
    assert not is_due(entry, {key_of(kept): kept})
    ended = ledger.timestamp(datetime.datetime.fromisoformat(seal["sealed_at"]) - datetime.timedelta(hours=2))
    assert is_due(entry, {key_of(kept): {**kept, "sealed_at": ended}})


@pytest.mark.parametrize("bound", [True, False])
def test_another_release_makes_due_what_is_bound_to_it(bound: bool) -> None:
    entry = drill(release_bound=bound)
    assert is_due(entry, seen(entry, release="v0")) is bound


@pytest.mark.parametrize("bound", [True, False])
def test_a_release_that_nobody_knows_makes_due_what_is_bound_to_one(bound: bool) -> None:
    entry = drill(release_bound=bound)
    newest = seen(entry, release=None, run_id="earlier")
    assert due.is_due(entry, "host", "edge1", newest, Facts(None, {"edge1": "m1"}, "now")) is bound


def test_the_manifest_remembers_the_newest_row_of_each_drill_and_no_more(tmp_path: pathlib.Path) -> None:
    entry = drill()
    for age_h, status in ((3.0, "pass"), (2.0, "fail"), (4.0, "pass")):
        path = ledger.start(tmp_path, "staging", {"rows": []})
        (row,) = seen(entry, age_h=age_h, status=status, environment="staging", row="observation", run_id=path.name, evidence=["x" * 1000]).values()
        ledger.append(path, "edge1", [row, {**row, "check": "tls_certificate"}, {**row, "check": "evidence:mine"}, {**row, "row": "host"}])
        ledger.seal(path)
    sealed, problems = ledger.load(tmp_path, "staging")
    (kept,) = due.remembered(sealed)
    assert problems == []
    assert (kept["check"], kept["status"]) == ("tls_renewal_drill", "fail")
    assert "evidence" not in kept


@pytest.mark.parametrize(("status", "wanted"), [("pass", []), ("fail", ["tls_renewal_drill"]), (None, ["tls_renewal_drill"])])
def test_what_is_due_is_asked_of_the_manifest_alone(tmp_path: pathlib.Path, status: str | None, wanted: list[str]) -> None:
    entry = drill()
    rows = list(seen(entry, status=status, run_id="earlier").values()) if status else []
    ledger.write_atomically(tmp_path / ledger.MANIFEST, {due.REMEMBERED: rows})
    run = CurrentRun({"environment": "staging", "impact": "disruptive", "path": str(tmp_path)})
    variables = {"groups": {"all": ["edge1"]}, "hostvars": {"edge1": {"golive_probe": {"golive": HOST["edge1"]}}}}
    assert [one.check.name for one in due.only_due([entry], run, variables)] == wanted


def test_without_a_run_every_drill_is_due() -> None:
    assert due.only_due([drill()], None, {}) != []
