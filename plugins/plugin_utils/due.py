# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drills are due: those whose evidence would not hold until the next run. A drill acts, so it is not repeated for nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import engine, ledger
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Key, moment, newest_by_key


def only_due(entries: list[Entry], run: CurrentRun | None, variables: t.Mapping[str, t.Any]) -> list[Entry]:
    """Return the entries with a target whose newest evidence is missing, not a pass, of another basis, or past half of its life."""
    if run is None:
        return entries
    runs, _problems = ledger.load(engine.runs_directory(run.environment, variables), run.environment)
    newest = newest_by_key(row for sealed in runs for row in sealed.rows if row["row"] == "observation")
    return [entry for entry in entries if entry.problem or any(_due(entry, kind, name, newest) for kind, name in entry.targets)]


def _due(entry: Entry, kind: str, name: str, newest: t.Mapping[Key, t.Mapping[str, t.Any]]) -> bool:
    seen = newest.get((entry.item.id, entry.check.name, entry.host, kind, name))
    if seen is None or seen["status"] != "pass" or seen["basis"] != entry.basis(kind, name):
        return True
    age_h = (ledger.now() - moment(seen["started_at"])).total_seconds() / 3600
    return age_h > entry.item.max_age_h / 2
