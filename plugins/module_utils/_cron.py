# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules in the five fields of crontab(5): what systemd calls them, and the longest time between two runs."""

from __future__ import annotations

import datetime
import itertools
import re
import typing as t

#: Fields with their lowest and highest values.
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMES = {**{name: index + 1 for index, name in enumerate(MONTHS)}, **{name.lower(): index for index, name in enumerate(DAYS)}}
SHORTHANDS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}


class BadSchedule(ValueError):
    """Not a schedule; ``str()`` says which field."""


def parse(expression: str) -> list[frozenset[int]]:
    """Return the values of each field. Raises :class:`BadSchedule`, also where day and weekday are both restricted: cron then means "or", systemd "and"."""
    parts = SHORTHANDS.get(expression.strip(), expression).split()
    if len(parts) != len(FIELDS):
        raise BadSchedule(f"{expression!r} has {len(parts)} fields, wanted 5")
    found = [_values(part, *field) for part, field in zip(parts, FIELDS, strict=True)]
    found[4] = frozenset(day % 7 for day in found[4])
    if len(found[2]) < 31 and len(found[4]) < 7:
        raise BadSchedule(f"{expression!r} restricts both the day and the weekday")
    return found


def _values(part: str, name: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for piece in part.lower().split(","):
        found = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", piece)
        if not found or found[3] == "0":
            raise BadSchedule(f"{name}: {piece!r}")
        first = low if found[1] == "*" else _number(found[1], name)
        last = high if found[1] == "*" or (found[3] and not found[2]) else _number(found[2] or found[1], name)
        if not low <= first <= last <= high:
            raise BadSchedule(f"{name}: {piece!r}")
        values.update(range(first, last + 1, int(found[3] or 1)))
    return frozenset(values)


def _number(word: str, name: str) -> int:
    if word.isdigit():
        return int(word)
    if word in NAMES:
        return NAMES[word]
    raise BadSchedule(f"{name}: {word!r}")


def on_calendar(expression: str) -> str:
    """Return *expression* as systemd.time(7) writes calendar events, in the normalized form of ``systemd-analyze calendar``."""
    minutes, hours, days, months, weekdays = parse(expression)
    named = "" if len(weekdays) == 7 else f"{_named(weekdays)} "
    return f"{named}*-{_listed(months, 12, 2)}-{_listed(days, 31, 2)} {_listed(hours, 24, 2)}:{_listed(minutes, 60, 2)}:00"


def _named(weekdays: t.Collection[int]) -> str:
    """Return the days as systemd itself writes them, which is how it shows a timer: its week begins on Monday, and three in a row are a range."""
    runs: list[list[int]] = []
    for day in sorted((day - 1) % 7 for day in weekdays):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [[DAYS[(day + 1) % 7] for day in run] for run in runs]
    return ",".join(f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(run) for run in names)


def _listed(values: t.Collection[int], whole: int, width: int) -> str:
    return "*" if len(values) == whole else ",".join(f"{value:0{width}d}" for value in sorted(values))


def worst_gap_s(expression: str) -> int:
    """Return the longest time between two runs, in seconds, over four years (a leap day among them)."""
    minutes, hours, days, months, weekdays = parse(expression)
    times = sorted(hour * 3600 + minute * 60 for hour in hours for minute in minutes)
    within = max((later - earlier for earlier, later in itertools.pairwise(times)), default=0)
    day, last, worst = datetime.date(2027, 1, 1), None, 0
    for number in range(4 * 366):
        today = day + datetime.timedelta(number)
        if today.day in days and today.month in months and today.isoweekday() % 7 in weekdays:
            worst = max(worst, within, 0 if last is None else number * 86400 + times[0] - last)
            last = number * 86400 + times[-1]
    if last is None:
        raise BadSchedule(f"{expression!r} never comes")
    return worst
