# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening hours live here: pure functions from the hours of a restaurant and an instant to open or closed. No clock, no database.

Times are those on the kitchen's wall. A shift that ends at or before its start ends on the next day; both ends are turned into
instants before they are compared, so that the nights on which the clocks change are as long as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A restaurant that opens on no day of two weeks has no next opening to promise.
LOOK_AHEAD_DAYS = 14


@dataclass(frozen=True)
class Shift:
    """From one time on the wall to another."""

    opens: time
    closes: time


@dataclass(frozen=True)
class Hours:
    """A week (0 is Monday), and the days on which something else holds (no shift: closed)."""

    zone: str
    week: Mapping[int, Sequence[Shift]]
    special: Mapping[date, Sequence[Shift]]

    def shifts(self, day: date) -> Sequence[Shift]:
        """What holds on that day."""
        return self.special[day] if day in self.special else self.week.get(day.weekday(), ())


def _openings(hours: Hours, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Every opening that starts on one of these days, as instants, in order."""
    zone = ZoneInfo(hours.zone)
    for day in (first + timedelta(days=offset) for offset in range(days)):
        for shift in sorted(hours.shifts(day), key=lambda shift: shift.opens):
            last = day + timedelta(days=1) if shift.closes <= shift.opens else day
            start, end = datetime.combine(day, shift.opens, zone), datetime.combine(last, shift.closes, zone)
            yield start.astimezone(UTC), end.astimezone(UTC)


def is_open(hours: Hours, at: datetime) -> bool:
    """Is the kitchen open at this instant? Its end is the first instant at which it is closed."""
    today = at.astimezone(ZoneInfo(hours.zone)).date()
    # Yesterday's last shift may still run.
    return any(start <= at < end for start, end in _openings(hours, today - timedelta(days=1), 2))


def next_opening(hours: Hours, at: datetime) -> datetime | None:
    """The next instant, after this one, at which the kitchen opens."""
    today = at.astimezone(ZoneInfo(hours.zone)).date()
    return next((start for start, _ in _openings(hours, today, LOOK_AHEAD_DAYS) if start > at), None)
