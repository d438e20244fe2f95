# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much disk a retention policy will need once it is full. Pure; the checks that look at growth use :func:`slope` too."""

from __future__ import annotations

import dataclasses
import datetime
import statistics
import typing as t

from .retention import Backup, Policy, plan

#: Fewer days than this say nothing about a trend.
SAMPLES_MIN = 7


@dataclasses.dataclass(frozen=True)
class Forecast:
    """``copies`` and ``bytes`` when the policy is full, one more copy included: the new one is written before an old one goes. One has ``copy_bytes`` then."""

    copies: int
    bytes: int
    copy_bytes: int
    bytes_now: int
    grows_bytes_a_day: float


def slope(points: t.Sequence[tuple[float, float]]) -> float | None:
    """Return the Theil-Sen slope of *points*: the median of the slopes between all pairs, which one odd day does not move. None where it cannot be told."""
    slopes = [(later[1] - sooner[1]) / (later[0] - sooner[0]) for index, sooner in enumerate(points) for later in points[index + 1 :] if later[0] != sooner[0]]
    return statistics.median(slopes) if slopes else None


def daily(points: t.Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the last of each day of *points*, both in days and whatever the second is."""
    return sorted({int(at): (at, value) for at, value in sorted(points)}.values())


def forecast(backups: t.Iterable[Backup], policy: Policy, now: datetime.datetime, interval_h: float = 24.0) -> Forecast:
    """Say what *policy* comes to if a backup is taken every *interval_h* hours and copies go on growing as they did."""
    good = sorted((one for one in backups if one.state == "good" and one.time <= now), key=lambda one: one.time)
    sizes = daily((one.time.timestamp() / 86400, float(one.size_bytes)) for one in good)
    grows = max(0.0, (slope(sizes) or 0.0) if len(sizes) >= SAMPLES_MIN else 0.0)
    interval = datetime.timedelta(hours=max(interval_h, 1.0))
    # Once round: what a system that has done this for longer than the span would hold today.
    imagined = [Backup(str(number), now - number * interval) for number in range(int(policy.span_days * 24 / max(interval_h, 1.0)) + 2)]
    copies = len(plan(imagined, policy, now).kept()) + 1
    largest = (good[-1].size_bytes if good else 0) + grows * policy.span_days
    return Forecast(copies, round(copies * largest), round(largest), sum(one.size_bytes for one in good), grows)
