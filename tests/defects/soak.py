# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit a healthy lab many times in a row: no item and no observation may say something else than the first time.

Usage: tests/defects/soak.py [TIMES]; ``make soak N=20``. It breaks nothing, and mends nothing but what a killed run of defects left.
"""

from __future__ import annotations

import statistics
import sys
import time
import typing as t

from journal import Journal
from running_lab import RunningLab

Said = dict[str, str]


def said(report: t.Mapping[str, t.Any]) -> Said:
    """Return what *report* says, by item and by observation: the state, and the reason's code. Numbers in texts may differ."""
    found = {item["id"]: f"{item['state']} ({item['reason']['code']})" for item in report["items"]}
    for item in report["items"]:
        for seen in item["observations"]:
            name = " · ".join([item["id"], seen["check"], *(seen["target"][part] for part in ("host", "kind", "name"))])
            found[name] = f"{seen['state']} ({seen['reason']['code']})"
    return found


def flapping(rounds: t.Sequence[Said]) -> list[str]:
    """Return who said different things in *rounds*, and what: how often each, the most frequent first."""
    names = sorted({name for one in rounds for name in one})
    words = {name: [one.get(name, "nothing") for one in rounds] for name in names}
    told = {
        name: ", ".join(f"{heard.count(word)} x {word}" for word in sorted(set(heard), key=lambda word: (-heard.count(word), word)))
        for name, heard in words.items()
    }
    return [f"{name}: {told[name]}" for name in names if len(set(words[name])) > 1]


def main(times: int) -> None:
    rounds: list[Said] = []
    took: list[float] = []
    with Journal.opened() as journal:
        lab = RunningLab(journal)
        lab.mend_what_was_left()
        for number in range(1, times + 1):
            started = time.monotonic()
            rounds.append(said(lab.audit()))
            took.append(time.monotonic() - started)
            print(f"{number} of {times}: {took[-1]:.1f} s, {'as the first' if rounds[-1] == rounds[0] else 'NOT as the first'}", flush=True)
    print(f"{len(rounds[0])} items and observations, {times} times; an audit took {statistics.median(took):.1f} s (median), {max(took):.1f} s (longest)")
    found = flapping(rounds)
    sys.exit("\n".join(["flapping:", *found]) if found else 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20)
