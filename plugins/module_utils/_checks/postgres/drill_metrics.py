# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node exporter is told of restore drills, so that somebody is woken when one failed, died, or never came. ``restore_drill`` alone comes in."""

from __future__ import annotations

import pathlib
import re
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_rules
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files

#: Below the scratch folder, where root alone writes; the role links it into the exporter's folder.
FILE = "metrics/golive_restore_drill.prom"
PREFIX = "golive_restore_drill"

#: What each says; all gauges. ``phase`` is the one label.
HELP = {
    f"{PREFIX}_last_attempt_timestamp_seconds": "When the last restore drill began.",
    f"{PREFIX}_ok": "Whether the last restore drill that came to an end passed.",
    f"{PREFIX}_last_success_timestamp_seconds": "When the last restore drill that passed began.",
    f"{PREFIX}_duration_seconds": "How long each phase of the last restore took.",
    f"{PREFIX}_rpo_seconds": "How much older than the drill the restored backup was: what would have been lost.",
    f"{PREFIX}_size_bytes": "How large the restored database was.",
}

#: How a drill ends well: what only warns (a backup that came late, which has a rule of its own) did bring the data back.
WELL = ("pass", "warn")

_SAMPLE = re.compile(r'^(\w+(?:\{phase="\w+"\})?) (\d+(?:\.\d+)?)$', re.M)

Seen = t.Mapping[str, Json]


def told(scratch: pathlib.Path, drill: t.Callable[[], dict[str, Json]], options: Options) -> dict[str, Json]:
    """Run *drill* and tell that it began, and how it ended. One that is killed has begun and never ended well: its own rule sees that."""
    path = scratch / FILE
    path.parent.mkdir(mode=0o755, exist_ok=True)
    began = round(time.time())
    values = {**_read(path), f"{PREFIX}_last_attempt_timestamp_seconds": began}
    _write(path, values)
    new: dict[str, float] = {f"{PREFIX}_ok": 0}
    try:
        seen = drill()
        new |= measured(seen)
        if all(one.status in WELL for one in drill_rules.judge(seen, options)):
            new |= {f"{PREFIX}_ok": 1, f"{PREFIX}_last_success_timestamp_seconds": began}
    finally:
        _write(path, values | new)
    return seen


def measured(seen: Seen) -> dict[str, float]:
    """Return what a drill measured; nothing where the data did not come back, so that what the last good one measured stays."""
    if seen["verdict"] != "pass":
        return {}
    phases = {f'{PREFIX}_duration_seconds{{phase="{name}"}}': float(seconds) for name, seconds in seen["phases"].items()}
    return {**phases, f"{PREFIX}_rpo_seconds": max(0.0, round(drill_rules.rpo_s(seen), 1)), f"{PREFIX}_size_bytes": int(seen["copy_bytes"])}


def _read(path: pathlib.Path) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in _SAMPLE.findall(path.read_text(encoding="utf-8"))}
    except OSError:
        return {}


def _write(path: pathlib.Path, values: t.Mapping[str, float]) -> None:
    lines = []
    for family, says in HELP.items():
        samples = [f"{name} {value:.15g}" for name, value in sorted(values.items()) if name.partition("{")[0] == family]
        if samples:
            lines += [f"# HELP {family} {says}", f"# TYPE {family} gauge", *samples]
    files.publish(path, "\n".join(lines) + "\n")
