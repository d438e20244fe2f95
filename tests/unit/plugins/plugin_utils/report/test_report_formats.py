# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit, SARIF and Prometheus as their readers see them."""

from __future__ import annotations

import json
import re
import typing as t
import xml.etree.ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.resto.golive.plugins.plugin_utils.report import junit, model, prometheus, sarif, terminal

Report = dict[str, t.Any]


def samples(report: Report, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(prometheus.render(report))
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


JUNIT = {"pass": None, "attested": None, "not_applicable": "skipped", "waived": "skipped", "warn": "failure", "fail": "failure"}


def test_junit_says_each_state(report: Report) -> None:
    root = ET.fromstring(junit.render(report))
    assert [suite.get("name") for suite in root] == [
        *(f"golive.staging.{section}" for section in dict.fromkeys(item["section"] for item in report["items"])),
        "golive.staging.run",
    ]
    cases = {case.get("classname"): case for case in root.iter("testcase")}
    for item in report["items"]:
        outcomes = [child.tag for child in cases[f"golive.{item['id']}"] if child.tag in ("failure", "error", "skipped")]
        assert outcomes == [outcome for outcome in [JUNIT.get(item["state"], "error")] if outcome], item["id"]


def test_junit_counts_what_is_there(report: Report) -> None:
    root = ET.fromstring(junit.render(report))
    for suite in [root, *root]:
        for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == len(list(suite.iter(tag))), (suite.get("name"), attribute)


def test_sarif_keeps_the_rules_of_its_standard(report: Report) -> None:
    document = json.loads(sarif.render(report))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == len(report["items"])
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["kind"] in {"pass", "open", "informational", "notApplicable", "review", "fail"}
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["kind"] == "fail" or result["level"] == "none", "3.27.10"
        assert result["message"]["text"]
        assert not re.search(r"\s", result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    for time in (run["invocations"][0]["startTimeUtc"], run["invocations"][0]["endTimeUtc"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time), "3.9"
    assert not run["invocations"][0]["executionSuccessful"], "a broken seal is a problem of the run"


SARIF = {"pass": "none", "attested": "none", "not_applicable": "none", "waived": "warning", "warn": "warning"}


def test_sarif_says_each_state(report: Report) -> None:
    results = {result["ruleId"]: result for result in json.loads(sarif.render(report))["runs"][0]["results"]}
    for item in report["items"]:
        result = results[item["id"]]
        assert result["level"] == SARIF.get(item["state"], "error")
        assert result["properties"]["state"] == item["state"]
        assert ("suppressions" in result) == (item["state"] == "waived")


def test_prometheus_says_the_verdict(report: Report) -> None:
    assert {labels["verdict"]: value for labels, value in samples(report, "golive_verdict")} == {"GO": 0, "GO_WITH_WAIVERS": 0, "NO_GO": 1}


def test_prometheus_says_each_state_once(report: Report) -> None:
    holds = {labels["item"]: labels["state"] for labels, value in samples(report, "golive_item_state") if value == 1}
    assert holds == {item["id"]: item["state"] for item in report["items"]}


def test_prometheus_has_no_time_for_what_was_never_checked(report: Report) -> None:
    checked = {labels["item"] for labels, _value in samples(report, "golive_item_checked_timestamp_seconds")}
    assert checked == {item["id"] for item in report["items"] if item["checked_at"]}
    assert samples(report, "golive_run_timestamp_seconds") == [({"environment": "staging"}, 1795514400.0)]


def test_prometheus_has_no_series_twice(report: Report) -> None:
    report["waivers"].append({**report["waivers"][0], "expires": "2026-11-30T00:00:00Z"})
    lines = [line.rpartition(" ")[0] for line in prometheus.render(report).splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert samples(report, "golive_waiver_expires_timestamp_seconds")[0][1] == 1795996800.0, "the first to expire"


@pytest.mark.parametrize("hostile", ['"} 1\ngolive_verdict{verdict="GO"} 1\n#', "back\\slash\\", "\x1b[2J\x1b[31mrojo"])
def test_hostile_owners_stay_text(report: Report, hostile: str) -> None:
    report["items"][0]["owner"] = report["blockers"][0]["owner"] = hostile
    assert len(samples(report, "golive_verdict")) == 3
    assert "\x1b" not in terminal.summary_text(report, "es")


def test_neighbours_that_wait_for_the_same_say_it_once(report: Report) -> None:
    first = next(blocker for blocker in report["blockers"] if blocker["reason"]["text"]["en"])
    alike = [{**first, "number": number} for number in ("1.1", "1.2", "1.3")]
    other = {**first, "number": "1.4", "reason": {**first["reason"], "text": {"es": "otra cosa", "en": "something else"}}}
    text = " ".join(terminal.summary_text({**report, "blockers": [*alike, other, first]}, "en").split())
    assert text.count(" ".join(model.reason_of(first, "en").split())) == 2
    assert text.count("something else") == 1


def test_the_terminal_counts_what_it_does_not_show(report: Report) -> None:
    text = terminal.summary_text(report, "en", "reports/staging/latest")
    assert "Verdict: NO-GO · staging · v1.10.2" in text
    assert f"… {len(report['blockers']) - terminal.BLOCKERS} more" in text
    assert text.index("1.2 TLS") < text.index("1.5 "), "critical before high"
    assert text.endswith("Report: reports/staging/latest\n")
    assert all(len(line) <= terminal.WIDTH for line in text.splitlines())


def test_the_terminal_shows_the_lines_to_paste(report: Report) -> None:
    report["blockers"] = [blocker for blocker in report["blockers"] if blocker["item"] == "security.rate_limit"]
    assert "        security_rate_limit_routes:\n          - path: api:/login   # la ruta\n" in terminal.summary_text(report, "es")
