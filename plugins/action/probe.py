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
from ansible_collections.resto.golive.plugins.module_utils._options import secret_names
from ansible_collections.resto.golive.plugins.plugin_utils import engine, joint, secret_store
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun, bare_row

#: Deadline of the question which tenants are test ones, in seconds: a connection and one select each.
FLAG_S = 12.0


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
        ask, flagged = self._question(variables)
        before = time.time()
        try:
            answer = self._execute_module(module_name="resto.golive.probe", module_args={**self._task.args, **ask}, task_vars=variables)
        except AnsibleConnectionFailure as failure:
            return _down(variables, str(failure))
        except AnsibleError as error:
            return _down(variables, str(error))
        after = time.time()
        seen = answer.get(RESULT_KEY)
        if seen is None:
            return _down(variables, str(answer.get("msg") or answer.get("module_stderr") or "no answer"))
        if seen.get("asked"):
            flagged = joint.flags(joint.parts_seen(seen["asked"]).popitem()[1], ask["ask"]["options"]["given"]["see"])
            after -= seen["asked"][0]["duration_ms"] / 1000
        skew_s = seen["time"] - (before + after) / 2
        # Half the round trip is the measurement's own doubt; only what is beyond it is the clock's.
        doubt_s = (after - before) / 2
        skew_ms = round(max(0.0, abs(skew_s) - doubt_s) * 1000) * (1 if skew_s > 0 else -1)
        facts = {"state": "up", **{name: seen[name] for name in ("machine", "release", "python", "servers")}, "clock_skew_ms": skew_ms}
        return {**facts, **({"flagged": flagged} if flagged else {})}

    def _question(self, variables: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """Return the module's arguments for the question which tenants are test ones, or what is known without asking: why it cannot be asked."""
        entry = joint.flag_entry(variables, variables["inventory_hostname"])
        if entry is None:
            return {}, {}
        tenants = entry.options["given"]["see"]
        if entry.problem:
            return {}, joint.flags({"problem": {**entry.problem, "status": "error"}}, tenants)
        control = engine.control_variables(variables)
        wanted = secret_names(entry.check, entry.options)
        try:
            values = (
                secret_store.values(wanted.values(), control.get("environment_secrets_store", None), lambda name: control.get(name, None)) if wanted else {}
            )
        except secret_store.SecretError as error:
            params = {"name": ", ".join(wanted.values()), "message": str(error)}
            return {}, joint.flags({"problem": {"code": "common.secret_missing", "status": "error", "params": params}}, tenants)
        options = {name: value for name, value in entry.options.items() if name not in wanted}
        ask = {"options": options, "user": joint.database_user(entry.options), "timeout_s": FLAG_S}
        return {"ask": ask, "secrets": {place: values[name] for place, name in wanted.items()}}, {}

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
