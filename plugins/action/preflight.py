# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight on the control node: lint everything, refuse what nobody knows, say what must be proven, start the run."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, commits, due, engine, ledger, lint_gate, manifest, signatures


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _valid, given = self.validate_argument_spec(argument_spec={"items": {"type": "list", "elements": "str", "choices": sorted(catalogue.items())}})
        tags = engine.run_tags(variables)
        unknown = manifest.unknown_tags(tags)
        if unknown:
            raise AnsibleActionFail(f"no such tag: {', '.join(unknown)}. A tag is a section (postgres), an item (postgres.restore), or inventory.")
        only = given["items"]
        if only is not None and "inventory" not in tags:
            tags = sorted(manifest.selected_items(tags) & set(only))
            if not tags:
                raise AnsibleActionFail(f"this playbook looks at {', '.join(only)} alone, and the tags of this run leave that out. Nothing was done.")
        seen = lint_gate.view(self._loader, variables)
        mistakes = lint_gate.mistakes(seen, variables)
        if mistakes:
            raise AnsibleActionFail(lint_gate.told(mistakes))
        if "inventory" in tags:
            return {**result, "changed": False, "golive": None, "inventory": lint_gate.explained(seen).splitlines()}
        environment = engine.environment_of(variables) or "unknown"
        check_mode = bool(self._task.check_mode)
        impact = engine.impact_of(environment, variables)
        excused = engine.decisions_excused(environment, variables)

        def recorded(host: str = manifest.CONTROL, names: t.Collection[str] = commits.SIGNED) -> dict[str, list[commits.Record]]:
            found = commits.records(seen, host, names)
            return signatures.excused(found) if excused else found

        built = manifest.build(
            engine.inventory_of(variables),
            lambda host, name: next(iter(recorded(host, [name]).get(name, ())), {}),
            environment=environment,
            impact=impact,
            check_mode=check_mode,
            tags=tags,
            limit=engine.limit_of(variables),
            in_play=list(variables["ansible_play_hosts_all"]),
        )
        runs = engine.runs_directory(environment, variables)
        sealed, _problems = ledger.load(runs, environment)
        records = recorded()
        control = engine.control_variables(variables)
        retired = signatures.with_records(control.get("golive_retired", []), records.get("golive_retired", []))
        carried = manifest.carried(built, sealed[-1].manifest if sealed else None, signatures.counted(retired))
        whole = {**carried, "records": records, due.REMEMBERED: due.remembered(sealed)}
        path = ledger.start(engine.check_mode_directory() if check_mode else runs, environment, whole)
        result.update(changed=False, golive={"run_id": path.name, "path": str(path.absolute()), "environment": environment, "impact": impact})
        return result
