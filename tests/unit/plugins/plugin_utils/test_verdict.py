# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: every way not to know is its own state and NO-GO, and what was accepted or signed counts as far as it says."""

from __future__ import annotations

import pytest
from verdict_world import FACTS, NOW, Dict, attestation, manifest, row, seen, waiver

from ansible_collections.resto.golive.plugins.plugin_utils.verdict import GO, GO_WITH_WAIVERS, NO_GO, Decision, Facts, Reason, decide, other_releases


def state(decision: Decision, item: str = "redis.persistence") -> tuple[str, str, str]:
    return decision.verdict, decision.items[item].state, decision.items[item].reason.code


def test_proven_is_go() -> None:
    assert state(decide(manifest(row()), [seen()], NOW, facts=FACTS)) == (GO, "pass", "c.said")


def test_nothing_to_prove_is_no_go() -> None:
    empty = {**manifest(), "items": {}, "rows": []}
    assert decide(empty, [], NOW).verdict == NO_GO


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(status="fail"), ("fail", "c.said")),
        (seen(status="warn"), ("warn", "c.said")),
        (seen(status="error"), ("unknown", "c.said")),
        (seen(status="unreachable"), ("unknown", "c.said")),
        (seen(status="not_applicable"), ("unknown", "c.said")),
        (seen(age_s=24 * 3600), ("pass", "c.said")),
        (seen(age_s=24 * 3600 + 1), ("stale", "verdict.stale_age")),
        (seen(age_s=-5), ("pass", "c.said")),
        (seen(age_s=-6), ("stale", "verdict.stale_future")),
        (seen(sealed_at="2026-11-24T11:58:55+00:00"), ("pass", "c.said")),
        (seen(sealed_at="2026-11-24T11:58:54.999Z"), ("stale", "verdict.stale_after_its_run")),
        (seen(age_s=-6, sealed_at="2026-11-24T11:00:00Z"), ("stale", "verdict.stale_future")),
        (seen(basis="other"), ("stale", "verdict.stale_basis")),
        (seen(machine="rebuilt"), ("stale", "verdict.stale_machine")),
        (seen(machine="", status="unreachable"), ("stale", "verdict.stale_away")),
        (seen(clock_skew_ms=5000), ("pass", "c.said")),
        (seen(clock_skew_ms=5001), ("unknown", "verdict.clock_skew")),
        (seen(clock_skew_ms=-5001), ("unknown", "verdict.clock_skew")),
    ],
)
def test_each_way_not_to_hold_has_its_own_state(observation: Dict, expected: tuple[str, str]) -> None:
    verdict, *found = state(decide(manifest(row()), [observation], NOW, facts=FACTS))
    assert tuple(found) == expected
    assert verdict == (GO if expected[0] == "pass" else NO_GO)


def test_evidence_of_another_release_is_stale_where_it_is_bound_to_one() -> None:
    old = seen(release="v0")
    assert state(decide(manifest(row()), [old], NOW, facts=FACTS))[0] == GO
    assert state(decide(manifest(row(), release_bound=True), [old], NOW, facts=FACTS)) == (NO_GO, "stale", "verdict.stale_release")
    unnamed = decide(manifest(row(), release_bound=True), [seen(release=None)], NOW, facts=FACTS)
    assert unnamed.items["redis.persistence"].reason == Reason("verdict.stale_release", {"was": "?", "now": "v1"}), "nobody reads of a release None"


@pytest.mark.parametrize(("run", "found"), [("r", (GO, "pass", "c.said")), ("later", (NO_GO, "stale", "verdict.stale_release_unknown"))])
def test_where_the_release_is_unknown_only_this_run_s_evidence_is_about_it(run: str, found: tuple[str, str, str]) -> None:
    facts = Facts(None, FACTS.machines, run)
    assert state(decide(manifest(row(), release_bound=True), [seen(release=None)], NOW, facts=facts)) == found


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        (row(), "verdict.not_run"),
        (row(selected=False), "verdict.not_selected"),
        (row(beyond_impact=True, impact="active", allowed="passive"), "verdict.impact"),
        (row(problem={"code": "verdict.scope_reduced", "params": {}}), "verdict.scope_reduced"),
        (row(problem={"code": "verdict.undeclared", "params": {}}), "verdict.undeclared"),
    ],
)
def test_a_row_without_evidence_says_why(lacking: Dict, code: str) -> None:
    assert state(decide(manifest(lacking), [], NOW, facts=FACTS)) == (NO_GO, "unknown", code)


@pytest.mark.parametrize(
    ("status", "server", "found"),
    [
        (None, "postgres", (GO, "not_applicable", "verdict.not_applicable")),
        (None, "redis", (NO_GO, "fail", "verdict.contradicted_by_server")),
        ("pass", None, (NO_GO, "fail", "verdict.contradicted_by_check")),
        ("warn", None, (NO_GO, "fail", "verdict.contradicted_by_check")),
        ("fail", None, (NO_GO, "fail", "verdict.contradicted_by_check")),
        ("old pass", None, (NO_GO, "fail", "verdict.contradicted_by_check")),
        ("error", None, (GO, "not_applicable", "verdict.not_applicable")),
        ("unreachable", None, (GO, "not_applicable", "verdict.not_applicable")),
    ],
)
def test_not_applicable_holds_until_it_is_seen(status: str | None, server: str | None, found: tuple[str, str, str]) -> None:
    declared = {"state": "not_applicable", "reason": {"code": "verdict.not_applicable", "params": {"reason": "r", "by": "ana", "approver": "luis"}}}
    facts = Facts("v1", FACTS.machines, servers={"h2": [server] if server else []})
    rows = [seen(status=status.removeprefix("old "), age_s=1e6 if status.startswith("old ") else 60)] if status else []
    assert state(decide(manifest(row(), not_applicable=declared), rows, NOW, facts=facts)) == found


@pytest.mark.parametrize(
    ("declared", "running", "others"),
    [
        (None, {"h1": "v1"}, []),
        ("v1.2", {"h1": "v1.2", "h2": "1.2"}, []),
        ("1.2", {"h1": "v1.2", "h2": None}, []),
        ("v1.2", {"h1": "v1.2", "h2": "v1.1"}, ["h2"]),
        ("v1.2", {"h1": "v1.1", "h2": "v1.1"}, ["h1", "h2"]),
        ("v1.2", {"h1": None}, []),
        ("2", {"h1": "v2"}, []),
        ("alid", {"h1": "valid"}, ["h1"]),
    ],
)
def test_what_is_declared_to_run_is_what_runs(declared: str | None, running: Dict, others: list[str]) -> None:
    found = other_releases(declared, {name: {"release": release} for name, release in running.items()})
    assert [reason.params["host"] for reason in found] == others
    assert {reason.code for reason in found} <= {"verdict.other_release"}


def test_a_limit_and_check_mode_say_so() -> None:
    limited = {**manifest(row()), "hosts_in_play": ["h2"]}
    assert state(decide(limited, [], NOW)) == (NO_GO, "unknown", "verdict.limited")
    checking = {**manifest(row(impact="active")), "check_mode": True}
    assert state(decide(checking, [], NOW)) == (NO_GO, "unknown", "verdict.check_mode")


def test_an_item_without_rows_has_no_hosts() -> None:
    lonely = {**manifest(row()), "rows": []}
    assert state(decide(lonely, [], NOW)) == (NO_GO, "unknown", "verdict.no_hosts")


def test_the_newest_is_the_only_word_and_stale_never_falls_back() -> None:
    assert state(decide(manifest(row()), [seen(age_s=60), seen(status="fail", age_s=30)], NOW, facts=FACTS))[1] == "fail"
    assert state(decide(manifest(row()), [seen(age_s=60), seen(basis="other", age_s=30)], NOW, facts=FACTS))[1] == "stale"
    assert state(decide(manifest(row()), [seen(), seen(status="error")], NOW, facts=FACTS))[1] == "unknown"


def test_a_problem_of_the_run_is_no_go_before_any_rule() -> None:
    assert decide(manifest(row()), [seen()], NOW, facts=FACTS, problems=[Reason("ledger.broken_seal")]).verdict == NO_GO


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (waiver(), (GO_WITH_WAIVERS, "waived", "used", None)),
        (waiver(covers=["warn"]), (NO_GO, "fail", "unused", None)),
        (waiver(expires="2026-11-23"), (NO_GO, "fail", "expired", "verdict.expired")),
        (waiver(expires="2026-11-24"), (GO_WITH_WAIVERS, "waived", "used", None)),
        (waiver(at="2026-11-25"), (GO_WITH_WAIVERS, "waived", "used", None)),
        (waiver(at="2026-11-26"), (NO_GO, "fail", "future", "verdict.future")),
        (waiver(expires="2027-02-18"), (GO_WITH_WAIVERS, "waived", "used", None)),
        (waiver(expires="2027-02-19"), (NO_GO, "fail", "refused", "verdict.too_long")),
        (waiver(approver=" Ana "), (NO_GO, "fail", "refused", "verdict.same_person")),
        (waiver(item="no.such"), (NO_GO, "fail", "refused", "verdict.unknown_item")),
        (waiver(covers=["not_run"]), (NO_GO, "fail", "refused", "verdict.covers")),
        (waiver(covers=[]), (NO_GO, "fail", "refused", "verdict.field_missing")),
        (waiver(reason=""), (NO_GO, "fail", "refused", "verdict.field_missing")),
        (waiver(at="soon"), (NO_GO, "fail", "refused", "verdict.bad_date")),
        (waiver(recorded={"state": "uncommitted", "file": "f"}), (NO_GO, "fail", "refused", "verdict.uncommitted")),
        (waiver(recorded={"state": "ignored", "file": "f"}), (NO_GO, "fail", "refused", "verdict.git_ignored")),
        (waiver(recorded={"state": "template", "file": "f"}), (NO_GO, "fail", "refused", "verdict.signature_template")),
        (waiver(recorded={"state": "unreadable", "file": "f", "problem": "p"}), (NO_GO, "fail", "refused", "verdict.git_silent")),
        (waiver(recorded={"state": "excused", "was": "ignored", "file": "f"}), (GO_WITH_WAIVERS, "waived", "used", None)),
        (waiver(recorded={}), (NO_GO, "fail", "refused", "verdict.record_unknown")),
        (waiver(recorded=None), (NO_GO, "fail", "refused", "verdict.record_unknown")),
    ],
)
def test_waivers(entry: Dict, found: tuple[str, str, str, str | None]) -> None:
    """Refused has many reasons, and only the right one says that its own rule is kept."""
    decision = decide(manifest(row()), [seen(status="fail")], NOW, facts=FACTS, waivers=[entry])
    (signed,) = decision.waivers
    assert (decision.verdict, decision.items["redis.persistence"].state, signed.state, signed.flaw and signed.flaw.code) == found


def test_what_can_never_be_waived_is_not() -> None:
    decision = decide(manifest(row(), waivable=False), [seen(status="fail")], NOW, facts=FACTS, waivers=[waiver()])
    assert (decision.verdict, decision.waivers[0].state) == (NO_GO, "refused")


def test_a_waiver_does_not_hide_what_nobody_looked_at() -> None:
    both = manifest(row(), row(host="h2"))
    assert decide(both, [seen(status="fail")], NOW, facts=FACTS, waivers=[waiver()]).verdict == NO_GO


@pytest.mark.parametrize("status", ["warn", "fail"])
def test_a_waiver_does_not_stand_for_a_signature_that_is_missing(status: str) -> None:
    for signatures, verdict in (([], NO_GO), ([attestation()], GO_WITH_WAIVERS)):
        decision = decide(manifest(row(), attestation=True), [seen(status=status)], NOW, facts=FACTS, waivers=[waiver()], attestations=signatures)
        assert decision.verdict == verdict


def test_at_most_five_waivers() -> None:
    names = [f"i.{number}" for number in range(6)]
    fails = [seen(name, status="fail") for name in names]
    for used, verdict in ((names, NO_GO), (names[1:], GO_WITH_WAIVERS)):
        waivers = [waiver(item=name) for name in used]
        assert decide(manifest(*[row(name) for name in used]), fails, NOW, facts=FACTS, waivers=waivers).verdict == verdict


@pytest.mark.parametrize(
    ("entry", "found", "worth"),
    [
        (attestation(), (GO, "attested", "verdict.attested_and_checked"), ("valid", None)),
        (attestation(at="2026-11-25"), (GO, "attested", "verdict.attested_and_checked"), ("valid", None)),
        (attestation(at="2026-11-26"), (NO_GO, "pending", "verdict.attestation_refused"), ("future", "verdict.future")),
        (attestation(expires="2026-11-24"), (GO, "attested", "verdict.attested_and_checked"), ("valid", None)),
        (attestation(expires="2026-11-23"), (NO_GO, "pending", "verdict.attestation_refused"), ("expired", "verdict.expired")),
        (attestation(expires="2027-05-20"), (NO_GO, "pending", "verdict.attestation_refused"), ("refused", "verdict.too_long")),
        (attestation(evidence=""), (NO_GO, "pending", "verdict.attestation_refused"), ("refused", "verdict.field_missing")),
        (
            attestation(recorded={"state": "uncommitted", "file": "f"}),
            (NO_GO, "pending", "verdict.attestation_refused"),
            ("refused", "verdict.uncommitted"),
        ),
        (attestation(recorded={}), (NO_GO, "pending", "verdict.attestation_refused"), ("refused", "verdict.record_unknown")),
        (attestation(item="other.item"), (NO_GO, "pending", "verdict.attestation_missing"), ("refused", "verdict.unknown_item")),
    ],
)
def test_attestations(entry: Dict, found: tuple[str, str, str], worth: tuple[str, str | None]) -> None:
    decision = decide(manifest(row(), attestation=True), [seen()], NOW, facts=FACTS, attestations=[entry])
    (signed,) = decision.attestations
    assert state(decision) == found
    assert (signed.state, signed.flaw and signed.flaw.code) == worth


def test_what_nobody_signed_is_pending() -> None:
    assert state(decide(manifest(row(), attestation=True), [seen()], NOW, facts=FACTS)) == (NO_GO, "pending", "verdict.attestation_missing")


def test_a_signature_never_outweighs_what_was_seen() -> None:
    decision = decide(manifest(row(), attestation=True), [seen(status="fail")], NOW, facts=FACTS, attestations=[attestation()])
    assert state(decision)[:2] == (NO_GO, "fail")
