# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold two reports against each other: the same item must be in the same state. Usage: same_states.py DIRECTORY DIRECTORY"""

from __future__ import annotations

import json
import pathlib
import sys


def states(directory: str) -> dict[str, str]:
    return {item["id"]: item["state"] for item in json.loads((pathlib.Path(directory) / "golive.json").read_text(encoding="utf-8"))["items"]}


first, second = states(sys.argv[1]), states(sys.argv[2])
different = [f"{item}: {first[item]} and {second[item]}" for item in first if first[item] != second[item]]
if different or not first:
    sys.exit("not the same: " + ("; ".join(different) or "no items"))
print(f"{len(first)} items in the same state")
