# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of seeded defects, on a lab made of a dictionary: what is noticed by nothing, what turns besides, what a restore leaves, who is to blame."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import typing as t

import pytest
import yaml

DEFECTS = pathlib.Path(__file__).parents[2] / "defects"
sys.path.insert(0, str(DEFECTS))

from trial import NO_DRILLS, BadDefect, Defect, Look, Trial, changed, line, matrix, misses, sick, together, tried

HEALTHY = {"a.one": "pass", "a.two": "pass", "b.two": "pass", "c.three": "attested", "d.four": "unknown"}


def defect(identity: str, **items: str) -> Defect:
    named = {name.replace("_", "."): state for name, state in items.items()} or {identity.partition("/")[0]: "fail"}
    return Defect(identity, "", "h", named, f"{identity} noticed", [{"x": 1}], [{"x": 2}])


@dataclasses.dataclass
class FakeLab:
    """``really`` says what each defect turns, ``stays`` which are not undone by their restore, ``instead`` which are noticed as something else."""

    really: dict[str, dict[str, str]]
    stays: set[str] = dataclasses.field(default_factory=set)
    instead: dict[str, str] = dataclasses.field(default_factory=dict)
    inside: list[str] = dataclasses.field(default_factory=list)
    looks: list[list[str]] = dataclasses.field(default_factory=list)
    acted: list[list[str]] = dataclasses.field(default_factory=list)

    def look(self, drills: t.Mapping[str, str] = NO_DRILLS) -> Look:
        self.looks.append(sorted(self.inside))
        self.acted.append(sorted(drills))
        seen = Look(dict(HEALTHY))
        for identity in self.inside:
            seen.states.update(self.really[identity])
            for item in self.really[identity]:
                seen.code[item] = self.instead.get(identity, f"{identity} noticed")
        seen.said = {item: f"look {len(self.looks)}" for item in HEALTHY}
        return seen

    def change(self, restore: t.Sequence[Defect] = (), inject: t.Sequence[Defect] = ()) -> None:
        for defect in restore:
            if defect.id not in self.stays:
                self.inside.remove(defect.id)
        self.inside += [defect.id for defect in inject]


def outcome(lab: FakeLab, *defects: Defect) -> dict[str, list[str]]:
    return {trial.defect.id: trial.problems for trial in tried(together(defects), lab, HEALTHY)}


def test_defects_of_different_items_are_caught_by_one_audit_and_seen_mended_by_another() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "b.two/x": {"b.two": "fail"}, "c.three/x": {"c.three": "fail"}})
    assert outcome(lab, *(defect(identity) for identity in lab.really)) == {identity: [] for identity in lab.really}
    assert lab.looks == [["a.one/x", "b.two/x", "c.three/x"], []]


def test_the_audit_that_sees_one_defect_sees_that_the_one_before_it_is_mended() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "a.one/y": {"a.one": "fail"}})
    assert outcome(lab, defect("a.one/x"), defect("a.one/y")) == {"a.one/x": [], "a.one/y": []}
    assert lab.looks == [["a.one/x"], ["a.one/y"], []], "defects of one item are never in the lab at once, and it ends mended"


def test_a_group_without_defects_sees_the_lab_whole_again() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "a.one/y": {"a.one": "fail"}}, stays={"a.one/x"})
    found = {trial.defect.id: trial.problems for trial in tried([[defect("a.one/x")], [], [defect("a.one/y")], []], lab, HEALTHY)}
    assert found == {"a.one/x": ["after its restore: a.one fail"]}, "blamed at once, and the next is not tried"


def test_a_defect_that_nothing_notices_is_not_hidden_by_one_that_is_noticed() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "b.two/x": {}})
    assert outcome(lab, defect("a.one/x"), defect("b.two/x")) == {"a.one/x": [], "b.two/x": ["noticed by nothing"]}
    heard: list[str] = []
    assert len(list(tried([[defect("a.one/x"), defect("b.two/x")]], lab, HEALTHY, heard.append))) == 2
    assert heard == ["one by one, because together b.two/x: noticed by nothing"]


def test_what_no_defect_of_a_group_declares_is_found_where_each_is_tried_alone() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "b.two/x": {"b.two": "fail", "c.three": "fail"}})
    assert outcome(lab, defect("a.one/x"), defect("b.two/x")) == {"a.one/x": [], "b.two/x": ["c.three turned fail with it, undeclared"]}
    assert lab.inside == []


def test_after_a_doubt_it_goes_on() -> None:
    lab = FakeLab({"a.one/w": {"a.one": "fail"}, "a.one/x": {}, "a.one/y": {"a.one": "fail"}})
    assert outcome(lab, *(defect(identity) for identity in lab.really)) == {"a.one/w": [], "a.one/x": ["noticed by nothing"], "a.one/y": []}


def test_a_drill_acts_in_the_look_that_sees_its_defect_and_in_the_one_that_sees_it_mended() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "a.one/y": {"a.one": "fail"}, "b.two/x": {"b.two": "fail"}})
    drilled = dataclasses.replace(defect("a.one/x"), drills={"a_drill": "h"})
    assert outcome(lab, drilled, defect("a.one/y"), defect("b.two/x")) == {identity: [] for identity in lab.really}
    assert lab.acted == [["a_drill"], ["a_drill"], []]


@pytest.mark.parametrize(
    ("turned", "problems"),
    [
        ({}, ["noticed by nothing"]),
        ({"b.two": "fail"}, ["a.one stayed pass, must turn fail", "b.two turned fail with it, undeclared"]),
        ({"a.one": "unknown"}, ["a.one turned unknown, must turn fail"]),
        ({"a.one": "fail", "d.four": "fail"}, ["d.four turned fail with it, undeclared"]),
        ({"a.one": "fail"}, []),
    ],
)
def test_what_is_wrong_with_a_defect_or_our_sight_of_it(turned: dict[str, str], problems: list[str]) -> None:
    lab = FakeLab({"a.one/x": turned})
    assert outcome(lab, defect("a.one/x")) == {"a.one/x": problems}
    assert misses(defect("a.one/x"), HEALTHY, turned, "a.one/x noticed") == problems


def test_a_defect_that_is_noticed_as_something_else_is_not_caught() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}}, instead={"a.one/x": "another"})
    assert outcome(lab, defect("a.one/x")) == {"a.one/x": ["a.one says another, must say a.one/x noticed"]}


def test_a_declared_companion_is_no_problem_and_a_missing_one_is() -> None:
    both = defect("a.one/x", a_one="fail", b_two="fail")
    assert outcome(FakeLab({"a.one/x": {"a.one": "fail", "b.two": "fail"}}), both) == {"a.one/x": []}
    assert outcome(FakeLab({"a.one/x": {"a.one": "fail"}}), both) == {"a.one/x": ["b.two stayed pass, must turn fail"]}


def test_a_restore_that_does_not_restore_ends_it_and_is_blamed() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "b.two/x": {"b.two": "fail"}, "b.two/y": {"b.two": "fail"}}, stays={"a.one/x"})
    found = outcome(lab, *(defect(identity) for identity in lab.really))
    assert (found["a.one/x"], found["b.two/x"]) == (["after its restore: a.one fail"], [])
    assert lab.inside == ["a.one/x"], "what was in the lab with it, or after it, is mended all the same"


def test_what_hides_behind_the_next_defect_of_its_item_is_found_in_the_end() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}, "a.one/y": {"a.one": "fail"}}, stays={"a.one/x"})
    found = outcome(lab, *(defect(identity) for identity in lab.really))
    assert found == {"a.one/x": [], "a.one/y": ["after its restore: a.one fail"]}, "nobody knows whose it is, and it does not pass"


def test_what_the_audits_said_is_told_of_both_looks() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail"}}, stays={"a.one/x"})
    (trial,) = tried([[defect("a.one/x")]], lab, HEALTHY)
    assert trial.words == ["a.one fail: look 1", "after its restore, a.one fail: look 3"]


def test_what_is_left_and_nobody_declared_is_blamed_on_all_who_were_there() -> None:
    lab = FakeLab({"a.one/x": {"a.one": "fail", "c.three": "fail"}, "b.two/x": {"b.two": "fail"}}, stays={"a.one/x"})
    found = outcome(lab, defect("a.one/x"), defect("b.two/x"))
    assert found["b.two/x"] == ["c.three turned fail with it, undeclared", "after its restore: c.three fail"]
    assert "after its restore: a.one fail, c.three fail" in found["a.one/x"]


def test_an_item_that_is_gone_has_changed() -> None:
    assert changed({"a": "pass", "b": "pass"}, {"a": "pass", "c": "pass"}) == {"b": "gone", "c": "pass"}


def test_no_item_is_turned_by_two_of_a_group_and_there_are_as_few_groups_as_the_longest_row() -> None:
    defects = [defect(f"{item}/{name}") for item, names in {"a.one": "pqrs", "b.two": "pq", "c.three": "p"}.items() for name in names]
    defects.append(defect("b.two/both", b_two="fail", c_three="fail"))
    groups = together(defects)
    assert sorted(one.id for group in groups for one in group) == sorted(one.id for one in defects)
    assert all(sum(len(one.items) for one in group) == len({item for one in group for item in one.items}) for group in groups)
    assert len(groups) == 4


def test_what_two_defects_touch_keeps_them_apart() -> None:
    defects = [defect("a.one/x"), defect("b.two/x"), defect("c.three/x")]
    touching = [dataclasses.replace(one, touches=["copies"]) for one in defects[:2]]
    assert [[one.id for one in group] for group in together(defects)] == [["a.one/x", "b.two/x", "c.three/x"]]
    assert [[one.id for one in group] for group in together([*touching, defects[2]])] == [["a.one/x", "c.three/x"], ["b.two/x"]]


def test_an_item_that_is_not_good_cannot_be_seen_to_turn() -> None:
    assert sick([defect("a.one/x"), defect("d.four/x"), defect("c.three/x"), defect("e.five/x")], HEALTHY) == ["d.four", "e.five"]


def test_the_matrix_shows_who_turned_what() -> None:
    trials = [
        Trial(defect("b.two/x", a_one="fail", b_two="fail"), {"a.one": "fail", "b.two": "unknown"}, 9.6, ["wrong"]),
        Trial(defect("a.one/long"), {"a.one": "fail"}, 12.2, []),
    ]
    assert matrix(trials).splitlines()[:5] == ["               s  a b", "a.one/long    12  F .", "b.two/x       10  F U  MISSED", "", "  a  a.one"]
    assert line(trials[0]) == "MISSED  b.two/x  10 s  wrong"
    assert line(trials[1]) == "caught  a.one/long  12 s"


GOOD: dict[str, t.Any] = {"name": "n", "host": "h", "items": {"a.one": "fail"}, "reason": "a.b", "inject": [{"x": 1}], "restore": [{"x": 2}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"restore": []}, "restore must be a list that is not empty"),
        ({"restore": None}, "restore must be a list"),
        ({"items": {"b.two": "fail"}}, "its own item"),
        ({"items": {"a.one": "pass"}}, "no item turns to pass"),
        ({"extra": 1}, "and nothing else"),
        ({"drills": {}}, "drills must be a dict that is not empty"),
        ({"touches": []}, "touches must be a list that is not empty"),
    ],
)
def test_a_file_that_is_no_defect_says_why(tmp_path: pathlib.Path, change: dict[str, t.Any], said: str) -> None:
    path = tmp_path / "a.one" / "x.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(GOOD))
    assert Defect.read(path).id == "a.one/x"
    path.write_text(yaml.safe_dump({**GOOD, "drills": {"a_drill": "postgres"}}))
    assert Defect.read(path).drills == {"a_drill": "postgres"}
    path.write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(BadDefect, match=said):
        Defect.read(path)


@pytest.mark.parametrize("path", sorted(DEFECTS.glob("*/*.yml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_defect_in_the_repository_is_one(path: pathlib.Path) -> None:
    Defect.read(path)
