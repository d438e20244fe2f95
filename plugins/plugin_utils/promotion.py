# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From staging to prod: what prod takes from staging's sealed evidence, and what it asks of staging before it opens."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.verdict import GO, GO_WITH_WAIVERS, Observation, Reason, key_of, moment, newest_by_key

STAGING = "staging"
#: A GO is about what runs now: as long as live configuration counts, in hours.
GO_HOLDS_H = 24.0


def staging_go(latest: pathlib.Path, release: str | None, now: datetime.datetime) -> Reason | None:
    """Return what is wrong with staging's newest verdict for *release*, or None. *latest* is staging's ``latest`` report directory."""
    try:
        report = json.loads((latest / "golive.json").read_text(encoding="utf-8"))
        verdict, was, at = report["verdict"], report["release"], moment(report["generated_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Reason("verdict.staging_unknown")
    age_h = (now - at).total_seconds() / 3600
    if verdict not in (GO, GO_WITH_WAIVERS):
        return Reason("verdict.staging_no_go", {"verdict": str(verdict)})
    if release is None or was != release:
        return Reason("verdict.staging_other_release", {"was": str(was), "now": str(release)})
    if not 0 <= age_h <= GO_HOLDS_H:
        return Reason("verdict.staging_old", {"age_h": round(age_h, 1), "max_age_h": GO_HOLDS_H})
    return None


def borrowed(
    rows: t.Iterable[t.Mapping[str, t.Any]], own: t.Sequence[Observation], staging: t.Sequence[Observation], release: str | None
) -> list[dict[str, t.Any]]:
    """Return staging's newest word, of the same release, for each row that may be proven there and that this environment has not seen.

    It stands under this environment's row and keeps its time and run; ``mode`` says where it is from.
    """
    seen = newest_by_key(own)
    there: dict[tuple[str, str], Observation] = {}
    for observation in newest_by_key(staging).values():
        key = (observation["item"], observation["check"])
        if key not in there or _worse(observation, there[key]):
            there[key] = observation
    found = []
    for row in rows:
        lent = there.get((row["item"], row["check"]))
        if row.get("proven_by") == STAGING and key_of(row) not in seen and lent is not None and release is not None and lent["release"] == release:
            found.append({**lent, "target": row["target"], "basis": row["basis"], "mode": f"{lent['mode']}@{STAGING}"})
    return found


def _worse(one: Observation, other: Observation) -> bool:
    return (one["status"] != "pass", one["started_at"]) > (other["status"] != "pass", other["started_at"])
