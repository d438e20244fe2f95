# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drills are due: those whose evidence would not hold until the next run. A drill acts, so it is not repeated for nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import engine, ledger
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts, Key, key_of, moment, newest_by_key, stale


def only_due(entries: list[Entry], run: CurrentRun | None, variables: t.Mapping[str, t.Any]) -> list[Entry]:
    """Return the entries with a target whose newest evidence is missing, not a pass, no longer holds, or is past half of its life."""
    if run is None:
        return entries
    runs, _problems = ledger.load(engine.runs_directory(run.environment, variables), run.environment)
    newest = newest_by_key(row for sealed in runs for row in sealed.rows if row["row"] == "observation")
    facts = Facts.of(engine.probed(variables), run.path.name)
    return [entry for entry in entries if entry.problem or any(is_due(entry, kind, name, newest, facts) for kind, name in entry.targets)]


def is_due(entry: Entry, kind: str, name: str, newest: t.Mapping[Key, t.Mapping[str, t.Any]], facts: Facts) -> bool:
    """Whether the drill must act again on this target. What the verdict would call stale is due: a run must be able to mend what it blames."""
    row = {"item": entry.item.id, "check": entry.check.name, "target": {"host": entry.host, "kind": kind, "name": name}, "basis": entry.basis(kind, name)}
    seen = newest.get(key_of(row))
    if seen is None or seen["status"] != "pass":
        return True
    half_life = {"max_age_h": entry.item.max_age_h / 2, "release_bound": entry.item.release_bound}
    age_s = (ledger.now() - moment(seen["started_at"])).total_seconds()
    return stale(row, half_life, seen, age_s, facts) is not None
