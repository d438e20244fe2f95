# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's door on the control node: a host that cannot be reached becomes evidence, and costs one attempt."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.resto.golive.plugins.module_utils._door import RESULT_KEY
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun, bare_row


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        host = variables["inventory_hostname"]
        facts = self._facts(variables)
        run = CurrentRun.of(variables)
        if run is not None:
            run.write(host, [run.host_row(host, facts)])
            if facts["state"] == "down":
                run.write(host, self._unreachable(run, host, facts))
        result.update(changed=False, golive=facts)
        return result

    def _facts(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask the host what it is; the clock's skew is measured against the middle of the round trip."""
        before = time.time()
        try:
            answer = self._execute_module(module_name="resto.golive.probe", module_args=self._task.args, task_vars=variables)
        except AnsibleConnectionFailure as failure:
            return _down(variables, str(failure))
        except AnsibleError as error:
            return _down(variables, str(error))
        after = time.time()
        seen = answer.get(RESULT_KEY)
        if seen is None:
            return _down(variables, str(answer.get("msg") or answer.get("module_stderr") or "no answer"))
        skew_s = seen["time"] - (before + after) / 2
        # Half the round trip is the measurement's own doubt; only what is beyond it is the clock's.
        doubt_s = (after - before) / 2
        skew_ms = round(max(0.0, abs(skew_s) - doubt_s) * 1000) * (1 if skew_s > 0 else -1)
        return {"state": "up", "machine": seen["machine"], "release": seen["release"], "python": seen["python"], "clock_skew_ms": skew_ms}

    @staticmethod
    def _unreachable(run: CurrentRun, host: str, facts: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """Everything that this host should have proven, whatever was selected: older evidence does not outlive its host."""
        reason = facts["reason"]
        return [
            run.observation(
                bare_row(row["item"], row["check"], (row["target"]["kind"], row["target"]["name"]), "unreachable", reason["code"], reason["params"]),
                host,
                mode="audit",
                basis=row["basis"],
                impact=row["impact"],
                facts=facts,
            )
            for row in run.rows_of(host)
            if not row["problem"]
        ]


def _down(variables: dict[str, t.Any], message: str) -> dict[str, t.Any]:
    words = " ".join(message.split())[:300]
    return {
        "state": "down",
        "reason": {"code": "common.host_unreachable", "params": {"host": variables["inventory_hostname"], "message": words}},
        "machine": "",
    }
