# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seed each defect into the running lab, see exactly its items turn, mend it, see green again; print a matrix.

Usage: tests/defects/run.py [--apart] [ITEM | ITEM/DEFECT]...; ``make defects ITEM=redis.persistence``; ``--apart`` tries each alone from the start. Needs a lab
that was mended (``make demo``). A defect that nothing notices, an item that turns without being named, and a restore that does not restore make it fail. How to
write one: docs/defects.md.
"""

from __future__ import annotations

import argparse
import functools
import signal
import sys
import typing as t

from journal import Journal
from running_lab import HERE, RunningLab
from trial import BadDefect, Defect, Trial, drills_of, line, matrix, sick, together, tried


def chosen(wanted: t.Sequence[str]) -> list[Defect]:
    """Return the defects of *wanted*, items or single defects; without any, all."""
    paths = [path for path in sorted(HERE.glob("*/*.yml")) if not wanted or {path.parent.name, f"{path.parent.name}/{path.stem}"} & set(wanted)]
    if not paths:
        sys.exit(f"no defects for {', '.join(wanted)}")
    try:
        return [Defect.read(path) for path in paths]
    except BadDefect as error:
        sys.exit(str(error))


def _ended(number: int, _frame: object) -> t.NoReturn:
    # Whoever asks twice does not get the lab back any sooner.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make defects")
    parser.add_argument("--apart", action="store_true", help="try each defect alone from the start")
    parser.add_argument("wanted", nargs="*", metavar="ITEM")
    asked = parser.parse_args()
    defects = chosen(asked.wanted)
    # Alone also means that the lab is looked at whole again before the next one: a group without defects.
    groups = [group for defect in defects for group in ([defect], [])] if asked.apart else together(defects)
    # Whoever ends us in the middle gets the lab back whole; who kills us outright, at the next start.
    signal.signal(signal.SIGTERM, _ended)
    with Journal.opened() as journal:
        lab = RunningLab(journal)
        lab.mend_what_was_left()
        healthy = lab.look(drills_of(defects)).states
        not_good = sick(defects, healthy)
        if not_good:
            sys.exit(f"not green before anything was broken: {', '.join(not_good)}. Mend the lab first: make demo")
        trials: list[Trial] = []
        try:
            for trial in tried(groups, lab, healthy, functools.partial(print, flush=True)):
                trials.append(trial)
                print(line(trial), flush=True)
        finally:
            lab.mend_what_was_left()
    print(f"\n{matrix(trials)}\n")
    caught = sum(not trial.problems for trial in trials)
    for trial in trials:
        if trial.problems:  # once more, where whoever sees only the end of a log finds it
            print("\n  ".join([line(trial), *trial.words]))
    print(f"{caught} of {len(defects)} defects caught, each by its own items and by no other; {lab.looks} audits, {lab.looking_s / lab.looks:.1f} s each")
    sys.exit(0 if caught == len(defects) else 1)


if __name__ == "__main__":
    main()
