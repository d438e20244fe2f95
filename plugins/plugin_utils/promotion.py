# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From staging to prod: what prod takes from staging's sealed evidence, and what it asks of staging before it opens."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import evidence, ledger, signatures
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import GO, GO_WITH_WAIVERS, Facts, Observation, Reason, decide, key_of, moment, newest_by_key

STAGING = "staging"
#: A GO is about what runs now: as long as live configuration counts, in hours.
GO_HOLDS_H = 24.0


def staging_go(latest: pathlib.Path, sealed: t.Sequence[ledger.Run], release: str | None, now: datetime.datetime) -> Reason | None:
    """Return what is wrong with staging's newest verdict for *release*, or None.

    *latest* is staging's ``latest`` report directory, *sealed* its whole ledger, or nothing where that is not whole. The report is a file that anybody may have
    edited: what it says is taken only where the sealed evidence says the same.
    """
    try:
        report = json.loads((latest / "golive.json").read_text(encoding="utf-8"))
        verdict, run_id = report["verdict"], report["run"]["id"]
        signed = {name: [dict(entry) for entry in report[name]] for name in ("waivers", "attestations")}
    except (OSError, ValueError, KeyError, TypeError):
        return Reason("verdict.staging_unknown")
    if verdict not in (GO, GO_WITH_WAIVERS):
        return Reason("verdict.staging_no_go", {"verdict": str(verdict)})
    own = [run for run in sealed if not run.seal["adopted"]]
    if not own or own[-1].id != run_id:
        return Reason("verdict.staging_unsealed", {"run": str(run_id)})
    again, was = _decided_again(own[-1], sealed, signed)
    if again != verdict:
        return Reason("verdict.staging_unsealed", {"run": str(run_id)})
    if release is None or was != release:
        return Reason("verdict.staging_other_release", {"was": str(was), "now": str(release)})
    age_h = (now - moment(own[-1].seal["sealed_at"])).total_seconds() / 3600
    if not 0 <= age_h <= GO_HOLDS_H:
        return Reason("verdict.staging_old", {"age_h": round(age_h, 1), "max_age_h": GO_HOLDS_H})
    return None


def _decided_again(run: ledger.Run, sealed: t.Sequence[ledger.Run], signed: t.Mapping[str, list[dict[str, t.Any]]]) -> tuple[str, str | None]:
    """Return the verdict and the release of *run* by the sealed evidence. Of the report come only the signatures, and whether git has them is sealed too."""
    observations = ledger.observations(sealed)
    facts = Facts.of({row["host"]: row for row in run.rows if row["row"] == "host"}, run.id)
    records = run.manifest["records"]
    waivers, attestations = (signatures.with_records(signed[name], records.get(f"golive_{name}", ())) for name in ("waivers", "attestations"))
    whole = evidence.with_evidence(run.manifest, observations, run.id)
    decision = decide(whole, observations, moment(run.seal["sealed_at"]), facts=facts, waivers=waivers, attestations=attestations)
    return decision.verdict, facts.release


def borrowed(
    rows: t.Iterable[t.Mapping[str, t.Any]], own: t.Sequence[Observation], staging: t.Sequence[Observation], release: str | None
) -> list[dict[str, t.Any]]:
    """Return staging's newest word, of the same release, for each row that may be proven there and that this environment has not seen.

    It stands under this environment's row and keeps its time and run; ``mode`` says where it is from.
    """
    seen = newest_by_key(own)
    there: dict[tuple[str, str], Observation] = {}
    for observation in newest_by_key(staging).values():
        key = (observation["item"], observation["check"])
        if key not in there or _worse(observation, there[key]):
            there[key] = observation
    found = []
    for row in rows:
        lent = there.get((row["item"], row["check"]))
        if row.get("proven_by") == STAGING and key_of(row) not in seen and lent is not None and release is not None and lent["release"] == release:
            found.append({**lent, "target": row["target"], "basis": row["basis"], "mode": f"{lent['mode']}@{STAGING}"})
    return found


def _worse(one: Observation, other: Observation) -> bool:
    return (one["status"] != "pass", one["started_at"]) > (other["status"] != "pass", other["started_at"])
