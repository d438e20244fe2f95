# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a seeded defect, without a lab: read it, put many together, and judge what was seen. Unit-tested; ``run.py`` brings the lab.

Defects that turn different items are in the lab at once: one audit sees them all, and which item turned says which defect it saw. Where that look is not
exactly what they declare, each of them is tried alone.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
import types
import typing as t

import yaml

States = dict[str, str]  # item: state
Tasks = list[dict[str, t.Any]]
Drills = t.Mapping[str, str]  # module: group of the hosts that it runs on

GOOD = frozenset({"pass", "attested"})
#: States that an item can turn to. ``waived`` and ``not_applicable`` are declared, never seen.
TURNED = {"fail": "F", "warn": "W", "unknown": "U", "stale": "S", "pending": "P"}
FIELDS = {"name": str, "host": str, "items": dict, "inject": list, "restore": list}
OPTIONAL = {"drills": dict}


NO_DRILLS: Drills = types.MappingProxyType({})


class BadDefect(Exception):
    """A file that is no defect; says why."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """``id`` is ``<item>/<file>``; ``items`` says which items must turn, and to what; ``drills`` are the modules that see it, where no audit does."""

    id: str
    name: str
    host: str
    items: States
    inject: Tasks
    restore: Tasks
    drills: Drills = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, path: pathlib.Path) -> Defect:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        own = path.parent.name
        identity = f"{own}/{path.stem}"
        if not isinstance(found, dict) or not set(FIELDS) <= set(found) <= FIELDS.keys() | OPTIONAL.keys():
            raise BadDefect(f"{identity}: needs {', '.join(FIELDS)}, may have {', '.join(OPTIONAL)}, and nothing else")
        for field, kind in (FIELDS | OPTIONAL).items():
            if field not in found:
                continue
            if not isinstance(found[field], kind) or not found[field]:
                raise BadDefect(f"{identity}: {field} must be a {kind.__name__} that is not empty")
        if own not in found["items"]:
            raise BadDefect(f"{identity}: its own item is not among those that must turn")
        odd = sorted(str(state) for state in found["items"].values() if state not in TURNED)
        if odd:
            raise BadDefect(f"{identity}: no item turns to {', '.join(odd)}; one of {', '.join(TURNED)}")
        return cls(identity, **found)


@dataclasses.dataclass
class Trial:
    """One defect as it was tried: ``turned`` is what the audit saw change, ``seconds`` what breaking and looking took, ``left`` what its restore
    left behind, ``words`` what the audits said of both."""

    defect: Defect
    turned: States
    seconds: float
    missed: list[str]
    left: States = dataclasses.field(default_factory=dict)
    words: list[str] = dataclasses.field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        left = ", ".join(f"{item} {state}" for item, state in self.left.items())
        return self.missed + ([f"after its restore: {left}"] if left else [])

    @property
    def touched(self) -> set[str]:
        return set(self.defect.items) | set(self.turned)


class Lab(t.Protocol):
    """What a trial needs of the lab. ``said`` is why the last look gave each item its state."""

    said: dict[str, str]

    def look(self, items: t.Collection[str] = (), drills: Drills = NO_DRILLS) -> States:
        """Return the state of every item: all looked at anew, or *items* only and the rest as known; these drills act too."""

    def change(self, restore: t.Sequence[Defect] = (), inject: t.Sequence[Defect] = ()) -> None:
        """Mend some defects, then seed others."""


def changed(healthy: States, seen: States) -> States:
    """Return the items that are not as they were, those that are gone or new among them."""
    return {item: seen.get(item, "gone") for item in sorted(healthy.keys() | seen.keys()) if seen.get(item) != healthy.get(item)}


def misses(defect: Defect, healthy: States, turned: States) -> list[str]:
    """Return what is wrong with what *defect* turned, or with our sight of it."""
    if not turned:
        return ["noticed by nothing"]
    silent = [f"{item} stayed {healthy.get(item)}, must turn {state}" for item, state in defect.items.items() if item not in turned]
    other = [f"{item} turned {turned[item]}, must turn {state}" for item, state in defect.items.items() if turned.get(item, state) != state]
    return silent + other + [f"{item} turned {state} with it, undeclared" for item, state in turned.items() if item not in defect.items]


def together(defects: t.Iterable[Defect], kin: t.Mapping[str, t.Collection[str]] = types.MappingProxyType({})) -> list[list[Defect]]:
    """Return *defects* in groups that can be in the lab at once, as few as can be had: no item is turned by two of a group, nor items that *kin* says are
    seen in one act, whose later steps cannot be known when an earlier one broke. What a drill sees rests on all of its section, so it has that to itself."""
    defects = list(defects)
    every = {item for defect in defects for item in defect.items}
    groups: list[tuple[set[str], list[Defect]]] = []
    for defect in sorted(defects, key=lambda one: (-len(one.items), one.id)):  # those that turn most are the hardest to place
        reach = {other for item in defect.items for other in (item, *kin.get(item, ()))}
        if defect.drills:
            reach |= {item for item in every if item.partition(".")[0] == defect.id.partition(".")[0]}
        taken, group = next((group for group in groups if not group[0] & reach), (set[str](), list[Defect]()))
        if not group:
            groups.append((taken, group))
        taken |= reach
        group.append(defect)
    return [group for _taken, group in groups]


def tried(groups: t.Iterable[t.Sequence[Defect]], lab: Lab, healthy: States, tell: t.Callable[[str], None] = lambda words: None) -> t.Iterator[Trial]:
    """Try the defects of each group at once on *lab*, each alone where that leaves a doubt, and yield each trial when all about it is known.

    *tell* hears what the doubt was. Ends early where a restore did not restore: nothing after it is sure.
    """
    for group in groups:
        trials = _at_once(group, lab, healthy)
        doubtful = len(group) > 1 and any(trial.missed for trial in trials) and not any(trial.left for trial in trials)
        if doubtful:
            tell("one by one, because together " + "; ".join(f"{trial.defect.id}: {', '.join(trial.missed)}" for trial in trials if trial.missed))
        for some in (_at_once([defect], lab, healthy) for defect in group) if doubtful else (trials,):
            yield from some
            if any(trial.left for trial in some):
                return


def drills_of(defects: t.Iterable[Defect]) -> Drills:
    """Return the drills that see *defects*. A drill's word stands until it acts again: it takes one to see a defect, and one to see that it is mended."""
    return {drill: group for defect in defects for drill, group in defect.drills.items()}


def _at_once(group: t.Sequence[Defect], lab: Lab, healthy: States) -> list[Trial]:
    """Seed *group*, look, mend, look again at what turned or should have, and return what each of it did. What none of it declares is each one's."""
    started = time.monotonic()
    lab.change(inject=group)
    drills = drills_of(group)
    seen = changed(healthy, lab.look(drills=drills))
    took, broken = time.monotonic() - started, lab.said
    declared = {item for defect in group for item in defect.items}
    lab.change(restore=group)
    left = changed(healthy, lab.look(declared | set(seen), drills))
    trials = []
    for defect in group:
        others = declared - set(defect.items)
        own = {item: state for item, state in seen.items() if item not in others}
        still = {item: state for item, state in left.items() if item not in others}
        words = [f"{item} {state}: {broken.get(item, '')}" for item, state in own.items()]
        words += [f"after its restore, {item} {state}: {lab.said.get(item, '')}" for item, state in still.items()]
        trials.append(Trial(defect, own, took, misses(defect, healthy, own), still, words))
    return trials


def sick(defects: t.Iterable[Defect], healthy: States) -> list[str]:
    """Return the items that *defects* must turn and that are not good to begin with: nobody could see them turn."""
    return sorted({item for defect in defects for item in defect.items if healthy.get(item) not in GOOD})


def line(trial: Trial) -> str:
    return f"{'MISSED' if trial.problems else 'caught'}  {trial.defect.id}  {trial.seconds:.0f} s  {'; '.join(trial.problems)}".rstrip()


def matrix(trials: t.Sequence[Trial]) -> str:
    """Return defects by items: what each turned, in one letter, and what it took."""
    items = sorted({item for trial in trials for item in trial.touched})
    letters = [chr(ord("a") + index) if index < 26 else chr(ord("A") + index - 26) for index in range(len(items))]
    wide = max((len(trial.defect.id) for trial in trials), default=0)
    rows = [f"{'':{wide}}     s  {' '.join(letters)}"]
    for trial in sorted(trials, key=lambda one: one.defect.id):
        cells = " ".join(TURNED.get(trial.turned[item], "?") if item in trial.turned else "." for item in items)
        rows.append(f"{trial.defect.id:{wide}}  {trial.seconds:4.0f}  {cells}{'  MISSED' if trial.problems else ''}")
    legend = [f"  {letter}  {item}" for letter, item in zip(letters, items, strict=True)]
    states = ", ".join(f"{letter} {state}" for state, letter in TURNED.items())
    return "\n".join([*rows, "", *legend, "", f"{states}, . as before"])
