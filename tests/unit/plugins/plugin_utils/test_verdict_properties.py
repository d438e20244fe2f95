# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict's properties: order never matters, nothing that gets worse, older or fewer makes it better, and only a whole proof is GO."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from hypothesis import given
from hypothesis import strategies as st
from verdict_world import NOW, Dict, attestation, manifest, row, seen, waiver

from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import GO, GO_WITH_WAIVERS, NO_GO, STATES, TICKED, Decision, Facts, Reason, decide

VERDICTS = (GO, GO_WITH_WAIVERS, NO_GO)
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
