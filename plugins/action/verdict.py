# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the control node: seal the run, decide from the sealed evidence alone, write the report. It needs no host and no other play."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import (
    assembly,
    commits,
    drill_history,
    drilled,
    engine,
    evidence,
    ledger,
    manifest,
    promotion,
    report,
    signatures,
    texts,
    verdict,
)
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.report import terminal
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts, Reason

#: What must not come by ``-e``.
SIGNED = (*commits.SIGNED, engine.DECISIONS_COMMITTED)


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _valid, given = self.validate_argument_spec(
            argument_spec={"fail_on_no_go": {"type": "bool", "default": True}, "drill": {"type": "str", "choices": sorted(CHECKS)}}
        )
        run = CurrentRun.of(variables)
        if run is None:
            result.update(
                failed=True,
                msg="NO-GO: the preflight did not run, so there is nothing to decide from. Call resto.golive.preflight first.",
            )
            return result
        made = self._report(run, variables)
        directory = None if self._task.check_mode else self._write(run, made, variables)
        shown = None if directory is None else str(directory)
        blockers = [{key: blocker[key] for key in ("item", "state", "owner")} for blocker in made["blockers"]]
        states = {item["id"]: item["state"] for item in made["items"]}
        text = {language: terminal.summary_text(made, language, shown) for language in texts.LANGUAGES}
        told = {"verdict": made["verdict"], "report": shown, "summary": made["summary"], "states": states, "blockers": blockers, "text": text}
        result.update(changed=False, golive=told)
        if made["verdict"] == verdict.NO_GO and given["fail_on_no_go"]:
            result.update(failed=True, msg=f"NO-GO · {len(made['blockers'])} bloqueos / blockers · {shown or '--check'}")
        if given["drill"]:
            self._drilled(given["drill"], run, shown, result)
        return result

    def _drilled(self, check: str, run: CurrentRun, shown: str | None, result: dict[str, t.Any]) -> None:
        """Say in one line what came of the drill, and fail unless it passed. Under check mode nothing was drilled, and that is what is said."""
        good, told = (True, f"{check}: NOT RUN") if self._task.check_mode else drilled.outcome(check, run.manifest["rows"], ledger.read(run.path).rows)
        result["golive"]["drill"] = told
        result["msg"] = f"{told} · {shown or '--check'}"
        if not good:
            result["failed"] = True

    def _report(self, run: CurrentRun, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Seal, load everything that is sealed, decide."""
        runs = engine.runs_directory(run.environment, variables)
        current = ledger.read(run.path)
        if not self._task.check_mode:
            ledger.adopt_leftovers(runs, run.path)
            ledger.seal(run.path, tags=run.manifest["tags"], limit=run.manifest["limit"], impact=run.impact)
        sealed, broken = ledger.load(runs, run.environment)
        unsealed = current.rows if self._task.check_mode else []
        observations = ledger.observations(sealed) + [row for row in unsealed if row["row"] == "observation"]
        hosts = {row["host"]: row for row in current.rows if row["row"] == "host"}
        facts = Facts.of(hosts, run.path.name)
        problems = [Reason(problem.code, problem.params) for problem in broken] + self._problems(run, hosts, variables)
        if run.environment.startswith("prod"):
            staging = self._staging(variables)
            observations += self._from_staging(run, observations, facts, staging)
            latest = engine.reports_directory(promotion.STAGING, variables) / report.LATEST
            flaw = promotion.staging_go(latest, staging, facts.release, ledger.now())
            problems += [flaw] if flaw else []
        control = engine.control_variables(variables)
        now = ledger.now()
        records = run.manifest["records"]
        signed = {name: signatures.with_records(control.get(name, []), records.get(name, ())) for name in commits.SIGNED}
        whole = evidence.with_evidence(run.manifest, observations, run.path.name, signatures.counted(signed["golive_retired"]))
        decision = verdict.decide(
            whole,
            observations,
            now,
            facts=facts,
            waivers=signed["golive_waivers"],
            attestations=signed["golive_attestations"],
            problems=problems,
        )
        about = {
            "id": run.path.name,
            "started_at": current.start["started_at"],
            "finished_at": ledger.timestamp(now),
            "check_mode": bool(self._task.check_mode),
            "tags": run.manifest["tags"],
            "limit": run.manifest["limit"],
            "hosts": {name: {key: row.get(key) for key in ("state", "machine", "clock_skew_ms", "release", "python")} for name, row in sorted(hosts.items())},
            "controller": engine.controller(),
        }
        return assembly.report(decision, whole, about, release=facts.release, now=now, restores=drill_history.restores(observations))

    @staticmethod
    def _staging(variables: dict[str, t.Any]) -> list[ledger.Run]:
        """Return staging's sealed runs. A ledger of staging that is not whole lends nothing."""
        sealed, broken = ledger.load(engine.runs_directory(promotion.STAGING, variables), promotion.STAGING)
        return [] if broken else sealed

    @staticmethod
    def _from_staging(run: CurrentRun, own: list[dict[str, t.Any]], facts: Facts, staging: list[ledger.Run]) -> list[dict[str, t.Any]]:
        """Staging's word where it counts here too."""
        lendable = ledger.observations(staging)
        lent = promotion.borrowed(run.manifest["rows"], own, lendable, facts.release)
        return [{**row, "machine": facts.machines.get(row["target"]["host"], "")} for row in lent]

    @staticmethod
    def _problems(run: CurrentRun, hosts: dict[str, dict[str, t.Any]], variables: dict[str, t.Any]) -> list[Reason]:
        """What is wrong with this run as a whole."""
        down = {name: row for name, row in hosts.items() if row["state"] == "down"}
        found = [Reason("verdict.host_down", row["reason"]["params"]) for row in down.values()]
        # Ansible takes a host on which a task failed out of all later plays; whatever it had still to tell, older evidence must not tell for it.
        lost = set(variables["ansible_play_hosts_all"]) - set(variables["ansible_play_hosts"]) - set(down)
        found += [Reason("verdict.host_lost", {"host": host}) for host in sorted(lost)]
        declared = engine.control_variables(variables).get("golive_release", None)
        found += verdict.other_releases(None if declared is None else str(declared), hosts)
        if not [host for host in variables["groups"].get("all", ()) if host != manifest.CONTROL]:
            found.append(Reason("verdict.empty_inventory"))
        if run.environment == "unknown":
            found.append(Reason("verdict.environment_unknown"))
        from_command_line = sorted(name for name in engine.extra_variables() if name in SIGNED or name.endswith("_not_applicable"))
        return found + [Reason("verdict.signature_from_command_line", {"variable": name}) for name in from_command_line]

    @staticmethod
    def _write(run: CurrentRun, made: dict[str, t.Any], variables: dict[str, t.Any]) -> pathlib.Path:
        directory = engine.reports_directory(run.environment, variables) / run.path.name
        report.write_all(made, directory)
        report.publish(directory)
        return directory
