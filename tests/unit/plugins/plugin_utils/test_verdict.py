# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: every way not to know is its own state and NO-GO, and nothing that gets worse makes it better."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import (
    GO,
    GO_WITH_WAIVERS,
    NO_GO,
    STATES,
    TICKED,
    Decision,
    Facts,
    Reason,
    decide,
    other_releases,
)

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
FACTS = Facts("v1", {"h1": "machine-1", "h2": "machine-2"})
VERDICTS = (GO, GO_WITH_WAIVERS, NO_GO)

Dict = dict[str, t.Any]


def row(item: str = "redis.persistence", host: str = "h1", **more: t.Any) -> Dict:
    target = {"host": host, "kind": "host", "name": host}
    return {"item": item, "check": "c", "target": target, "basis": "b", "impact": "passive", "problem": None, "selected": True, **more}


def seen(item: str = "redis.persistence", host: str = "h1", status: str = "pass", age_s: float = 60, **more: t.Any) -> Dict:
    at = (NOW - datetime.timedelta(seconds=age_s)).isoformat()
    machine = FACTS.machines[host]
    base = {"item": item, "check": "c", "target": row(item, host)["target"], "status": status, "basis": "b", "started_at": at}
    return {**base, "machine": machine, "release": "v1", "clock_skew_ms": 0, "reason": {"code": "c.said", "params": {}}, "run_id": "r", **more}


def manifest(*rows: Dict, **fields: t.Any) -> Dict:
    items = {
        one["item"]: {"waivable": True, "max_age_h": 24, "release_bound": False, "attestation": False, "group": "redis", "not_applicable": None, **fields}
        for one in rows or [row()]
    }
    return {"items": items, "rows": list(rows), "hosts_in_play": ["h1", "h2"], "impact": "disruptive", "check_mode": False}


def state(decision: Decision, item: str = "redis.persistence") -> tuple[str, str, str]:
    return decision.verdict, decision.items[item].state, decision.items[item].reason.code


def waiver(**more: t.Any) -> Dict:
    base = {"item": "redis.persistence", "covers": ["fail"], "reason": "r", "owner": "ana", "approver": "luis", "at": "2026-11-20", "expires": "2026-12-20"}
    return {**base, "recorded": {"state": "committed"}, **more}


def attestation(**more: t.Any) -> Dict:
    base = {"item": "redis.persistence", "by": "ana", "role": "lead", "at": "2026-11-20", "expires": "2027-02-18", "evidence": "docs", "statement": "s"}
    return {**base, "recorded": {"state": "no_git"}, **more}


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
        (waiver(), (GO_WITH_WAIVERS, "waived", "used")),
        (waiver(covers=["warn"]), (NO_GO, "fail", "unused")),
        (waiver(expires="2026-11-22"), (NO_GO, "fail", "expired")),
        (waiver(at="2026-11-26"), (NO_GO, "fail", "future")),
        (waiver(expires="2027-02-18"), (GO_WITH_WAIVERS, "waived", "used")),
        (waiver(expires="2027-02-19"), (NO_GO, "fail", "refused")),
        (waiver(approver=" Ana "), (NO_GO, "fail", "refused")),
        (waiver(item="no.such"), (NO_GO, "fail", "refused")),
        (waiver(covers=["not_run"]), (NO_GO, "fail", "refused")),
        (waiver(covers=[]), (NO_GO, "fail", "refused")),
        (waiver(reason=""), (NO_GO, "fail", "refused")),
        (waiver(at="soon"), (NO_GO, "fail", "refused")),
        (waiver(recorded={"state": "uncommitted", "file": "f"}), (NO_GO, "fail", "refused")),
        (waiver(recorded={"state": "ignored", "file": "f"}), (NO_GO, "fail", "refused")),
        (waiver(recorded={"state": "template", "file": "f"}), (NO_GO, "fail", "refused")),
        (waiver(recorded={"state": "unreadable", "file": "f", "problem": "p"}), (NO_GO, "fail", "refused")),
        (waiver(recorded={"state": "excused", "was": "ignored", "file": "f"}), (GO_WITH_WAIVERS, "waived", "used")),
        (waiver(recorded={}), (NO_GO, "fail", "refused")),
        (waiver(recorded=None), (NO_GO, "fail", "refused")),
    ],
)
def test_waivers(entry: Dict, found: tuple[str, str, str]) -> None:
    decision = decide(manifest(row()), [seen(status="fail")], NOW, facts=FACTS, waivers=[entry])
    assert (decision.verdict, decision.items["redis.persistence"].state, decision.waivers[0].state) == found


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
    ("entries", "found"),
    [
        ([], (NO_GO, "pending", "verdict.attestation_missing")),
        ([attestation()], (GO, "attested", "verdict.attested_and_checked")),
        ([attestation(at="2026-11-26")], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(expires="2026-11-22")], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(expires="2027-05-20")], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(evidence="")], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(recorded={"state": "uncommitted", "file": "f"})], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(recorded={})], (NO_GO, "pending", "verdict.attestation_refused")),
        ([attestation(item="other.item")], (NO_GO, "pending", "verdict.attestation_missing")),
    ],
)
def test_attestations(entries: list[Dict], found: tuple[str, str, str]) -> None:
    assert state(decide(manifest(row(), attestation=True), [seen()], NOW, facts=FACTS, attestations=entries)) == found


def test_a_signature_never_outweighs_what_was_seen() -> None:
    decision = decide(manifest(row(), attestation=True), [seen(status="fail")], NOW, facts=FACTS, attestations=[attestation()])
    assert state(decision)[:2] == (NO_GO, "fail")


KEYS = [("a.one", "h1"), ("a.one", "h2"), ("b.two", "h1"), ("c.three", "h2")]
ITEMS = ("a.one", "b.two", "c.three")
MANIFEST = manifest(*[row(item, host) for item, host in KEYS])
KNOWN = ("pass", "warn", "fail")
DECLARED = {"state": "not_applicable", "reason": {"code": "verdict.not_applicable", "params": {"reason": "r", "by": "ana", "approver": "luis"}}}
REFUSED = {"state": "unknown", "reason": {"code": "verdict.not_applicable_refused", "params": {"variable": "v", "flaw": "f"}}}


def sealed(sealed_s: float, **about: t.Any) -> Dict:
    """A row whose run was sealed so many seconds before now; ``age_s`` below ``sealed_s`` is a date after the end of its own run."""
    return seen(**about, sealed_at=(NOW - datetime.timedelta(seconds=sealed_s)).isoformat())


def row_seen(key: tuple[str, str], **about: t.Any) -> Dict:
    return sealed(item=key[0], host=key[1], **about)


@dataclasses.dataclass
class World:
    """All that a verdict is asked of, but for the observations and the time."""

    manifest: Dict
    facts: Facts
    waivers: list[Dict]
    attestations: list[Dict]
    problems: list[Reason]

    def judged(self, rows: list[Dict], now: datetime.datetime = NOW) -> Decision:
        return decide(self.manifest, rows, now, facts=self.facts, waivers=self.waivers, attestations=self.attestations, problems=self.problems)


def often(usual: t.Any, *others: t.Any) -> st.SearchStrategy[t.Any]:
    """Mostly the *usual*, or nothing would ever come to a GO."""
    return st.sampled_from([usual] * 6 + list(others))


statuses = often("pass", *STATUSES)
observations = st.lists(
    st.builds(
        row_seen,
        st.sampled_from(KEYS),
        status=statuses,
        # Also dated in the future, and after the end of their own run.
        age_s=st.one_of(st.integers(-20, 3600), st.integers(-40 * 3600, 40 * 3600)),
        sealed_s=often(0, 5, 3600, 30 * 3600),
        basis=often("b", "other"),
        machine=often("machine-1", "machine-2"),
        release=often("v1", "v0", None),
        clock_skew_ms=often(0, 6000),
    ),
    max_size=12,
)
complete = st.lists(often("pass", *STATUSES[1:]), min_size=len(KEYS), max_size=len(KEYS)).map(
    lambda drawn: [row_seen(key, status=status, age_s=60, sealed_s=0) for key, status in zip(KEYS, drawn, strict=True)]
)
dates = {"at": often("2026-11-20", "2026-11-24", "2026-08-01"), "expires": often("2026-12-20", "2026-11-23", "2026-11-24", "2027-03-01")}
recorded = often({"state": "committed"}, {"state": "uncommitted", "file": "f"})
waivers = st.builds(waiver, item=st.sampled_from(ITEMS), covers=st.sampled_from([["fail"], ["warn"], ["unknown"]]), recorded=recorded, **dates)
attestations = st.builds(attestation, item=st.sampled_from(ITEMS), recorded=recorded, **dates)
rows_asked = st.tuples(
    *(
        st.builds(
            row,
            st.just(item),
            st.just(host),
            impact=often("passive", "active"),
            problem=often(None, *[None] * 6, {"code": "verdict.scope_reduced", "params": {}}),
            more=often({}, {"selected": False}, {"beyond_impact": True, "impact": "active", "allowed": "passive"}),
        ).map(lambda one: {**one, **one.pop("more")})
        for item, host in KEYS
    )
)
fields_of_items = st.fixed_dictionaries(
    {"waivable": often(True, False), "release_bound": st.booleans(), "attestation": often(False, True), "not_applicable": often(None, DECLARED, REFUSED)}
)
worlds = st.builds(
    World,
    st.builds(
        lambda rows, fields, play, checking: {
            **MANIFEST,
            "items": {item: {**MANIFEST["items"][item], **drawn} for item, drawn in zip(ITEMS, fields, strict=True)},
            "rows": list(rows),
            "hosts_in_play": play,
            "check_mode": checking,
        },
        rows_asked,
        st.tuples(*[fields_of_items] * len(ITEMS)),
        often(["h1", "h2"], ["h2"]),
        often(False, True),
    ),
    st.builds(
        Facts,
        often("v1", None),
        often({"h1": "machine-1", "h2": "machine-1"}, {}),
        st.sampled_from(["r", "later"]),
        often({}, {"h1": ["a"]}),
    ),
    st.lists(waivers, max_size=4),
    st.lists(attestations, max_size=4),
    st.lists(st.just(Reason("ledger.broken_seal")), max_size=1) | st.just([]),
)
plain = st.just(World(MANIFEST, Facts("v1", {"h1": "machine-1", "h2": "machine-1"}), [], [], []))


def standing(state: str) -> int:
    """How far an item is from open: ticked, accepted or open."""
    return 0 if state in TICKED else 1 if state == "waived" else 2


def not_better(after: Decision, before: Decision) -> None:
    assert VERDICTS.index(after.verdict) >= VERDICTS.index(before.verdict)
    assert {item: result.state for item, result in before.items.items() if standing(after.items[item].state) < standing(result.state)} == {}


def without_declaration(world: World, item: str) -> World:
    """Return *world* if nobody said that *item* is not there: what was seen of it contradicts that, so there, and only there, seeing less is better."""
    items = world.manifest["items"]
    return dataclasses.replace(world, manifest={**world.manifest, "items": {**items, item: {**items[item], "not_applicable": None}}})


@given(plain | worlds, observations, st.randoms())
def test_order_and_duplicates_never_matter(world: World, rows: list[Dict], random: t.Any) -> None:
    shuffled = rows + rows[:3]
    random.shuffle(shuffled)
    assert [r.state for r in world.judged(shuffled).items.values()] == [r.state for r in world.judged(rows).items.values()]


@given(plain | worlds, observations | complete, st.sampled_from(KEYS))
def test_removing_a_key_never_improves(world: World, rows: list[Dict], key: tuple[str, str]) -> None:
    world = without_declaration(world, key[0])
    not_better(world.judged([one for one in rows if (one["item"], one["target"]["host"]) != key]), world.judged(rows))


@given(plain | worlds, observations | complete, st.one_of(st.integers(0, 3600), st.integers(0, 100 * 24 * 3600)))
def test_time_never_improves(world: World, rows: list[Dict], seconds: int) -> None:
    """No signature here is dated ahead: whoever signs for a later day has said that it counts from then on."""
    not_better(world.judged(rows, NOW + datetime.timedelta(seconds=seconds)), world.judged(rows))


@given(plain | worlds, complete, st.integers(0, len(KEYS) - 1), st.sampled_from(STATUSES[2:]))
def test_worsening_the_newest_row_never_improves(world: World, rows: list[Dict], index: int, status: str) -> None:
    """Where there are waivers, only of what is known: an unknown that turns out a failure can be accepted, and is then better than not knowing."""
    world = without_declaration(world, rows[index]["item"])
    worse = max(rows[index]["status"], status, key=STATUSES.index)
    if rows[index]["status"] not in KNOWN:
        world = dataclasses.replace(world, waivers=[])
    not_better(world.judged([*rows[:index], {**rows[index], "status": worse}, *rows[index + 1 :]]), world.judged(rows))


@given(observations | complete)
def test_only_a_whole_proof_is_go(rows: list[Dict]) -> None:
    decision = decide(MANIFEST, rows, NOW, facts=Facts("v1", {"h1": "machine-1", "h2": "machine-1"}))
    assert (decision.verdict == GO) == all(result.state == "pass" for result in decision.items.values())
    assert all(result.state in STATES for result in decision.items.values())


@given(worlds, observations | complete)
def test_go_needs_every_item_ticked_and_an_accepted_risk_is_told(world: World, rows: list[Dict]) -> None:
    decision = world.judged(rows)
    states = {result.state for result in decision.items.values()}
    assert states <= set(STATES)
    assert decision.verdict != GO or (states <= TICKED and not world.problems)
    assert decision.verdict != GO_WITH_WAIVERS or ("waived" in states and not world.problems)
