# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips of the pen: which known name somebody meant who wrote an unknown one, and which names are not ours at all."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import Variable

#: Sections whose names other people's roles use too: a strange one may be theirs.
SHARED_PREFIXES = ("postgres_", "redis_", "security_")
#: Two letters from ours and another role's: never compared.
FOREIGN_PREFIXES = ("postgresql_", "ansible_")
#: Suggestions that a sentence can hold.
FEW = 3


@dataclasses.dataclass(frozen=True)
class Slip:
    """``code`` and ``params`` of a mistake, or ``foreign`` where the name is somebody else's."""

    code: str
    params: dict[str, str]


FOREIGN = Slip("foreign", {})


def tolerance(name: str) -> int:
    """How many slips still make *name* a misspelling: the longer, the more."""
    return 1 if len(name) < 12 else 2 if len(name) < 24 else 3


def distance(one: str, other: str, limit: int) -> int:
    """Damerau's distance (drop, add, change a letter, swap neighbours), or ``limit + 1`` where it is more than *limit*."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    far = limit + 1
    before: list[int] = []
    row = [min(j, far) for j in range(len(other) + 1)]
    for i, letter in enumerate(one, 1):
        # Only the band around the diagonal can stay within the limit.
        older, before, row = before, row, [far] * (len(other) + 1)
        row[0] = min(i, far)
        for j in range(max(1, i - limit), min(len(other), i + limit) + 1):
            wanted = other[j - 1]
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, older[j - 2] + 1)
            row[j] = cost
        if min(row) > limit and min(before) > limit:
            return far
    return min(row[-1], far)


def closest(name: str, known: t.Iterable[str], limit: int | None = None) -> list[str]:
    """Return the names of *known* that are nearest to *name* and within reach, in order; several only where they are equally near."""
    reach = tolerance(name) if limit is None else limit
    found: list[str] = []
    for candidate in sorted(known):
        far = distance(name, candidate, reach)
        if far < reach or (far == reach and not found):
            found, reach = [candidate], far
        elif far == reach:
            found.append(candidate)
    return found[:FEW]


def suggestion(name: str, known: t.Iterable[str]) -> str:
    """Return what to say of the nearest known names, or nothing."""
    return ", ".join(closest(name, known, max(tolerance(name), 2)))


def judge(name: str, known: t.Mapping[str, Variable], foreign: t.Callable[[str], bool]) -> Slip | None:
    """Return what is wrong with *name*; None if it is known or has nothing to do with us. *foreign* says what the inventory calls somebody else's."""
    if name in known or name.startswith(FOREIGN_PREFIXES):
        return None
    near = [] if foreign(name) else closest(name, known)
    if near:
        return Slip("unknown", {"name": name, "suggestion": ", ".join(near)})
    reordered = _by_words(tuple(known)).get(_words(name))
    if name.startswith(_own_prefixes()):
        options = _beginning_like(name, known)
        return Slip("unknown", {"name": name, "suggestion": reordered}) if reordered else Slip("unknown_prefix", {"name": name, "options": ", ".join(options)})
    if reordered:
        return Slip("unknown", {"name": name, "suggestion": reordered})
    return FOREIGN if name.startswith(SHARED_PREFIXES) and not foreign(name) else None


def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(name.split("_")))


@functools.lru_cache(maxsize=4)
def _by_words(known: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    return {_words(name): name for name in reversed(known)}


@functools.cache
def _item_prefixes() -> tuple[str, ...]:
    return tuple(f"{item.prefix}_" for item in catalogue.items().values())


@functools.cache
def _own_prefixes() -> tuple[str, ...]:
    """Beginnings that only we use: an item's, a section's that nobody else has, the engine's."""
    sections = tuple(prefix for prefix in (f"{section}_" for section in catalogue.sections()) if prefix not in SHARED_PREFIXES)
    return ("golive_", *sections, *_item_prefixes())


def _beginning_like(name: str, known: t.Mapping[str, Variable]) -> list[str]:
    """Return the known names with the item's beginning, else with the section's: those that other options of the item share come last."""
    prefix = next((p for p in sorted(_item_prefixes(), key=len, reverse=True) if name.startswith(p)), f"{name.partition('_')[0]}_")
    level = "item" if prefix in _item_prefixes() else None
    return [other for other, variable in known.items() if other.startswith(prefix) and (variable.level == level if level else variable.level != "item")]
