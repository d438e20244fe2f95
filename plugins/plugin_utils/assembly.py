# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a decision to ``golive.json``: every reason with its text in both languages. All other formats are functions of this dict."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, ledger, texts
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import STATES, TICKED, Decision, ItemResult, Reason, RowResult, Signed

SCHEMA = 1

Json = t.Any


def report(
    decision: Decision,
    manifest: t.Mapping[str, Json],
    run: t.Mapping[str, Json],
    *,
    release: str | None,
    now: datetime.datetime,
    restores: t.Sequence[t.Mapping[str, Json]] = (),
) -> dict[str, Json]:
    """Return the report (schema in docs/architecture.md). *restores* is the history of restore drills (``drill_history.restores``)."""
    items = [_item(item, decision.items[item.id], manifest["items"][item.id]) for item in catalogue.items().values()]
    return {
        "schema": SCHEMA,
        "environment": manifest["environment"],
        "release": release,
        "generated_at": ledger.timestamp(now),
        "verdict": decision.verdict,
        "run": dict(run),
        "summary": {state: sum(item["state"] == state for item in items) for state in STATES},
        "problems": [_reason(problem) for problem in decision.problems],
        "blockers": [_blocker(item) for item in items if item["state"] not in TICKED | {"waived"}],
        "items": items,
        "waivers": [_signed(waiver) for waiver in decision.waivers],
        "attestations": [_signed(attestation) for attestation in decision.attestations],
        "restores": list(restores),
    }


def _item(item: catalogue.Item, result: ItemResult, fields: t.Mapping[str, Json]) -> dict[str, Json]:
    times = [row.observation["started_at"] for row in result.rows if row.observation is not None]
    return {
        "id": item.id,
        "number": item.number,
        "section": item.section,
        "section_title": catalogue.sections()[item.section],
        "title": item.title,
        "why": item.why,
        "severity": item.severity,
        "waivable": item.waivable,
        "state": result.state,
        "owner": fields["owner"],
        "reason": _reason(result.reason),
        "fix": item.fix,
        "doc": f"docs/items/{item.id}.md",
        "checked_at": min(times, default=None),
        "observations": [_row(row) for row in result.rows],
        "waiver": result.waiver,
        "attestation": result.attestation,
    }


def _row(result: RowResult) -> dict[str, Json]:
    seen = result.observation or {}
    return {
        "check": result.row["check"],
        "target": result.row["target"],
        "state": result.state,
        "status": seen.get("status", "not_run"),
        "reason": _reason(result.reason),
        "age_s": None if result.age_s is None else round(result.age_s),
        "evidence": [{**piece, "text": texts.render(piece["assertion"], piece["params"])} for piece in seen.get("evidence", ())],
        **{name: seen.get(name) for name in ("expected", "observed", "mode", "run_id", "started_at", "duration_ms", "release", "attempts", "flaky")},
    }


def _blocker(item: t.Mapping[str, Json]) -> dict[str, Json]:
    return {"item": item["id"], **{name: item[name] for name in ("number", "title", "state", "owner", "reason", "fix", "severity")}}


def _signed(signed: Signed) -> dict[str, Json]:
    return {**{str(key): value for key, value in signed.entry.items()}, "state": signed.state, "problem": _reason(signed.flaw)["text"] if signed.flaw else None}


def _reason(reason: Reason) -> dict[str, Json]:
    """Return code, parameters and text. A reason may carry a ``flaw``, a reason of its own, whose text becomes its ``{problem}``."""
    params = dict(reason.params)
    flaw = params.pop("flaw", None)
    if flaw is None:
        return {"code": reason.code, "params": params, "text": texts.render(reason.code, params)}
    problem = texts.render(flaw[0], flaw[1])
    text = {language: texts.render(reason.code, {**params, "problem": problem[language]})[language] for language in texts.LANGUAGES}
    return {"code": reason.code, "params": params, "text": text}
