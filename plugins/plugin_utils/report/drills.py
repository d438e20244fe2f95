# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore drills of a report, as they are drawn and told: by host, with bars for the time that each took and the size that came back. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report import model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import PHASES

Json = t.Any
Drill = t.Mapping[str, Json]

#: As many bars as a phone shows apart.
DRAWN = 24

#: A bar's width with its gap, and the picture's height, in units of the picture.
STEP, BAR, HEIGHT = 12, 9, 100


@dataclasses.dataclass(frozen=True)
class Bar:
    x: int
    y: float
    height: float
    tone: str
    measured: bool
    title: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """The drills of one host: ``drills`` newest first, ``last`` the newest that was measured, ``promised`` where the promise would be drawn."""

    host: str
    drills: tuple[Drill, ...]
    last: Drill | None
    times: tuple[Bar, ...]
    sizes: tuple[Bar, ...]
    promised_y: float | None

    @property
    def width(self) -> int:
        return STEP * len(self.drills)


def by_host(report: model.Report) -> dict[str, list[Drill]]:
    """Return the drills of each host, oldest first. A report of before there were any has none."""
    found: dict[str, list[Drill]] = {}
    for drill in report.get("restores") or ():
        found.setdefault(model.line(drill.get("host")), []).append(drill)
    return found


def charts(report: model.Report) -> list[Chart]:
    return [_chart(host, drills[-DRAWN:]) for host, drills in by_host(report).items()]


def _chart(host: str, drills: t.Sequence[Drill]) -> Chart:
    limits = [float(drill["rto_limit_min"]) * 60 for drill in drills if _number(drill.get("rto_limit_min"))]
    took = max((float(drill["rto_s"]) for drill in drills if _number(drill.get("rto_s"))), default=0.0)
    # A promise far above all bars would flatten them; it is told in words either way.
    top = max(took, limits[-1]) if limits and limits[-1] <= 3 * took else took
    return Chart(
        host=host,
        drills=tuple(reversed(drills)),
        last=next((drill for drill in reversed(drills) if _number(drill.get("rto_s"))), None),
        times=_bars(drills, "rto_s", top, duration),
        sizes=_bars(drills, "bytes", max((float(drill["bytes"]) for drill in drills if _number(drill.get("bytes"))), default=0.0), size),
        promised_y=round(HEIGHT * (1 - limits[-1] / top), 2) if limits and top and limits[-1] <= top else None,
    )


def _bars(drills: t.Sequence[Drill], name: str, top: float, told: t.Callable[[Json], str]) -> tuple[Bar, ...]:
    """Return a bar a drill; where nothing was measured, a pale one of full height, so that a failure is not a gap."""
    bars = []
    for place, drill in enumerate(drills):
        value: Json = drill.get(name)
        measured = _number(value) and top > 0
        height = round(max(1.0, HEIGHT * float(value) / top), 2) if measured else float(HEIGHT)
        tone = "good" if drill.get("status") == "pass" else "bad" if drill.get("status") == "fail" else "open"
        title = f"{model.when(drill.get('at'))} · {told(value) if measured else '—'}"
        bars.append(Bar(place * STEP, round(HEIGHT - height, 2), height, tone, measured, title))
    return tuple(bars)


def _number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def duration(seconds: Json) -> str:
    """Return seconds as people read them: ``2.8 s``, ``12 min 5 s``, ``1 h 40 min``."""
    if not _number(seconds):
        return "—"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    (big, large), (small, little) = ((whole // 60, "min"), (whole % 60, "s")) if whole < 3600 else ((whole // 3600, "h"), (whole % 3600 // 60, "min"))
    return f"{big} {large} {small} {little}" if small else f"{big} {large}"


def size(count: Json) -> str:
    """Return bytes in decimal units, as disks are sold: ``9.4 MB``."""
    if not _number(count):
        return "—"
    power = next(power for power in (4, 3, 2, 1, 0) if count >= 1000**power or power == 0)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def phases(drill: Drill) -> list[tuple[str, float]]:
    """Return the measured phases in the order in which they happened."""
    measured = drill.get("phases") or {}
    return [(name, float(measured[name])) for name in PHASES if _number(measured.get(name))]
