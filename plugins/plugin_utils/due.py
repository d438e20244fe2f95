# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drills are due: those whose evidence would not hold until the next run. A drill acts, so it is not repeated for nothing.

The preflight reads the ledger once and leaves what it remembers of drills in the manifest: each host is a process of its own, and the ledger only grows.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import engine, ledger
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts, Key, key_of, moment, newest_by_key, stale

#: Under this key the manifest has the newest sealed row of each drill, with what decides whether it holds.
REMEMBERED = "drilled"
_DECIDES = ("item", "check", "target", "status", "basis", "machine", "release", "run_id", "started_at", "sealed_at")


def remembered(sealed: t.Iterable[ledger.Run]) -> list[dict[str, t.Any]]:
    """Return the newest row of each drill in the *sealed* runs, as far as :func:`only_due` asks."""
    rows = (row for row in ledger.observations(sealed) if row["check"] in CHECKS and CHECKS[row["check"]].drill)
    return [{name: seen.get(name) for name in _DECIDES} for _key, seen in sorted(newest_by_key(rows).items())]


def only_due(entries: list[Entry], run: CurrentRun | None, variables: t.Mapping[str, t.Any]) -> list[Entry]:
    """Return the entries with a target whose newest evidence is missing, not a pass, no longer holds, or is past half of its life."""
    if run is None:
        return entries
    newest = {key_of(seen): seen for seen in run.manifest[REMEMBERED]}
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
