# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own proof: it fills a box that no check of ours has, outweighs none, ages, and goes only by an approved declaration."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import signatures
from ansible_collections.resto.golive.plugins.plugin_utils.evidence import FAILED_FIX, PREFIX, with_evidence
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts, decide

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
FACTS = Facts("v1", {"probe1": "m1"})
RUN = "this-run"
ITEM = "acceptance.smoke_ui"

Row = dict[str, t.Any]


def asked(check: str = "", **more: t.Any) -> Row:
    target = {"host": "probe1" if check else "", "kind": "host" if check else "item", "name": "probe1" if check else ITEM}
    problem = None if check else {"code": "verdict.no_check", "params": {}}
    return {"item": ITEM, "check": check, "target": target, "basis": "", "impact": "passive", "problem": problem, **more}


def recorded(status: str = "pass", name: str = f"{PREFIX}playwright", age_h: float = 1, run_id: str = "earlier", **more: t.Any) -> Row:
    at = (NOW - datetime.timedelta(hours=age_h)).isoformat()
    about = {"machine": "m1", "release": "v1", "clock_skew_ms": 0, "run_id": run_id, "basis": ""}
    reason = {"code": "verdict.evidence", "params": {"task": name}}
    target = {"host": "probe1", "kind": "host", "name": "probe1"}
    return {"item": ITEM, "check": name, "target": target, "status": status, "started_at": at, "reason": reason, **about, **more}


def state(rows: list[Row], observations: list[Row], retired: t.Sequence[Row] = ()) -> tuple[str, str]:
    """Return the item's state and the code of its reason."""
    fields = {"waivable": True, "max_age_h": 24, "release_bound": False, "attestation": False, "group": "probe", "not_applicable": None}
    manifest = {"items": {ITEM: fields}, "rows": rows, "hosts_in_play": ["probe1"], "impact": "active", "check_mode": False}
    whole = with_evidence(manifest, observations, RUN, signatures.counted(retired))
    result = decide(whole, observations, NOW, facts=FACTS).items[ITEM]
    return result.state, result.reason.code


def test_without_it_a_box_that_no_check_has_is_open() -> None:
    assert state([asked()], []) == ("unknown", "verdict.no_check")


@pytest.mark.parametrize(("status", "wanted"), [("pass", "pass"), ("warn", "warn"), ("fail", "fail"), ("error", "unknown")])
def test_it_takes_the_place_of_no_check(status: str, wanted: str) -> None:
    assert state([asked()], [recorded(status)]) == (wanted, "verdict.evidence")


@pytest.mark.parametrize("status", ["fail", "warn", "error"])
def test_it_cannot_outweigh_a_check(status: str) -> None:
    looked = recorded(status, name="a_check")
    assert state([asked("a_check")], [looked, recorded("pass", age_h=0.5)])[0] != "pass"
    assert state([asked("a_check")], [recorded("pass")]) == ("unknown", "verdict.not_run")


def test_beside_a_check_that_passes_it_can_only_make_it_worse() -> None:
    looked = recorded("pass", name="a_check")
    assert state([asked("a_check")], [looked, recorded("pass")])[0] == "pass"
    assert state([asked("a_check")], [looked, recorded("fail")])[0] == "fail"


def test_one_of_two_that_failed_counts() -> None:
    assert state([asked()], [recorded("pass"), recorded("fail", name=f"{PREFIX}cypress")])[0] == "fail"


def test_of_one_name_the_newest_counts() -> None:
    assert state([asked()], [recorded("fail", age_h=2), recorded("pass", age_h=1)])[0] == "pass"
    assert state([asked()], [recorded("pass", age_h=2), recorded("fail", age_h=1)])[0] == "fail"


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (recorded(age_h=24.1), "verdict.stale_age"),
        (recorded(age_h=-1), "verdict.stale_future"),
        (recorded(machine="rebuilt"), "verdict.stale_machine"),
    ],
)
def test_it_ages_like_any_other(seen: Row, code: str) -> None:
    assert state([asked()], [seen]) == ("stale", code)


def test_it_holds_to_the_last_moment() -> None:
    assert state([asked()], [recorded(age_h=24)])[0] == "pass"


def test_evidence_of_what_the_catalogue_does_not_have_is_nothing() -> None:
    assert state([asked()], [recorded(item="no.such")]) == ("unknown", "verdict.no_check")


def test_a_failed_fix_blocks_in_its_own_run_only() -> None:
    passed = recorded("pass", name="a_check")
    assert state([asked("a_check")], [passed, recorded("fail", name=FAILED_FIX, run_id=RUN)])[0] == "fail"
    assert state([asked("a_check")], [passed, recorded("fail", name=FAILED_FIX)])[0] == "pass"


OLD = recorded(name=f"{PREFIX}old name", age_h=48)
RETIRED = {"item": ITEM, "target": "old name", "reason": "renamed", "by": "ana", "approver": "luis", "recorded": {"state": "committed"}}


def without(name: str) -> Row:
    return {key: value for key, value in RETIRED.items() if key != name}


def test_evidence_that_was_renamed_blocks_until_it_is_retired() -> None:
    assert state([asked()], [recorded(), OLD]) == ("stale", "verdict.stale_age")
    assert state([asked()], [recorded(), OLD], [RETIRED]) == ("pass", "verdict.evidence")


def test_what_is_left_when_all_of_it_is_retired_is_an_open_box() -> None:
    assert state([asked()], [OLD], [RETIRED]) == ("unknown", "verdict.no_check")


@pytest.mark.parametrize("entry", [RETIRED, without("target"), {**without("target"), "host": "probe1"}], ids=["by its name", "of an item", "on a host"])
def test_a_retirement_names_it_by_item_host_or_name(entry: Row) -> None:
    assert state([asked()], [recorded(run_id=RUN), OLD], [entry]) == ("pass", "verdict.evidence")


@pytest.mark.parametrize(
    "entry",
    [
        {**RETIRED, "approver": "Ana"},
        without("approver"),
        without("reason"),
        {**RETIRED, "target": "playwright"},
        {**RETIRED, "item": "acceptance.smoke_api"},
        {**RETIRED, "host": "web1"},
        {**RETIRED, "recorded": {"state": "uncommitted"}},
        without("recorded"),
    ],
    ids=["approved by oneself", "by nobody", "for no reason", "another name", "another item", "another host", "not committed", "git was not asked"],
)
def test_only_an_approved_retirement_that_names_it_lets_it_go(entry: Row) -> None:
    assert state([asked()], [recorded(run_id=RUN), OLD], [entry])[0] == "stale"


def test_what_this_run_recorded_cannot_be_retired() -> None:
    failed = recorded("fail", name=f"{PREFIX}old name", run_id=RUN)
    assert state([asked()], [recorded(), failed], [RETIRED])[0] == "fail"


def test_a_failed_fix_cannot_be_retired() -> None:
    failed = recorded("fail", name=FAILED_FIX, run_id=RUN)
    entry = {**without("target"), "host": "probe1"}
    assert state([asked("a_check")], [recorded("pass", name="a_check"), failed], [entry])[0] == "fail"
