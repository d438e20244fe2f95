# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a seeded defect, without a lab: read it, put many together, and judge what was seen. Unit-tested; ``run.py`` brings the lab.

Defects that turn different items are in the lab at once: one audit sees them all, and which item turned, and why, says which defect it saw. The same audit sees
that those before them are mended. Where that look is not exactly what they declare, each of them is tried alone.
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
FIELDS = {"name": str, "host": str, "items": dict, "reason": str, "inject": list, "restore": list}
OPTIONAL = {"drills": dict, "touches": list}


NO_DRILLS: Drills = types.MappingProxyType({})


class BadDefect(Exception):
    """A file that is no defect; says why."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """``id`` is ``<item>/<file>``; ``items`` says which items must turn, and to what; ``reason`` is the code by which its own item says why. ``drills`` are the
    modules that see it, where no audit does; ``touches`` is what it changes, or needs as it is, beside its items.
    """

    id: str
    name: str
    host: str
    items: States
    reason: str
    inject: Tasks
    restore: Tasks
    drills: Drills = dataclasses.field(default_factory=dict)
    touches: list[str] = dataclasses.field(default_factory=list)

    @property
    def item(self) -> str:
        return self.id.partition("/")[0]

    @property
    def reach(self) -> set[str]:
        return {*self.items, *(f"touches {thing}" for thing in self.touches)}

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
    """One defect as it was tried: ``turned`` is what the audit saw change, ``seconds`` what breaking and looking took, and mending those before, ``left`` what
    its restore left behind, ``words`` what the audits said of both."""

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


@dataclasses.dataclass
class Look:
    """What one audit said of each item: its ``states``, and why, in words (``said``) and as a ``code``."""

    states: States
    said: dict[str, str] = dataclasses.field(default_factory=dict)
    code: dict[str, str] = dataclasses.field(default_factory=dict)


class Lab(t.Protocol):
    """What a trial needs of the lab."""

    def look(self, drills: Drills = NO_DRILLS) -> Look:
        """Audit it, all of it, and let these drills act too."""

    def change(self, restore: t.Sequence[Defect] = (), inject: t.Sequence[Defect] = ()) -> None:
        """Mend some defects, then seed others."""


def changed(healthy: States, seen: States) -> States:
    """Return the items that are not as they were, those that are gone or new among them."""
    return {item: seen.get(item, "gone") for item in sorted(healthy.keys() | seen.keys()) if seen.get(item) != healthy.get(item)}


def misses(defect: Defect, healthy: States, turned: States, code: str | None) -> list[str]:
    """Return what is wrong with what *defect* turned, with why, or with our sight of it."""
    if not turned:
        return ["noticed by nothing"]
    silent = [f"{item} stayed {healthy.get(item)}, must turn {state}" for item, state in defect.items.items() if item not in turned]
    other = [f"{item} turned {turned[item]}, must turn {state}" for item, state in defect.items.items() if turned.get(item, state) != state]
    why = [f"{defect.item} says {code}, must say {defect.reason}"] if turned.get(defect.item) == defect.items[defect.item] and code != defect.reason else []
    return silent + other + why + [f"{item} turned {state} with it, undeclared" for item, state in turned.items() if item not in defect.items]


def together(defects: t.Iterable[Defect]) -> list[list[Defect]]:
    """Return *defects* in groups that can be in the lab at once, as few as can be had: no item is turned, and nothing touched, by two of a group."""
    groups: list[tuple[set[str], list[Defect]]] = []
    for defect in sorted(defects, key=lambda one: (-len(one.reach), one.id)):  # those that turn most are the hardest to place
        taken, group = next((group for group in groups if not group[0] & defect.reach), (set[str](), list[Defect]()))
        if not group:
            groups.append((taken, group))
        taken |= defect.reach
        group.append(defect)
    return [group for _taken, group in groups]


def tried(groups: t.Iterable[t.Sequence[Defect]], lab: Lab, healthy: States, tell: t.Callable[[str], None] = lambda words: None) -> t.Iterator[Trial]:
    """Try the defects of each group at once on *lab*, each alone where that leaves a doubt, and yield each trial when all about it is known.

    *tell* hears what the doubt was. Ends early where a restore did not restore: nothing after it is sure.
    """
    mended: list[Trial] = []  # by the change before the next look, which sees it
    for group in (*groups, ()):
        trials, doubts = _seen(group, mended, lab, healthy)
        if not doubts:
            yield from mended
            mended = trials
            continue
        lab.change(restore=group)
        if _left([*mended, *trials], lab, healthy):
            yield from (*mended, *trials)
            return
        yield from mended
        mended = []
        tell(f"one by one, because together {'; '.join(doubts)}")
        for defect in group:
            (trial,), _doubts = _seen([defect], [], lab, healthy)
            lab.change(restore=[defect])
            left = _left([trial], lab, healthy)
            yield trial
            if left:
                return


def drills_of(defects: t.Iterable[Defect]) -> Drills:
    """Return the drills that see *defects*. A drill's word stands until it acts again: it takes one to see a defect, and one to see that it is mended."""
    return {drill: group for defect in defects for drill, group in defect.drills.items()}


def _seen(group: t.Sequence[Defect], mended: t.Sequence[Trial], lab: Lab, healthy: States) -> tuple[list[Trial], list[str]]:
    """Mend what was tried before, seed *group*, and look. Return its trials, and what of it, or of those that are mended, is not as it should be."""
    started = time.monotonic()
    lab.change(restore=[trial.defect for trial in mended], inject=group)
    look = lab.look(drills_of([*(trial.defect for trial in mended), *group]))
    took, seen = time.monotonic() - started, changed(healthy, look.states)
    declared = {item for defect in group for item in defect.items}
    trials = []
    for defect in group:
        own = {item: state for item, state in seen.items() if item not in declared - set(defect.items)}
        words = [f"{item} {state}: {look.said.get(item, '')}" for item, state in own.items()]
        trials.append(Trial(defect, own, took, misses(defect, healthy, own, look.code.get(defect.item)), words=words))
    doubts = [f"{trial.defect.id}: {', '.join(trial.missed)}" for trial in trials if trial.missed]
    return trials, doubts if group else [f"{item} is {state}" for item, state in seen.items()]


def _left(trials: t.Sequence[Trial], lab: Lab, healthy: States) -> bool:
    """Look at what is mended, and note with each of *trials* what it left: what nobody declared may be anybody's. Return whether anything was left."""
    look = lab.look(drills_of(trial.defect for trial in trials))
    left = changed(healthy, look.states)
    declared = {item for trial in trials for item in trial.defect.items}
    for trial in trials:
        trial.left = {item: state for item, state in left.items() if item in trial.defect.items or item not in declared}
        trial.words += [f"after its restore, {item} {state}: {look.said.get(item, '')}" for item, state in trial.left.items()]
    return bool(left)


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
