# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``golive.sarif`` (SARIF 2.1.0, OASIS, 27 March 2020): a rule is an item, a result its state. In English, with the Spanish texts as properties."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report import model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import STATES

Json = t.Any

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

#: (kind, level) of a result by state. Section 3.27.10: a kind other than ``fail`` must have level ``none``, so ``open`` could not be told from ``pass`` by the
#: many readers that only look at levels. What nobody could verify is therefore a failure of the rule "this box is proven"; its state stands in the properties.
OUTCOMES: dict[str, tuple[str, str]] = {
    "pass": ("pass", "none"),
    "attested": ("pass", "none"),
    "not_applicable": ("notApplicable", "none"),
    "warn": ("fail", "warning"),
    "waived": ("fail", "warning"),
}
NOT_PROVEN = ("fail", "error")

#: GitHub's scale for ``security-severity``: over 9 critical, 7 high, 4 medium, below that low.
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


def render(report: model.Report) -> str:
    items = list(report["items"])
    run = report["run"]
    controller = run.get("controller") or {}
    driver = {
        "name": "resto.golive",
        "semanticVersion": model.line(controller.get("collection")) or "0.0.0",
        "language": "en",
        "rules": [_rule(item) for item in items],
    }
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"golive/{model.line(report['environment'])}/{model.line(run['id'])}"},
                "invocations": [_invocation(report)],
                "results": [_result(report, place, item) for place, item in enumerate(items)],
                "properties": {
                    "verdict": model.line(report["verdict"]),
                    "environment": model.line(report["environment"]),
                    "release": model.line(report.get("release")),
                },
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _rule(item: model.Item) -> dict[str, Json]:
    title = model.say(item["title"], "en")
    return {
        "id": model.line(item["id"]),
        "name": "".join(part.capitalize() for part in model.line(item["id"]).replace(".", "_").split("_")),
        "shortDescription": {"text": f"{model.line(item['number'])} {title}"},
        "fullDescription": {"text": model.say(item.get("why"), "en") or title},
        "help": {"text": model.say(item.get("fix"), "en") or title},
        "defaultConfiguration": {"level": "error"},
        "properties": {
            "title_es": model.say(item["title"], "es"),
            "severity": model.line(item.get("severity")),
            "security-severity": SECURITY_SEVERITY.get(str(item.get("severity")), SECURITY_SEVERITY["critical"]),
            "tags": ["golive", model.line(item["section"])],
        },
    }


def _invocation(report: model.Report) -> dict[str, Json]:
    """Return how the run went as a run: its problems are the tool's, not of an item."""
    run = report["run"]
    problems = [
        {"level": "error", "message": {"text": model.say(problem["text"], "en")}, "descriptor": {"id": model.line(problem["code"])}}
        for problem in report["problems"]
    ]
    times = {
        name: model.line(run.get(field)) for name, field in (("startTimeUtc", "started_at"), ("endTimeUtc", "finished_at")) if model.moment(run.get(field))
    }
    return {"executionSuccessful": not problems, **times, "toolExecutionNotifications": problems}


def _result(report: model.Report, place: int, item: model.Item) -> dict[str, Json]:
    kind, level = OUTCOMES.get(item["state"], NOT_PROVEN)
    state = model.word(STATES, item["state"], "en")
    result: dict[str, Json] = {
        "ruleId": model.line(item["id"]),
        "ruleIndex": place,
        "kind": kind,
        "level": level,
        "message": {"text": "\n".join(filter(None, (f"{state}: {model.reason_of(item, 'en') or model.say(item['title'], 'en')}", model.example_of(item))))},
        "locations": [_location(item)],
        # The same finding in the next run, whatever its text says that day.
        "partialFingerprints": {"goliveItem/v1": hashlib.sha256(f"{report['environment']}/{item['id']}".encode("utf-8", "replace")).hexdigest()},
        "properties": {
            "state": model.line(item["state"]),
            "owner": model.line(item.get("owner")),
            "reason_es": model.reason_of(item, "es"),
            "fix_es": model.say(item.get("fix"), "es"),
            "observations": [_observation(seen) for seen in item["observations"]],
        },
    }
    if item["state"] == "waived":
        waiver = item.get("waiver") or {}
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": model.line(waiver.get("reason")) or model.reason_of(item, "en")}]
    return result


def _location(item: model.Item) -> dict[str, Json]:
    """Return where it is: in the evidence file that lies beside this one, and, by name, on each target."""
    names = dict.fromkeys(model.target_of(seen) for seen in item["observations"])
    logical = [{"fullyQualifiedName": name, "kind": "resource"} for name in names if name]
    where: dict[str, Json] = {"physicalLocation": {"artifactLocation": {"uri": "golive.json"}, "region": {"startLine": 1}}}
    return {**where, "logicalLocations": logical} if logical else where


def _observation(seen: t.Mapping[str, Json]) -> dict[str, str]:
    return {
        "check": model.line(seen.get("check")),
        "target": model.target_of(seen),
        "status": model.line(seen.get("status")),
        "reason": model.reason_of(seen, "en"),
        "started_at": model.line(seen.get("started_at")),
    }
