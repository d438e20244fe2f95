# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict's properties: order never matters, nothing that gets worse, older or fewer makes it better, and only a whole proof is GO.

The oracle is the design (section 5) said a second time, and shares no code with the verdict.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from verdict_world import FACTS, NOW, Dict, attestation, manifest, row, seen, waiver

from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import GO, GO_WITH_WAIVERS, NO_GO, STATES, TICKED, Decision, Facts, Reason, decide

VERDICTS = (GO, GO_WITH_WAIVERS, NO_GO)
KEYS = [("a.one", "h1"), ("a.one", "h2"), ("b.two", "h1"), ("c.three", "h2")]
ITEMS = ("a.one", "b.two", "c.three")
MANIFEST = manifest(*[row(item, host) for item, host in KEYS])
KNOWN = ("pass", "warn", "fail")
DAY_S = 24 * 3600
#: A busy machine is no failure.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DECLARED = {"state": "not_applicable", "reason": {"code": "verdict.not_applicable", "params": {"reason": "r", "by": "ana", "approver": "luis"}}}
REFUSED = {"state": "unknown", "reason": {"code": "verdict.not_applicable_refused", "params": {"variable": "v", "flaw": "f"}}}


def sealed(sealed_s: float, **about: t.Any) -> Dict:
    """A row whose run was sealed so many seconds before now; ``age_s`` below ``sealed_s`` is a date after the end of its own run."""
    return seen(**about, sealed_at=(NOW - datetime.timedelta(seconds=sealed_s)).isoformat())


def row_seen(key: tuple[str, str], rebuilt: bool = False, **about: t.Any) -> Dict:
    """A row of its own host's machine, unless that was *rebuilt* since."""
    return sealed(item=key[0], host=key[1], **about, **({"machine": "rebuilt"} if rebuilt else {}))


def fresh(key: tuple[str, str], **about: t.Any) -> Dict:
    return row_seen(key, **{"age_s": 60, "sealed_s": 0, **about})


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


PLAIN = World(MANIFEST, FACTS, [], [], [])
FRESH = [fresh(key) for key in KEYS]


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
        rebuilt=often(False, True),
        release=often("v1", "v0", None),
        clock_skew_ms=often(0, 6000),
    ),
    max_size=12,
)
said = st.lists(often("pass", *STATUSES[1:]), min_size=len(KEYS), max_size=len(KEYS))
complete = st.just(FRESH) | said.map(lambda drawn: [fresh(key, status=status) for key, status in zip(KEYS, drawn, strict=True)])
#: What can be wrong with a row, or only just right.
TWISTS = [
    {},
    *[{"status": status} for status in STATUSES],
    *[{"age_s": age_s} for age_s in (-6, -5, 0, DAY_S, DAY_S + 1)],
    *[{"sealed_s": sealed_s} for sealed_s in (65, 66)],
    *[{"clock_skew_ms": skew_ms} for skew_ms in (-5001, -5000, None, 5000, 5001)],
    *[{"release": release} for release in ("v0", None)],
    {"basis": "other"},
    {"rebuilt": True},
]
twisted = st.tuples(*[st.sampled_from(TWISTS)] * len(KEYS)).map(lambda drawn: [fresh(key, **twist) for key, twist in zip(KEYS, drawn, strict=True)])
#: Of one time, and often unlike.
tied = st.builds(list.__add__, twisted, twisted)
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
        often(FACTS.machines, {}),
        st.sampled_from(["r", "later"]),
        often({}, {"h1": ["a"]}),
    ),
    st.lists(waivers, max_size=4),
    st.lists(attestations, max_size=4),
    st.lists(st.just(Reason("ledger.broken_seal")), max_size=1) | st.just([]),
)
plain = st.just(PLAIN)


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


def test_these_worlds_have_a_go_to_lose() -> None:
    assert PLAIN.judged(FRESH).verdict == GO


@UNHURRIED
@given(plain | worlds, observations | tied, st.randoms())
def test_order_and_duplicates_never_matter(world: World, rows: list[Dict], random: t.Any) -> None:
    shuffled = rows + rows[:3]
    random.shuffle(shuffled)
    assert world.judged(shuffled) == world.judged(rows)


@UNHURRIED
@given(plain | worlds, observations | complete | twisted, st.sampled_from(KEYS))
def test_removing_a_key_never_improves(world: World, rows: list[Dict], key: tuple[str, str]) -> None:
    world = without_declaration(world, key[0])
    not_better(world.judged([one for one in rows if (one["item"], one["target"]["host"]) != key]), world.judged(rows))


@UNHURRIED
@given(plain | worlds, observations | complete | twisted, st.one_of(st.integers(0, 3600), st.integers(0, 100 * 24 * 3600)))
def test_time_never_improves(world: World, rows: list[Dict], seconds: int) -> None:
    """No signature here is dated ahead: whoever signs for a later day has said that it counts from then on."""
    not_better(world.judged(rows, NOW + datetime.timedelta(seconds=seconds)), world.judged(rows))


@UNHURRIED
@given(plain | worlds, complete, st.integers(0, len(KEYS) - 1), st.sampled_from(STATUSES[2:]))
def test_worsening_the_newest_row_never_improves(world: World, rows: list[Dict], index: int, status: str) -> None:
    """Where there are waivers, only of what is known: an unknown that turns out a failure can be accepted, and is then better than not knowing."""
    world = without_declaration(world, rows[index]["item"])
    worse = max(rows[index]["status"], status, key=STATUSES.index)
    if rows[index]["status"] not in KNOWN:
        world = dataclasses.replace(world, waivers=[])
    not_better(world.judged([*rows[:index], {**rows[index], "status": worse}, *rows[index + 1 :]]), world.judged(rows))


@UNHURRIED
@given(observations | complete | twisted)
def test_only_a_whole_proof_is_go(rows: list[Dict]) -> None:
    decision = PLAIN.judged(rows)
    assert (decision.verdict == GO) == all(result.state == "pass" for result in decision.items.values())
    assert all(result.state in STATES for result in decision.items.values())


def proves(one: Dict, bound: bool) -> bool:
    """Whether a row that is the newest of its key proves it in the plain world."""
    started, ended = (datetime.datetime.fromisoformat(one[name]).timestamp() for name in ("started_at", "sealed_at"))
    in_time = -5 <= NOW.timestamp() - started <= DAY_S and ended >= started - 5
    same = one["basis"] == "b" and one["machine"] == {"h1": "machine-1", "h2": "machine-2"}[one["target"]["host"]]
    return one["status"] == "pass" and in_time and same and abs(one["clock_skew_ms"] or 0) <= 5000 and (not bound or one["release"] == "v1")


def proven(item: str, rows: list[Dict], bound: bool) -> bool | None:
    """Whether the newest rows prove *item*, or None where rows of one time say unlike things: which of them counts is no part of this."""
    words = []
    for host in [host for name, host in KEYS if name == item]:
        of_key = [one for one in rows if (one["item"], one["target"]["host"]) == (item, host)]
        last = max((one["started_at"] for one in of_key), default=None)
        words.append({proves(one, bound) for one in of_key if one["started_at"] == last} or {False})
    if {False} in words:
        return False
    return True if all(word == {True} for word in words) else None


@settings(UNHURRIED, max_examples=300)
@given(observations | twisted | st.builds(list.__add__, observations, twisted) | tied, st.booleans())
@example([fresh(key, age_s=-6, sealed_s=-6) for key in KEYS], False)  # a whole run that is dated ahead
def test_an_item_passes_exactly_where_its_newest_rows_prove_it(rows: list[Dict], bound: bool) -> None:
    world = dataclasses.replace(PLAIN, manifest=manifest(*[row(*key) for key in KEYS], release_bound=bound))
    decision = world.judged(rows)
    told = {item: word for item in ITEMS if (word := proven(item, rows, bound)) is not None}
    assert {item: decision.items[item].state == "pass" for item in told} == told
    assert len(told) < len(ITEMS) or (decision.verdict == GO) == all(told.values())


@UNHURRIED
@given(worlds, observations | complete | twisted)
def test_go_needs_every_item_ticked_and_an_accepted_risk_is_told(world: World, rows: list[Dict]) -> None:
    decision = world.judged(rows)
    states = {result.state for result in decision.items.values()}
    assert states <= set(STATES)
    assert decision.verdict != GO or (states <= TICKED and not world.problems)
    assert decision.verdict != GO_WITH_WAIVERS or ("waived" in states and not world.problems)
