# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that no check of ours took: what a user's own task proved, and a fix that failed."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.manifest import retires
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import key_of, newest_by_key

PREFIX = "evidence:"
FAILED_FIX = "remediate"


Seen = t.Mapping[str, t.Any]


def with_evidence(manifest: dict[str, t.Any], observations: t.Sequence[Seen], run_id: str, retired: t.Sequence[Seen] = ()) -> dict[str, t.Any]:
    """Return *manifest* with a row for each piece of recorded evidence; it takes the place of ``no_check``, never of a check.

    A fix that failed counts in the run in which it failed: the next run tries again. Evidence that one of *retired* names, declarations that count,
    is no longer asked for, unless this very run recorded it.
    """
    extra = [
        {"item": seen["item"], "check": seen["check"], "target": seen["target"], "basis": seen["basis"], "impact": "passive", "problem": None}
        for key, seen in sorted(newest_by_key(observations).items())
        if seen["item"] in manifest["items"] and _counts(seen, seen["run_id"] == run_id, retired)
    ]
    proven = {row["item"] for row in extra if row["check"].startswith(PREFIX)}
    have = {key_of(row) for row in extra}
    rows = [row for row in manifest["rows"] if key_of(row) not in have and not (row["item"] in proven and not row["check"])]
    return {**manifest, "rows": rows + extra}


def _counts(seen: Seen, of_this_run: bool, retired: t.Sequence[Seen]) -> bool:
    """Whether *seen* is evidence that must hold."""
    if seen["check"] == FAILED_FIX:
        return of_this_run
    if not seen["check"].startswith(PREFIX):
        return False
    # A retirement's `target` is the evidence by its name: all evidence of a host has the host for its target.
    named = {**seen, "target": {**seen["target"], "name": seen["check"].removeprefix(PREFIX)}}
    return of_this_run or not any(retires(entry, named) for entry in retired)
