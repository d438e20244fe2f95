# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes somebody when restores are not rehearsed: the rules tried by ``promtool`` on the lab's ops1, and what Prometheus makes of the lab's drills."""

from __future__ import annotations

import base64

import pytest
import yaml

from .test_lab import ROOT, connect

TEMPLATE = ROOT / "roles/postgres/templates/golive_restore_rules.yml.j2"
TESTS = ROOT / "tests/prometheus/golive_restore_rules_test.yml"
EIGHT_DAYS = str(8 * 86400)
RULES = TEMPLATE.read_text(encoding="utf-8").replace("[[ __postgres_drill_overdue_s ]]", EIGHT_DAYS)
ALERTS = [rule["alert"] for rule in yaml.safe_load(RULES)["groups"][0]["rules"]]


def tried(rules: str) -> tuple[int, str]:
    """Return what ``promtool test rules`` makes of *rules*."""
    ops1 = connect("ops1")
    folder = ops1.check_output("mktemp -d")
    try:
        for name, data in (("golive_restore_rules.yml", rules.encode()), (TESTS.name, TESTS.read_bytes())):
            ops1.check_output(f"echo {base64.b64encode(data).decode()} | base64 -d > {folder}/{name}")
        told = ops1.run(f"promtool test rules {folder}/{TESTS.name}")
        return told.rc, told.stdout + told.stderr
    finally:
        ops1.check_output(f"rm -r {folder}")


def test_each_rule_fires_on_what_is_bad_and_is_silent_on_what_is_not() -> None:
    assert tried(RULES)[0] == 0, tried(RULES)[1]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_rule_is_tried(alert: str) -> None:
    """With a rule that never fires, the tests must not pass."""
    body = yaml.safe_load(RULES)
    next(rule for rule in body["groups"][0]["rules"] if rule["alert"] == alert)["expr"] = "vector(0) > 1"
    rc, told = tried(yaml.safe_dump(body))
    assert rc != 0
    assert alert in told


def test_prometheus_reads_the_rules_and_the_exporter_the_figures() -> None:
    assert connect("ops1").check_output("cat /etc/prometheus/rules/golive_restore.yml") == RULES.strip()
    told = connect("db1").check_output("curl -sf http://localhost:9100/metrics | grep ^node_textfile")
    assert "golive_restore_drill.prom" in told
    assert "node_textfile_scrape_error 0" in told
