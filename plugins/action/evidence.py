# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence's door on the control node: any task's result becomes an observation of an item."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.resto.golive.plugins.modules.evidence import SPEC
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, evidence
from ansible_collections.resto.golive.plugins.plugin_utils.engine import PROBE_VARIABLE, CurrentRun, bare_row


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, given = self.validate_argument_spec(argument_spec=SPEC)
        unknown = [item for item in given["items"] if item not in catalogue.items()]
        if unknown:
            raise AnsibleActionFail(f"no such item: {', '.join(unknown)}")
        run = CurrentRun.of(variables)
        if run is None:
            raise AnsibleActionFail("there is no run to record this in: call resto.golive.preflight first")
        host = variables["inventory_hostname"]
        # Under check mode the run's directory goes when Ansible goes; until then the verdict reads there what could not be fixed.
        recorded = given["failed_fix"] or not self._task.check_mode
        rows = [self._row(item, given, run, host, variables) for item in given["items"]] if recorded else []
        run.write(host, rows)
        result.update(changed=False, golive={"rows": rows})
        return result

    @staticmethod
    def _row(item: str, given: dict[str, t.Any], run: CurrentRun, host: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        told = {"host": host, "task": given["name"], "message": " ".join(given["says"].split())[:300]}
        if given["failed_fix"]:
            row = bare_row(item, evidence.FAILED_FIX, ("host", host), given["status"], "verdict.fix_failed", told)
        else:
            row = bare_row(item, evidence.PREFIX + given["name"], ("host", host), given["status"], "verdict.evidence", told)
        facts = (variables.get(PROBE_VARIABLE) or {}).get("golive") or {}
        mode = "fix" if given["failed_fix"] else "audit"
        return run.observation({**row, "observed": given["observed"]}, host, mode=mode, basis="", impact="passive", facts=facts)
