# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening hours: shifts past midnight, split shifts, special days, and the two nights of the year that are not 24 hours long."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from comanda.hours import Hours, Shift, is_open, next_opening

NOON = Shift(time(13), time(16))
NIGHT = Shift(time(20), time(2))
MADRID = Hours(
    "Europe/Madrid",
    {0: (NOON, Shift(time(20), time(0))), 4: (NIGHT,), 5: (NIGHT,)},
    {date(2026, 12, 24): (NOON,), date(2026, 12, 25): ()},
)


def at(text: str) -> datetime:
    """A time on Madrid's wall."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Madrid"))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-11-23 12:59:59", False),
        ("2026-11-23 13:00", True),
        ("2026-11-23 16:00", False),
        ("2026-11-23 23:59:59", True),
        ("2026-11-24 00:00", False),
        ("2026-11-28 01:59:59", True),
        ("2026-11-28 02:00", False),
        ("2026-12-24 13:30", True),
        ("2026-12-25 21:00", False),
        ("2026-12-26 00:30", False),
    ],
)
def test_open(when: str, expected: bool) -> None:
    assert is_open(MADRID, at(when)) is expected


def test_the_night_on_which_an_hour_is_said_twice() -> None:
    """25 October 2026, 02:00–03:00 happens twice; a shift that ends at 02:30 ends the first time."""
    late = Hours("Europe/Madrid", {5: (Shift(time(20), time(2, 30)),)}, {})
    assert is_open(late, datetime(2026, 10, 25, 0, 29, tzinfo=UTC))
    assert not is_open(late, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert not is_open(late, datetime(2026, 10, 25, 1, 15, tzinfo=UTC))


def test_a_zone_without_summer_time() -> None:
    bogota = Hours("America/Bogota", {day: (Shift(time(18), time(22)),) for day in range(7)}, {})
    assert is_open(bogota, datetime(2026, 7, 1, 23, tzinfo=UTC))
    assert is_open(bogota, datetime(2026, 12, 1, 23, tzinfo=UTC))


def test_next_opening_skips_closed_days() -> None:
    assert next_opening(MADRID, at("2026-12-25 12:00")) == at("2026-12-26 20:00")
    assert next_opening(Hours("Europe/Madrid", {}, {}), at("2026-12-25 12:00")) is None
