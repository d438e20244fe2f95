# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``junit.xml``, for whatever shows test results: a section is a testsuite, an item a testcase. In English; the Spanish title is a property."""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.resto.golive.plugins.plugin_utils.report import model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import STATES

#: Element of a testcase by state; None is a test that passed. A state that is not here is an error. Tools show a test with only a ``system-out`` in green,
#: so what blocks GO (warn) is a failure, and an accepted risk is skipped: neither was proven.
OUTCOMES: dict[str, str | None] = {
    "pass": None,
    "attested": None,
    "not_applicable": "skipped",
    "waived": "skipped",
    "warn": "failure",
    "fail": "failure",
    "unknown": "error",
    "stale": "error",
    "pending": "error",
}


def render(report: model.Report) -> str:
    environment = model.line(report["environment"])
    cases = [_outcome(item) for item in report["items"]] + ["error"] * len(report["problems"])
    root = ET.Element("testsuites", {"name": f"golive.{environment}", **_totals(cases), "time": _seconds(report["items"])})
    for section in model.sections(report):
        _suite(root, f"golive.{environment}.{model.line(section.id)}", section.items, report)
    if report["problems"]:
        suite = ET.SubElement(root, "testsuite", {"name": f"golive.{environment}.run", **_totals(["error"] * len(report["problems"])), "time": "0.000"})
        for problem in report["problems"]:
            case = ET.SubElement(suite, "testcase", {"classname": "golive.run", "name": model.line(problem["code"]), "time": "0.000"})
            ET.SubElement(case, "error", {"type": "problem", "message": model.say(problem["text"], "en")})
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _outcome(item: model.Item) -> str | None:
    return OUTCOMES.get(item["state"], "error")


def _totals(outcomes: t.Sequence[str | None]) -> dict[str, str]:
    return {
        "tests": str(len(outcomes)),
        **{name: str(outcomes.count(element)) for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))},
    }


def _seconds(items: t.Iterable[model.Item]) -> str:
    return f"{sum(observation.get('duration_ms') or 0 for item in items for observation in item['observations']) / 1000:.3f}"


def _suite(root: ET.Element, name: str, items: t.Sequence[model.Item], report: model.Report) -> None:
    totals = _totals([_outcome(item) for item in items])
    suite = ET.SubElement(root, "testsuite", {"name": name, **totals, "time": _seconds(items), "timestamp": model.line(report["generated_at"]).rstrip("Z")})
    for item in items:
        _case(suite, item)


def _case(suite: ET.Element, item: model.Item) -> None:
    name = f"{model.line(item['number'])} {model.say(item['title'], 'en')}"
    case = ET.SubElement(suite, "testcase", {"classname": f"golive.{model.line(item['id'])}", "name": name, "time": _seconds([item])})
    properties = ET.SubElement(case, "properties")
    for key, value in (
        ("title_es", model.say(item["title"], "es")),
        ("state", item["state"]),
        ("severity", item.get("severity")),
        ("owner", item.get("owner")),
    ):
        ET.SubElement(properties, "property", {"name": key, "value": model.line(value)})
    outcome = _outcome(item)
    if outcome is not None:
        element = ET.SubElement(case, outcome, {"message": model.reason_of(item, "en"), "type": model.line(item["state"])})
        if outcome != "skipped":
            element.text = "\n".join(filter(None, (f"{model.label('fix', 'en')}: {model.say(item.get('fix'), 'en')}", model.example_of(item))))
    if item["state"] != "pass":
        ET.SubElement(case, "system-out").text = _output(item)


def _output(item: model.Item) -> str:
    """Return what a person reads beside the result: state, reason in both languages, and each observation."""
    owner = model.line(item.get("owner")) or model.label("no_owner", "en")
    lines = [f"{model.word(STATES, item['state'], 'en')} ({owner}): {model.reason_of(item, 'en')}", model.reason_of(item, "es")]
    lines += [f"{model.target_of(seen)}: {model.line(seen['status'])}: {model.reason_of(seen, 'en')}" for seen in item["observations"]]
    return "\n".join(lines)
