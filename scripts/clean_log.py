# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the runs of Ansible in a log to their word: nothing warned, but of a package mirror that had to be asked again. Usage: clean_log.py [--checked] LOG

With --checked there must be a run under --check among them, in which no task failed and none was rescued. A fix that fails is rescued and Ansible ends
well: only the recap tells, and molecule does not read it.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

#: What the checklist's callback says after the recap of a run under --check.
CHECKED = "(--check)"
RECAP = "PLAY RECAP"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Molecule draws a line beside what a playbook prints, and breaks what is longer than its window: a recap's line goes on in the next one.
BORDER = re.compile(r"^ *│ ?", re.MULTILINE)
COUNTED = re.compile(r"^(\S+) +: (ok=\d.*(?:\n +\w+=.*)?)$", re.MULTILINE)
WRONG = re.compile(r"\b(?:unreachable|failed|rescued|ignored)=[1-9]\d*")
#: Ansible's own. Molecule's warnings, such as that it needs no file of requirements, have no brackets.
WARNED = re.compile(r"^.*\[(?:DEPRECATION )?WARNING\].*$", re.MULTILINE)
#: What ansible.builtin.apt says of a mirror that answered badly once, and well when it was asked again.
OF_A_MIRROR = re.compile(r"\[WARNING\]: .*?(?:Failed to update cache after \d+ retries|Sleeping for \d+ seconds, before attempting to refresh)")


def mistakes(log: str, *, checked: bool = False) -> list[str]:
    """Return what is wrong with the runs in *log*; that there is none is wrong too."""
    plain = BORDER.sub("", COLOUR.sub("", log))
    found = [line.strip() for line in WARNED.findall(plain) if not OF_A_MIRROR.search(line)]
    if RECAP not in plain:
        found.append("no run of a playbook")
    return found + (_of_checked_runs(plain) if checked else [])


def _of_checked_runs(plain: str) -> list[str]:
    ends = [recap.partition("\nPLAY [")[0] for recap in plain.split(RECAP)[1:]]
    recaps = [COUNTED.findall(end) for end in ends if CHECKED in end]
    if not recaps:
        return ["no run under --check"]
    found = [f"{host}: {' '.join(WRONG.findall(counted))}" for hosts in recaps for host, counted in hosts if WRONG.search(counted)]
    return found + ["a recap without hosts" for hosts in recaps if not hosts]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checked", action="store_true")
    parser.add_argument("log", type=pathlib.Path)
    given = parser.parse_args()
    wrong = mistakes(given.log.read_text(encoding="utf-8", errors="replace"), checked=given.checked)
    if wrong:
        sys.exit(f"{given.log} is not clean:\n" + "\n".join(wrong))
    print("nothing warned" + (", and the run under --check failed nothing and rescued nothing" if given.checked else ""))
