# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of units: one ``systemctl show`` for all of them. Checks that ask about services and timers come in."""

from __future__ import annotations

import datetime
import re
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context

#: Units of a time span as systemd prints them (systemd.time(7)), in seconds.
SPANS = {"y": 31557600.0, "month": 2629800.0, "w": 604800.0, "d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}

#: What :func:`next_elapse` reads of a timer.
TIMER = ("SubState", "LastTriggerUSec", "NextElapseUSecRealtime", "NextElapseUSecMonotonic")

#: A timer names no next moment while what it started is still running. What has been running for so long, in seconds, hangs, and the timer with it.
HANGS_S = 86400.0

Unit = dict[str, str]


def show(ctx: Context, units: t.Sequence[str], properties: t.Sequence[str]) -> dict[str, Unit]:
    """Return *properties* of each of *units*, by the name that was asked for; a unit that does not exist has ``LoadState: not-found``.

    Times come in UTC, as ``Tue 2026-11-24 15:10:42 UTC``: ``--timestamp=unix`` leaves some of them as they are (tried on 252).
    """
    wanted = ",".join(dict.fromkeys(["Id", "LoadState", *properties]))
    done = ctx.run(["systemctl", "show", f"--property={wanted}", *units], env={"TZ": "UTC"})
    blocks = [block for block in done.stdout.split("\n\n") if block.strip()]
    if len(blocks) != len(units):
        raise CannotKnow("common.empty_answer", what=f"systemctl show {' '.join(units)}")
    return {unit: _properties(block) for unit, block in zip(units, blocks, strict=True)}


def _properties(block: str) -> Unit:
    """Return the properties of one unit; a list comes as a line for each of its members, and stays as many lines."""
    found: Unit = {}
    for name, _equals, value in (line.partition("=") for line in block.splitlines() if "=" in line):
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def commands(unit: Unit) -> list[str]:
    """Return what *unit* starts, whichever of its files or drop-ins says so: the command lines of ``ExecStart``."""
    return re.findall(r"argv\[\]=(.*?) ; ignore_errors=", unit.get("ExecStart", ""))


def programs(unit: Unit) -> str:
    """Return the programs that *unit* starts, without their arguments: those may hold what nobody should read."""
    return ", ".join(command.partition(" ")[0] for command in commands(unit)) or "-"


def moment(value: str) -> float | None:
    """Return seconds since the epoch of ``Tue 2026-11-24 15:10:42 UTC``, or None for never (empty, ``n/a``)."""
    found = re.search(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC", value)
    return datetime.datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00").timestamp() if found else None


def span(value: str) -> float | None:
    """Return the seconds of ``1d 2h 3min 4.5s``; None for never."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(month|min|ms|us|[ywdhs])", value)
    return sum(float(number) * SPANS[unit] for number, unit in parts) if parts else None


def next_elapse(timer: Unit, now: float) -> float | None:
    """Return when *timer* fires next, in seconds since the epoch, whichever clock it counts on; *now* while what it started is running; None: never."""
    if timer.get("SubState") == "running":
        fired = moment(timer.get("LastTriggerUSec", ""))
        return now if fired is not None and now - fired < HANGS_S else None
    monotonic = span(timer.get("NextElapseUSecMonotonic", ""))
    moments = [moment(timer.get("NextElapseUSecRealtime", "")), None if monotonic is None else now - time.monotonic() + monotonic]
    return min((at for at in moments if at is not None), default=None)
