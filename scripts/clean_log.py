# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the runs under --check in a log to their word: no task failed, none was rescued, nothing warned. Usage: checked_clean.py LOG

A fix that fails is rescued and Ansible ends well: only the recap tells, and molecule does not read it.
"""

from __future__ import annotations

import pathlib
import re
import sys

#: What the checklist's callback says after the recap of a run under --check.
CHECKED = "(--check)"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Molecule draws a line beside what a playbook prints, and breaks what is longer than its window: a recap's line goes on in the next one.
BORDER = re.compile(r"^ *│ ?", re.MULTILINE)
COUNTED = re.compile(r"^(\S+) +: (ok=\d.*(?:\n +\w+=.*)?)$", re.MULTILINE)
WRONG = re.compile(r"\b(?:unreachable|failed|rescued|ignored)=[1-9]\d*")


def mistakes(log: str) -> list[str]:
    """Return what is wrong with the checked runs in *log*; that there is none is wrong too."""
    found, checked = [], 0
    before, *runs = BORDER.sub("", COLOUR.sub("", log)).split("PLAY RECAP")
    for run in runs:
        after, play, rest = run.partition("\nPLAY [")
        if CHECKED in after:
            checked += 1
            hosts = COUNTED.findall(after)
            found += [f"{host}: {' '.join(WRONG.findall(counted))}" for host, counted in hosts if WRONG.search(counted)]
            found += [line.strip() for line in (before + after).splitlines() if re.search(r"\[(?:DEPRECATION )?WARNING\]", line)]
            found += [] if hosts else ["a recap without hosts"]
        before = play + rest
    return found if checked else ["no run under --check"]


if __name__ == "__main__":
    wrong = mistakes(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace"))
    if wrong:
        sys.exit("the run under --check was not clean:\n" + "\n".join(wrong))
    print("the run under --check failed nothing, rescued nothing and warned of nothing")
