# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that no check of ours took: what a user's own task proved, and a fix that failed."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.verdict import key_of, newest_by_key

PREFIX = "evidence:"
FAILED_FIX = "remediate"


def with_evidence(manifest: dict[str, t.Any], observations: t.Sequence[t.Mapping[str, t.Any]], run_id: str) -> dict[str, t.Any]:
    """Return *manifest* with a row for each piece of recorded evidence; it takes the place of ``no_check``, never of a check.

    A fix that failed counts in the run in which it failed: the next run tries again.
    """
    extra = [
        {"item": seen["item"], "check": seen["check"], "target": seen["target"], "basis": seen["basis"], "impact": "passive", "problem": None}
        for key, seen in sorted(newest_by_key(observations).items())
        if seen["item"] in manifest["items"] and (seen["check"].startswith(PREFIX) or (seen["check"] == FAILED_FIX and seen["run_id"] == run_id))
    ]
    proven = {row["item"] for row in extra if row["check"].startswith(PREFIX)}
    have = {key_of(row) for row in extra}
    rows = [row for row in manifest["rows"] if key_of(row) not in have and not (row["item"] in proven and not row["check"])]
    return {**manifest, "rows": rows + extra}
