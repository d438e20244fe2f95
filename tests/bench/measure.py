# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long, how often, and against what: samples, medians, ratios pair by pair."""

from __future__ import annotations

import dataclasses
import resource
import statistics
import time
import typing as t


@dataclasses.dataclass(frozen=True)
class Sample:
    """One execution: wall time, and user and system time of the children that were waited for, in seconds."""

    wall_s: float
    cpu_s: float


def timed(act: t.Callable[[], object]) -> Sample:
    """Run *act* once."""
    before, clock = _children_s(), time.monotonic()
    act()
    return Sample(time.monotonic() - clock, _children_s() - before)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rounds(times: int, **variants: t.Callable[[], object]) -> dict[str, list[Sample]]:
    """Run all variants in turn, *times* times (A B A B …), so that a machine that slows down slows all of them."""
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    for _round in range(times):
        for name, act in variants.items():
            samples[name].append(timed(act))
    return samples


def median_s(samples: t.Sequence[Sample]) -> float:
    """Return the median wall time."""
    return statistics.median(sample.wall_s for sample in samples)


def median_cpu_s(samples: t.Sequence[Sample]) -> float:
    return statistics.median(sample.cpu_s for sample in samples)


def ratio(above: t.Sequence[Sample], below: t.Sequence[Sample]) -> float:
    """Return the median of the ratios of wall times, each taken within one round."""
    return statistics.median(a.wall_s / b.wall_s for a, b in zip(above, below, strict=True))
