# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One comparison, one row; all rows, one table, in Markdown, which a terminal shows as well."""

from __future__ import annotations

import dataclasses
import typing as t

HEADER = ("What", "Ours", "Against", "Ratio", "Floor", "Holds")


@dataclasses.dataclass(frozen=True)
class Floor:
    """What a row must reach: ``at_least`` or ``at_most`` a number, in the unit of the row's value."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclasses.dataclass(frozen=True)
class Row:
    """``value`` is what the floor speaks of (a ratio where ``unit`` is ``x``); without a floor it is only told. ``ours`` and ``against`` are texts."""

    what: str
    ours: str
    against: str
    value: float
    floor: Floor | None = None
    unit: str = "x"

    @property
    def holds(self) -> bool | None:
        return None if self.floor is None else self.floor.holds(self.value)

    def cells(self) -> tuple[str, ...]:
        word = {None: "", True: "yes", False: "**no**"}[self.holds]
        floor = "" if self.floor is None else f"{self.floor} {self.unit}"
        return self.what, self.ours, self.against, f"{number(self.value)} {self.unit}", floor, word


def number(value: float) -> str:
    """Return *value* with three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def seconds(value: float) -> str:
    return f"{number(value)} s" if abs(value) >= 1 else f"{number(value * 1000)} ms"


def rendered(rows: t.Sequence[Row]) -> str:
    """Return the table, its columns as wide as they need to be."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    shown = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]]) + "\n"


def missed(rows: t.Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.holds is False]


#: Where a page's table begins and ends.
BEGIN, END = "<!-- table: make bench -->", "<!-- end of table -->"


def placed(page: str, table: str) -> str:
    """Return *page* with *table* between its marks."""
    before, _begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not end:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n{table}{END}{after}"
