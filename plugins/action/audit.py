# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door of all checks on the control node: the audit's many checks, a drill, or the one check whose module was called."""

from __future__ import annotations

import datetime
import time
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.resto.golive.plugins.module_utils._check import Check, Outcome, cannot_know, crashed
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.module_utils._door import RESULT_KEY
from ansible_collections.resto.golive.plugins.module_utils._options import COMMON_SPEC, BadOptions, secret_names, secret_options, validated
from ansible_collections.resto.golive.plugins.module_utils._parts import DatabaseObservers
from ansible_collections.resto.golive.plugins.module_utils._redact import scrub
from ansible_collections.resto.golive.plugins.module_utils._runner import Unit, rows_of
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, due, engine, joint, ledger, manifest, secret_store, texts
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun, bare_row
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts

#: What the round trip, the interpreter's start and the imports may take beyond the checks' own deadlines, in seconds.
OVERHEAD_S = 30.0
OWN_ARGUMENTS = frozenset({"drills", "step", "fix", "budget_s"})
#: What the audit of a run tells of a row; all of it is in the ledger. Ansible copies a result, and templates it, again and again.
GIST = ("item", "check", "target", "status", "reason")

Row = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        host = variables["inventory_hostname"]
        single = CHECKS.get(self._task.action.rpartition(".")[2])
        fix = self._boolean("fix")
        if self._task.args.get("step") == "join":
            result.update(changed=False, golive={"rows": self._join(variables)})
            return result
        entries = [self._single(single, host, variables, fix)] if single else self._chosen(host, variables)
        if single and self._task.check_mode and single.impact != manifest.IMPACTS[0]:
            text = texts.render("common.acts", {"check": single.name})
            result.update(changed=False, skipped=True, msg=" / ".join(text[language] for language in texts.LANGUAGES), golive={"rows": []})
            return result
        secrets, problems = self._secrets(entries, variables)
        rows, answer = self._observe([entry for entry in entries if entry.check.name not in problems], host, secrets, fix, variables)
        for entry in entries:
            problem = entry.problem or problems.get(entry.check.name)
            if problem:
                rows += [row for target in entry.targets or [("host", host)] for row in _rows(entry, target, "error", problem["code"], problem["params"])]
        told = [value for values in secrets.values() for value in values.values()]
        seen = scrub(joint.parts_seen(rows), told)
        rows = self._record([row for row in rows if row["check"] in CHECKS], entries, host, told, fix, variables)
        if not single and CurrentRun.of(variables):
            rows = [{name: row[name] for name in GIST} for row in rows]
        result.update(changed=answer.get("changed", False), golive={"rows": rows, "joint": seen})
        if "diff" in answer:
            result["diff"] = answer["diff"]
        return result

    def _boolean(self, name: str) -> bool:
        value = self._task.args.get(name, False)
        if not isinstance(value, bool):
            raise AnsibleActionFail(f"{name} is true or false")
        return value

    def _chosen(self, host: str, variables: dict[str, t.Any]) -> list[Entry]:
        """The checks that this host answers: by group, tags, kind, and the impact allowed."""
        unknown = set(self._task.args) - OWN_ARGUMENTS
        if unknown:
            raise AnsibleActionFail(f"no such option: {', '.join(sorted(unknown))}")
        inventory = engine.inventory_of(variables)
        environment = engine.environment_of(variables) or "unknown"
        most = manifest.IMPACTS[0] if self._task.check_mode else engine.impact_of(environment, variables)
        wanted = manifest.selected_items(engine.run_tags(variables))
        drills = self._boolean("drills")
        run, step = CurrentRun.of(variables), self._task.args.get("step")
        follow = step == "follow"
        last = joint.last_step(host, variables)
        found = []
        for check in CHECKS.values():
            if check.drill != drills or not wanted & set(check.items):
                continue
            if run is not None and not drills and (step != last if check.alone else step == "alone"):
                continue  # what disturbs others comes last, when all that it could disturb are done
            at = manifest.vantage_hosts(check, inventory)
            # A host that only takes part in what another does is bound by what that one may do.
            if not at or manifest.acts_beyond(check, manifest.allowed(check, host if host in at else at[0], inventory, most)):
                continue
            if check is OrderJourney and run is not None:
                journey = joint.Journey(variables, run)
                part = journey.part(host, follow)
                declared = journey.entry(host) if host in journey.probes else None
                found += [part] if part else [declared] if declared and declared.problem and not follow else []
            elif host in at and (check.alone or not follow):
                found.append(manifest.entry(check, catalogue.items()[check.items[0]], host, inventory))
        found = [one for one in found if manifest.asks(one)]
        return due.only_due(found, run, variables) if drills else found

    def _join(self, variables: dict[str, t.Any]) -> list[Row]:
        """Judge what several hosts saw together, and write it where the host that acted writes."""
        run = CurrentRun.of(variables)
        if run is None:
            return []
        journey, rows = joint.Journey(variables, run), []
        for host in journey.probes:
            if not journey.acted(host):
                continue
            entry = journey.entry(host)
            try:
                found, took = journey.judged(host), journey.took(host)
            except Exception as crash:  # the runner's rule, also here: whatever it raises is an error of its own items, and the others get their verdict
                found, took = cannot_know(OrderJourney, crashed(OrderJourney, crash)), (time.time(), 0.0)
            mine = rows_of(Unit(OrderJourney, "host", host, entry.options, {}, OrderJourney.timeout_s), Outcome(found), *took)
            if all(row["status"] == "pass" for row in mine):
                journey.forget()
            rows += self._record(mine, [entry], host, [], False, {**variables, engine.PROBE_VARIABLE: {"golive": journey.facts(host)}})
        return rows

    def _single(self, check: type[Check], host: str, variables: dict[str, t.Any], fix: bool) -> Entry:
        """The one check whose module was called: options given in the task stand above the inventory's."""
        given = {name: value for name, value in self._task.args.items() if name not in COMMON_SPEC and value is not None}
        unknown = set(given) - set(check.options)
        if unknown:
            raise AnsibleActionFail(f"{check.name} has no option {', '.join(sorted(unknown))}; it has {', '.join(sorted(check.options))}")
        if fix and not check.fixes:
            raise AnsibleActionFail(f"{check.name} fixes nothing by itself: leave `fix` out and see its role")
        item = catalogue.items()[check.items[0]]
        declared = manifest.entry(check, item, host, engine.inventory_of(variables))
        options = {**declared.options, **given}
        if declared.problem and not given:
            return declared
        try:
            targets = check.targets(validated(check, options)) or [("host", host)]
        except BadOptions as bad:
            raise AnsibleActionFail(str(bad)) from bad
        target = self._task.args.get("target")
        wanted = [(kind, name) for kind, name in targets if target in (None, name)]
        if not wanted:
            raise AnsibleActionFail(f"{check.name} has no target {target!r}; it has {', '.join(name for _kind, name in targets)}")
        return Entry(check, item, host, options, wanted, None)

    def _secrets(self, entries: list[Entry], variables: dict[str, t.Any]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, t.Any]]]:
        """Return the values of secrets by check and place, and the problems by check."""
        found: dict[str, dict[str, str]] = {}
        problems: dict[str, dict[str, t.Any]] = {}
        for entry in entries:
            # What is not declared as it must be will not run, and names nothing that could be looked up.
            wanted = {} if entry.problem else secret_names(entry.check, entry.options)
            try:
                values = self._values(wanted.values(), variables) if wanted else {}
            except secret_store.SecretError as error:
                problems[entry.check.name] = {"code": "common.secret_missing", "params": {"name": ", ".join(wanted.values()), "message": str(error)}}
            else:
                found[entry.check.name] = {place: values[name] for place, name in wanted.items()}
        return found, problems

    @staticmethod
    def _values(names: t.Iterable[str], variables: dict[str, t.Any]) -> dict[str, str]:
        control = engine.control_variables(variables)
        return secret_store.values(names, control.get("environment_secrets_store", None), lambda name: control.get(name, None))

    def _observe(
        self, entries: list[Entry], host: str, secrets: dict[str, dict[str, str]], fix: bool, variables: dict[str, t.Any]
    ) -> tuple[list[Row], dict[str, t.Any]]:
        """Run the checks in one module run. Whatever goes wrong on the way is an ``error`` of each of them."""
        usable = [entry for entry in entries if entry.problem is None]
        if not usable:
            return [], {}
        checks = [
            {
                "check": entry.check.name,
                "module": entry.check.__module__,
                "targets": entry.targets,
                "options": {option: value for option, value in entry.options.items() if option not in secret_options(entry.check)},
                "timeout_s": entry.check.timeout_s,
                "user": joint.database_user(entry.options) if entry.check is DatabaseObservers else None,
            }
            for entry in usable
        ]
        budget_s = float(self._task.args.get("budget_s") or _longest(usable) * (2 if fix else 1) + OVERHEAD_S)
        arguments = {"checks": checks, "secrets": secrets, "fix": fix, "budget_s": budget_s}
        asked_at = time.time()
        try:
            answer = self._execute_module(module_name="resto.golive.audit", module_args=arguments, task_vars=variables)
        except AnsibleConnectionFailure as failure:
            return self._all(usable, "unreachable", "common.host_unreachable", host=host, message=_words(failure)), {}
        except Exception as error:  # a crash on the way to the host is evidence, not the end of the play
            return self._all(usable, "error", "common.no_result", host=host, message=_words(error)), {}
        except BaseException as error:
            if type(error).__name__ != "TaskTimeoutError":  # the task's own `timeout:` raises a BaseException; anything else is not ours
                raise
            return self._all(usable, "error", "common.timeout", what=host, seconds=self._task.timeout), {}
        seen = answer.get(RESULT_KEY)
        if not isinstance(seen, dict) or "rows" not in seen:
            message = _words(answer.get("msg") or answer.get("module_stderr") or answer.get("exception") or "no rows")
            return self._all(usable, "error", "common.no_result", host=host, message=message), {}
        skew_ms = ((variables.get(engine.PROBE_VARIABLE) or {}).get("golive") or {}).get("clock_skew_ms")
        rows = [{**row, "started_at": engine.on_our_clock(row.get("started_at"), skew_ms, asked_at, time.time())} for row in _answers(seen["rows"], usable)]
        return rows + _missing(rows, usable, host), dict(answer)

    @staticmethod
    def _all(entries: list[Entry], status: str, code: str, **params: t.Any) -> list[Row]:
        return [row for entry in entries for target in entry.targets for row in _rows(entry, target, status, code, params)]

    def _record(self, rows: list[Row], entries: list[Entry], host: str, secrets: list[str], fix: bool, variables: dict[str, t.Any]) -> list[Row]:
        """Write the rows into the run, whole and redacted, and return them; without a run (a user's own playbook) they are only returned."""
        run = CurrentRun.of(variables)
        by_check = {entry.check.name: entry for entry in entries}
        if run is None:
            return rows
        facts = dict((variables.get(engine.PROBE_VARIABLE) or {}).get("golive") or {})
        facts["release"] = facts.get("release") or Facts.of(engine.probed(variables)).release
        whole = []
        for row in rows:
            entry = by_check[row["check"]]
            row["started_at"] = _when(row.get("started_at"))
            mode = "check_mode" if self._task.check_mode else ("fix" if fix else ("drill" if entry.check.drill else "audit"))
            basis = entry.basis(row["target"]["kind"], row["target"]["name"])
            whole.append(run.observation(row, host, mode=mode, basis=basis, impact=entry.check.impact, facts=facts, secrets=secrets))
        run.write(host, whole)
        return whole


def _rows(entry: Entry, target: tuple[str, str], status: str, code: str, params: t.Mapping[str, t.Any]) -> list[Row]:
    """Return the same row for each item of the entry's check."""
    return [bare_row(item, entry.check.name, target, status, code, params) for item in entry.check.items]


def _answers(rows: t.Any, entries: list[Entry]) -> list[Row]:
    """Return of a host's *rows* those that are whole and were asked for: a host is not trusted."""
    asked = {_key(row) for row in _asked(entries)}
    return [row for row in (rows if isinstance(rows, list) else []) if engine.is_row(row) and _key(row) in asked]


def _missing(rows: list[Row], entries: list[Entry], host: str) -> list[Row]:
    """Return an ``error`` for whatever was asked for and is not among *rows*: no answer must not leave the last one standing."""
    told = {_key(row) for row in rows}
    return [row for row in _asked(entries, host=host, message="no row of it") if _key(row) not in told]


def _asked(entries: list[Entry], **params: t.Any) -> list[Row]:
    """Return a row for everything that *entries* ask of the host, as it reads where the host does not answer."""
    return [row for entry in entries for target in entry.targets for row in _rows(entry, target, "error", "common.no_result", params)]


def _key(row: Row) -> tuple[str, ...]:
    return row["check"], row["item"], row["target"]["kind"], row["target"]["name"]


def _longest(entries: list[Entry]) -> float:
    """Return how long *entries* may take, in seconds: side by side, those that must be alone one after the other."""
    together = max((entry.check.timeout_s for entry in entries if not entry.check.alone), default=0.0)
    return together + sum(entry.check.timeout_s * len(entry.targets) for entry in entries if entry.check.alone)


def _when(seconds: t.Any) -> str:
    if isinstance(seconds, (int, float)):
        return ledger.timestamp(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    return ledger.timestamp(ledger.now())


def _words(error: t.Any) -> str:
    return " ".join(str(error).split())[:300]
