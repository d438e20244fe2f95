# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door on the host: what the ``audit`` module and every check's own module do with their parameters."""

from __future__ import annotations

import datetime
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._options import COMMON_SPEC, argument_spec, secret_names, secret_options, validated
from ansible_collections.resto.golive.plugins.module_utils._runner import Unit, run

#: Results without this key did not come from us, whatever they say.
RESULT_KEY = "golive"

#: When the machine was installed; changes when a host is rebuilt under the same name (machine-id(5)).
MACHINE_ID = "/etc/machine-id"


def machine_id() -> str:
    """Return this host's id, or an empty string where it has none."""
    try:
        with open(MACHINE_ID, encoding="ascii") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def finish(module: AnsibleModule, units: t.Sequence[Unit], *, fix: bool, budget_s: float) -> None:
    """Run *units* and leave with ``changed``, ``diff`` and the rows."""
    rows = run(units, fix=fix, check_mode=module.check_mode, budget_s=budget_s)
    changes = sorted({change for row in rows for change in row["changes"]})
    wanted = sorted({row["check"] for row in rows if row["would_change"]})
    result: dict[str, t.Any] = {
        "changed": bool(changes or wanted),
        RESULT_KEY: {"rows": rows, "machine": machine_id(), "clock": datetime.datetime.now(datetime.UTC).isoformat()},
    }
    if result["changed"]:
        before = "".join(f"{row['check']}: {row['status']} ({row['reason']['code']})\n" for row in rows if row["would_change"])
        after = "".join(f"{change}\n" for change in changes) or "".join(f"{name}: fixed, then looked at again\n" for name in wanted)
        result["diff"] = {"before": before, "after": after}
    module.exit_json(**result)


def run_module(check: type[Check]) -> None:
    """``main()`` of a check's own module: the check with the options given, on every target these options name."""
    module = AnsibleModule(argument_spec={**argument_spec(check), **COMMON_SPEC}, supports_check_mode=True)
    raw = {name: module.params[name] for name in check.options if module.params[name] is not None}
    secrets = secret_names(check, raw)
    raw = {name: value for name, value in raw.items() if name not in secret_options(check)}
    fix = module.params["fix"]
    if fix and not check.fixes:
        module.fail_json(msg=f"{check.name} fixes nothing by itself: leave `fix` out and see its role")
    targets = check.targets(validated(check, raw)) or [("host", "")]
    wanted = module.params["target"]
    units = [Unit(check, kind, name, raw, secrets, check.timeout_s) for kind, name in targets if wanted in (None, name)]
    if not units:
        module.fail_json(msg=f"{check.name} has no target {wanted!r}; it has {', '.join(name for kind, name in targets)}")
    finish(module, units, fix=fix, budget_s=sum(unit.timeout_s for unit in units) + 30)
