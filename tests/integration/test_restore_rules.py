# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes somebody: the rules tried by ``promtool`` on the lab's ops1, and what Prometheus makes of the lab's backups and drills."""

from __future__ import annotations

import pytest

from . import promtool
from .test_lab import connect

RULES = {
    "golive_postgres_rules": (promtool.ROLE / "files/golive_postgres_rules.yml").read_text(encoding="utf-8"),
    "golive_restore_rules": promtool.rendered("golive_restore_rules", __postgres_drill_overdue_s=8 * 86400),
    "golive_backup_rules": promtool.rendered("golive_backup_rules", __postgres_backups_all_ours=True),
}
ALERTS = [(name, alert) for name, rules in RULES.items() for alert in promtool.alerts(rules)]


@pytest.mark.parametrize("name", RULES)
def test_each_rule_fires_on_what_is_bad_and_is_silent_on_what_is_not(name: str) -> None:
    rc, told = promtool.tried(name, RULES[name])
    assert rc == 0, told


@pytest.mark.parametrize(("name", "alert"), ALERTS)
def test_each_rule_is_tried(name: str, alert: str) -> None:
    """With a rule that never fires, the tests must not pass."""
    rc, told = promtool.tried(name, promtool.without(RULES[name], alert))
    assert rc != 0
    assert alert in told


def test_nobody_is_woken_for_want_of_backups_that_others_make() -> None:
    rules = promtool.rendered("golive_backup_rules", __postgres_backups_all_ours=False)
    assert promtool.alerts(rules) == ["GoliveBackupFailed", "GoliveBackupOverdue"]


@pytest.mark.parametrize("name", RULES)
def test_prometheus_reads_the_rules(name: str) -> None:
    file = name.removesuffix("_rules")
    assert connect("ops1").check_output(f"cat /etc/prometheus/rules/{file}.yml") == RULES[name].strip()
    assert f'"name":"{file}"' in connect("ops1").check_output("curl -sf http://localhost:9090/api/v1/rules?type=alert")


def test_the_exporter_has_the_figures() -> None:
    told = connect("db1").check_output("curl -sf http://localhost:9100/metrics | grep -E '^(node_textfile|golive_backup)'")
    assert {"golive_restore_drill.prom", "golive_backup.prom"} <= {word for word in told.replace("/", " ").replace('"', " ").split() if word.endswith(".prom")}
    assert "golive_backup_overdue_seconds 7200" in told
    assert "node_textfile_scrape_error 0" in told
