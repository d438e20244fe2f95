# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The current run, as the action plugins share it: where it is stored, what it is about, and how rows become observations."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import pathlib
import typing as t

from ansible import constants, context
from ansible.parsing.dataloader import DataLoader
from ansible.release import __version__ as ansible_version
from ansible.utils.vars import load_extra_vars

from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES
from ansible_collections.resto.golive.plugins.module_utils._redact import scrub
from ansible_collections.resto.golive.plugins.plugin_utils import ledger
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import CONTROL, IMPACTS, Inventory
from ansible_collections.resto.golive.plugins.plugin_utils.variables import HostVariables

#: The playbooks register the preflight under this name; every later action finds the run there.
RUN_VARIABLE = "golive_run"
#: And what the probe saw of each host under this one.
PROBE_VARIABLE = "golive_probe"
#: Whether signatures must be in git, where the inventory is.
DECISIONS_COMMITTED = "golive_decisions_committed"
COLLECTION_VERSION = "0.1.0"

#: What a row says of what was seen. All else of an observation (when it counts, for which machine, under which options) is this control node's word.
ROW_FIELDS = frozenset(
    {
        *("item", "check", "target", "status", "reason", "expected", "observed", "evidence"),
        *("changes", "would_change", "started_at", "duration_ms", "attempts", "flaky"),
    }
)

TaskVars = t.Mapping[str, t.Any]


def inventory_of(task_vars: TaskVars) -> Inventory:
    return Inventory(task_vars["groups"], task_vars["hostvars"])


def control_variables(task_vars: TaskVars) -> HostVariables:
    """Variables of the control node: what is true of the whole environment is asked here."""
    return HostVariables(task_vars["hostvars"], CONTROL)


def environment_of(task_vars: TaskVars) -> str | None:
    """Return the environment's one name: ``golive_environment``, else the directory of the inventory."""
    declared = control_variables(task_vars).get("golive_environment", None)
    if declared:
        return str(declared)
    sources = [source for source in context.CLIARGS.get("inventory") or () if "," not in source] or [constants.DEFAULT_HOST_LIST[0]]
    path = pathlib.Path(sources[0])
    directory = path if path.is_dir() else path.parent
    return directory.resolve().name if path.exists() and directory.resolve() != pathlib.Path("/etc/ansible") else None


def impact_of(environment: str, task_vars: TaskVars) -> str:
    """Return the most that is allowed here: ``golive_impact``, else passive for ``prod*`` and active for all others."""
    declared = control_variables(task_vars).get("golive_impact", None)
    return str(declared) if declared in IMPACTS else ("passive" if environment.startswith("prod") else "active")


def probed(task_vars: TaskVars) -> dict[str, dict[str, t.Any]]:
    """Return what the probe saw in this run, by host."""
    hostvars = task_vars["hostvars"]
    seen = {host: (hostvars[host].get(PROBE_VARIABLE) or {}).get("golive") for host in task_vars["groups"].get("all", ())}
    return {host: facts for host, facts in seen.items() if facts}


def run_tags(task_vars: TaskVars) -> list[str]:
    return [str(tag) for tag in task_vars.get("ansible_run_tags") or ["all"]]


def limit_of(task_vars: TaskVars) -> str | None:
    limit = task_vars.get("ansible_limit")
    return None if limit is None else str(limit)


def extra_variables() -> set[str]:
    """Return the names given with ``-e``: a signature must not come from there."""
    return set(load_extra_vars(DataLoader()))


def decisions_excused(environment: str, task_vars: TaskVars) -> bool:
    """Say whether the inventory declared ``golive_decisions_committed: false``, as a lab that signs for itself does. Never for prod nor by ``-e``."""
    declared = control_variables(task_vars).get(DECISIONS_COMMITTED, True)
    return declared is False and not environment.startswith("prod") and DECISIONS_COMMITTED not in extra_variables()


def reports_directory(environment: str, task_vars: TaskVars) -> pathlib.Path:
    return pathlib.Path(str(control_variables(task_vars).get("golive_report_dir", "reports"))).expanduser() / environment


def runs_directory(environment: str, task_vars: TaskVars) -> pathlib.Path:
    """Return where the ledger of *environment* is: ``golive_ledger_dir`` (shared, where disks are forgotten), else beside the reports."""
    shared = control_variables(task_vars).get("golive_ledger_dir", None)
    base = pathlib.Path(str(shared)).expanduser() / environment if shared else reports_directory(environment, task_vars)
    return base / "runs"


def check_mode_directory() -> pathlib.Path:
    """Return where a run under ``--check`` keeps its rows: Ansible's own private directory, which goes when Ansible goes."""
    return pathlib.Path(constants.DEFAULT_LOCAL_TMP) / "golive"


class CurrentRun:
    """The run that preflight started, opened again by a later action."""

    def __init__(self, facts: t.Mapping[str, t.Any]) -> None:
        self.environment = str(facts["environment"])
        self.impact = str(facts["impact"])
        self.path = pathlib.Path(str(facts["path"]))
        self._manifest: dict[str, t.Any] | None = None

    @classmethod
    def of(cls, task_vars: TaskVars) -> CurrentRun | None:
        facts = (task_vars.get(RUN_VARIABLE) or {}).get("golive")
        return cls(facts) if facts else None

    @property
    def manifest(self) -> dict[str, t.Any]:
        if self._manifest is None:
            self._manifest = json.loads((self.path / ledger.MANIFEST).read_text(encoding="utf-8"))
        return self._manifest

    def rows_of(self, host: str) -> list[dict[str, t.Any]]:
        return [row for row in self.manifest["rows"] if row["target"]["host"] == host]

    def write(self, host: str, rows: t.Iterable[dict[str, t.Any]]) -> None:
        ledger.append(self.path, host, rows)

    def host_row(self, host: str, facts: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the line that says what *host* is."""
        return {"schema": ledger.SCHEMA, "row": "host", "run_id": self.path.name, "environment": self.environment, "host": host, **facts}

    def observation(
        self,
        row: t.Mapping[str, t.Any],
        host: str,
        *,
        mode: str,
        basis: str,
        impact: str,
        facts: t.Mapping[str, t.Any],
        secrets: t.Iterable[str] = (),
    ) -> dict[str, t.Any]:
        """Return *row*, as a host or this control node made it, as a whole observation: redacted again, and no word of the host's about anything but
        what it saw, because a host is not trusted. A time that it brings is on this control node's clock (``on_our_clock``)."""
        clean = {name: value for name, value in scrub(dict(row), secrets).items() if name in ROW_FIELDS}
        started = clean.pop("started_at", None)
        for piece in clean.get("evidence", ()):
            piece["sha256"] = hashlib.sha256(json.dumps(piece, sort_keys=True, default=str).encode()).hexdigest()
        return {
            **clean,
            "schema": ledger.SCHEMA,
            "row": "observation",
            "run_id": self.path.name,
            "environment": self.environment,
            "mode": mode,
            "impact": impact,
            "basis": basis,
            "machine": facts.get("machine", ""),
            "release": facts.get("release"),
            "clock_skew_ms": facts.get("clock_skew_ms"),
            "collector": {"module": "resto.golive.audit", "version": COLLECTION_VERSION},
            "started_at": started if isinstance(started, str) else ledger.timestamp(ledger.now()),
            "target": {**clean["target"], "host": host},
        }


def is_row(row: t.Any) -> bool:
    """Say whether what a host sent as a row has what every reader of the ledger relies on."""
    if not isinstance(row, dict) or row.get("status") not in STATUSES or not isinstance(row.get("item"), str) or not isinstance(row.get("check"), str):
        return False
    target, reason, pieces = row.get("target"), row.get("reason"), row.get("evidence")
    named = isinstance(target, dict) and isinstance(target.get("kind"), str) and isinstance(target.get("name"), str)
    return named and _is_text(reason, "code") and isinstance(pieces, list) and all(_is_text(piece, "assertion") for piece in pieces)


def _is_text(value: t.Any, code: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(code), str) and isinstance(value.get("params"), dict)


def on_our_clock(started: t.Any, skew_ms: t.Any, asked: float, answered: float) -> float:
    """Return when a host's row began, in seconds on this control node's clock: the host's own time less what its clock is ahead, but never before the host
    was *asked* nor after it *answered*."""
    own = started - (skew_ms or 0) / 1000 if isinstance(started, (int, float)) else answered
    return min(answered, max(asked, own))


def bare_row(item: str, check: str, target: tuple[str, str], status: str, code: str, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a row that this control node makes itself, where no check could."""
    return {
        "item": item,
        "check": check,
        "target": {"kind": target[0], "name": target[1]},
        "status": status,
        "reason": {"code": code, "params": dict(params)},
        "expected": None,
        "observed": None,
        "evidence": [],
        "duration_ms": 0,
        "attempts": 1,
        "flaky": False,
    }


def controller() -> dict[str, str]:
    return {"ansible": ansible_version, "collection": COLLECTION_VERSION, "pyyaml": importlib.metadata.version("pyyaml")}
