# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a seeded defect, without a lab: read it, put many in an order, and judge what was seen. Unit-tested; ``run.py`` brings the lab.

Two defects in a row turn different items wherever that can be had. Then one audit says two things: that the defect before is mended, and that this one is seen.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
import typing as t

import yaml

States = dict[str, str]  # item: state
Tasks = list[dict[str, t.Any]]

GOOD = frozenset({"pass", "attested"})
#: States that an item can turn to. ``waived`` and ``not_applicable`` are declared, never seen.
TURNED = {"fail": "F", "warn": "W", "unknown": "U", "stale": "S", "pending": "P"}
FIELDS = {"name": str, "host": str, "items": dict, "inject": list, "restore": list}


class BadDefect(Exception):
    """A file that is no defect; says why."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """``id`` is ``<item>/<file>``; ``items`` says which items must turn, and to what."""

    id: str
    name: str
    host: str
    items: States
    inject: Tasks
    restore: Tasks

    @classmethod
    def read(cls, path: pathlib.Path) -> Defect:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        own = path.parent.name
        identity = f"{own}/{path.stem}"
        if not isinstance(found, dict) or set(found) != set(FIELDS):
            raise BadDefect(f"{identity}: needs {', '.join(FIELDS)}, and nothing else")
        for field, kind in FIELDS.items():
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
    left behind."""

    defect: Defect
    turned: States
    seconds: float
    missed: list[str]
    left: States = dataclasses.field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        left = ", ".join(f"{item} {state}" for item, state in self.left.items())
        return self.missed + ([f"after its restore: {left}"] if left else [])

    @property
    def touched(self) -> set[str]:
        return set(self.defect.items) | set(self.turned)


class Lab(t.Protocol):
    """What a trial needs of the lab."""

    def look(self) -> States:
        """Return the state of every item, by one whole audit."""

    def change(self, restore: Defect | None, inject: Defect | None) -> None:
        """Mend one defect, then seed another."""


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


def ordered(defects: t.Iterable[Defect]) -> list[Defect]:
    """Return *defects* so that neighbours turn different items where that can be had: the longest rows first, so that none is left over for the end."""
    rows: dict[str, list[Defect]] = {}
    for defect in sorted(defects, key=lambda one: one.id):
        rows.setdefault(defect.id.partition("/")[0], []).append(defect)
    found: list[Defect] = []
    while any(rows.values()):
        last = set(found[-1].items) if found else set()
        heads = [row[0] for row in sorted(rows.values(), key=len, reverse=True) if row]
        chosen = next((head for head in heads if not last & set(head.items)), heads[0])
        rows[chosen.id.partition("/")[0]].remove(chosen)
        found.append(chosen)
    return found


def tried(defects: t.Iterable[Defect], lab: Lab, healthy: States) -> t.Iterator[Trial]:
    """Try each of *defects* on *lab*, and yield each trial when all about it is known. Ends early where a restore did not restore: nothing after it is sure."""
    last: Trial | None = None  # seen, and not yet mended
    for defect in ordered(defects):
        if last and last.touched & set(defect.items):
            yield _mended(last, lab, healthy)
            if last.left:
                return
            last = None
        started = time.monotonic()
        lab.change(last.defect if last else None, defect)
        seen = changed(healthy, lab.look())
        trial = Trial(defect, seen, time.monotonic() - started, misses(defect, healthy, seen))
        if last and last.touched & set(seen):
            # Is it still the one before, or does this one turn it too? Only a look without this one can tell.
            yield _mended(trial, lab, healthy, blame=last)
            own = {item: state for item, state in seen.items() if item not in last.left}
            yield dataclasses.replace(trial, turned=own, missed=misses(defect, healthy, own))
            if last.left:
                return
            last = None
            continue
        if last:
            yield last
        last = trial
    if last:
        yield _mended(last, lab, healthy)


def _mended(trial: Trial, lab: Lab, healthy: States, blame: Trial | None = None) -> Trial:
    """Mend *trial*'s defect, look, and note what is not as it was against it, or against *blame*; return the one that was noted against."""
    lab.change(trial.defect, None)
    noted = blame or trial
    noted.left = changed(healthy, lab.look())
    return noted


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
