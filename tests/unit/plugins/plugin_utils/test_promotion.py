# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prod and staging: a GO that is not fresh, whole and of the same release opens nothing; staging's evidence counts only where it may."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import ledger
from ansible_collections.resto.golive.plugins.plugin_utils.promotion import borrowed, staging_go

ITEM = "redis.persistence"
FIELDS = {"waivable": True, "max_age_h": 24, "release_bound": True, "attestation": False, "group": "redis", "not_applicable": None}
WAIVER = {"item": ITEM, "reason": "r", "owner": "ana@comanda.example", "approver": "luis@comanda.example", "at": "2026-01-01", "covers": ["warn"]}
RECORDS = {"golive_waivers": [{"state": "committed"}]}


@dataclasses.dataclass
class Staging:
    """Staging on disk: its ledger, and the report that its newest run wrote."""

    path: pathlib.Path

    def run(self, status: str = "pass", *, release: str | None = "v1", verdict: str = "GO", **seal: t.Any) -> dict[str, t.Any]:
        """Seal a run that saw *status*, and report *verdict* of it."""
        target = {"host": "s1", "kind": "host", "name": "s1"}
        asked = {"item": ITEM, "check": "c", "target": target, "basis": "b", "impact": "passive", "problem": None}
        whole = {"items": {ITEM: FIELDS}, "rows": [asked], "hosts_in_play": ["s1"], "check_mode": False, "records": RECORDS}
        path = ledger.start(self.path / "runs", "staging", whole)
        about = {"run_id": path.name, "environment": "staging", "machine": "m", "release": release}
        seen = {**asked, **about, "status": status, "reason": {"code": "c.said", "params": {}}, "started_at": ledger.timestamp(ledger.now())}
        ledger.append(path, "s1", [{"row": "host", "host": "s1", "state": "up", **about}, {**seen, "row": "observation"}])
        sealed = ledger.seal(path, **seal)
        return self.report({"verdict": verdict, "run": {"id": path.name}, "waivers": [], "attestations": [], "sealed_at": sealed["sealed_at"]})

    def report(self, content: dict[str, t.Any]) -> dict[str, t.Any]:
        (self.path / "golive.json").write_text(json.dumps(content))
        return content

    def said(self, release: str | None = "v1", *, hours: float = 1) -> str | None:
        """Return what prod says of it, so many hours later."""
        sealed, broken = ledger.load(self.path / "runs", "staging")
        found = staging_go(self.path, [] if broken else sealed, release, ledger.now() + datetime.timedelta(hours=hours))
        return found.code if found else None


@pytest.fixture
def staging(tmp_path: pathlib.Path) -> Staging:
    return Staging(tmp_path)


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        ("pass", "GO", None),
        ("fail", "NO_GO", "verdict.staging_no_go"),
        ("pass", "NO_GO", "verdict.staging_no_go"),
        ("pass", "go", "verdict.staging_no_go"),
        ("fail", "GO", "verdict.staging_unsealed"),
        ("pass", "GO_WITH_WAIVERS", "verdict.staging_unsealed"),
    ],
)
def test_stagings_word_counts_where_its_evidence_says_the_same(staging: Staging, status: str, verdict: str, code: str | None) -> None:
    staging.run(status, verdict=verdict)
    assert staging.said() == code


@pytest.mark.parametrize(
    ("was", "now", "code"),
    [
        ("v1", "v1", None),
        ("v0", "v1", "verdict.staging_other_release"),
        ("v1", None, "verdict.staging_other_release"),
        (None, "v1", "verdict.staging_other_release"),
        (None, None, "verdict.staging_other_release"),
    ],
)
def test_it_is_about_one_release(staging: Staging, was: str | None, now: str | None, code: str | None) -> None:
    staging.run(release=was)
    assert staging.said(now) == code


@pytest.mark.parametrize(("hours", "code"), [(23.9, None), (24.1, "verdict.staging_old"), (-0.1, "verdict.staging_old")])
def test_it_holds_for_a_day_from_its_seal(staging: Staging, hours: float, code: str | None) -> None:
    staging.run()
    assert staging.said(hours=hours) == code


def test_an_accepted_risk_is_accepted_again_only_if_it_still_holds(staging: Staging) -> None:
    expires = str((ledger.now() + datetime.timedelta(days=20)).date())
    at = str((ledger.now() - datetime.timedelta(days=1)).date())
    report = staging.run("warn", verdict="GO_WITH_WAIVERS")
    assert staging.said() == "verdict.staging_unsealed"
    staging.report({**report, "waivers": [{**WAIVER, "at": at, "expires": expires, "state": "used", "problem": None}]})
    assert staging.said() is None
    staging.report({**report, "waivers": [{**WAIVER, "at": at, "expires": expires, "approver": WAIVER["owner"]}]})
    assert staging.said() == "verdict.staging_unsealed"


def test_an_older_report_is_not_the_newest_word(staging: Staging) -> None:
    good = staging.run()
    time.sleep(1.1)  # runs are in the order of their second
    staging.run("fail", verdict="NO_GO")
    staging.report(good)
    assert staging.said() == "verdict.staging_unsealed"


def test_a_killed_run_that_was_sealed_later_has_no_report_of_its_own(staging: Staging) -> None:
    good = staging.run()
    time.sleep(1.1)
    staging.run(adopted=True)
    staging.report(good)
    assert staging.said() is None


def test_a_ledger_that_was_changed_vouches_for_nothing(staging: Staging) -> None:
    staging.run("fail")
    (file,) = staging.path.glob("runs/*/s1.jsonl")
    file.write_text(file.read_text().replace('"fail"', '"pass"'))
    assert staging.said() == "verdict.staging_unsealed"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"verdict": "GO", "run": {"id": "r"}, "waivers": [1], "attestations": []}'])
def test_no_report_of_staging_is_no_go(staging: Staging, content: str | None) -> None:
    staging.run()
    (staging.path / "golive.json").unlink()
    if content is not None:
        (staging.path / "golive.json").write_text(content)
    assert staging.said() == "verdict.staging_unknown"


def row(host: str, proven_by: str = "staging") -> dict[str, t.Any]:
    return {"item": "i", "check": "c", "target": {"host": host, "kind": "host", "name": host}, "basis": "prod", "proven_by": proven_by}


def seen(host: str, status: str = "pass", release: str = "v1", at: str = "2026-11-24T11:00:00Z") -> dict[str, t.Any]:
    return {**row(host), "status": status, "release": release, "started_at": at, "mode": "drill", "basis": "staging"}


def test_staging_lends_where_it_may() -> None:
    (lent,) = borrowed([row("p1")], [], [seen("s1")], "v1")
    assert (lent["target"]["host"], lent["basis"], lent["mode"], lent["status"]) == ("p1", "prod", "drill@staging", "pass")


def test_the_worst_of_stagings_targets_is_lent() -> None:
    (lent,) = borrowed([row("p1")], [], [seen("s1"), seen("s2", "fail")], "v1")
    assert lent["status"] == "fail"


@pytest.mark.parametrize(
    ("rows", "own", "release"), [([row("p1", "each")], [], "v1"), ([row("p1")], [seen("p1")], "v1"), ([row("p1")], [], "v2"), ([row("p1")], [], None)]
)
def test_staging_lends_nothing_else(rows: list[dict[str, t.Any]], own: list[dict[str, t.Any]], release: str | None) -> None:
    assert borrowed(rows, own, [seen("s1")], release) == []
