# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What watches PostgreSQL in the lab, looked at over plain SSH: the rules tried by Prometheus' own ``promtool``, and what the role left there."""

from __future__ import annotations

import base64
import hashlib

from .test_lab import ROOT, connect

RULES = ROOT / "roles/postgres/files/golive_postgres_rules.yml"
TESTS = ROOT / "tests/prometheus/golive_postgres_rules_test.yml"


def test_each_rule_fires_on_what_is_bad_and_is_silent_on_what_is_not() -> None:
    ops1 = connect("ops1")
    folder = ops1.check_output("mktemp -d")
    try:
        for path in (RULES, TESTS):
            ops1.check_output(f"echo {base64.b64encode(path.read_bytes()).decode()} | base64 -d > {folder}/{path.name}")
        told = ops1.run(f"promtool test rules {folder}/{TESTS.name}")
        assert told.rc == 0, told.stdout + told.stderr
        # And it can fail: the same tests on rules of which one never fires.
        ops1.check_output(f"sed -i 's/golive_postgres_lock_wait_seconds >= 120/vector(0) > 1/' {folder}/{RULES.name}")
        told = ops1.run(f"promtool test rules {folder}/{TESTS.name}")
        assert told.rc != 0
        assert "GolivePostgresLockWaitLong" in told.stdout + told.stderr
    finally:
        ops1.check_output(f"rm -r {folder}")


def test_prometheus_reads_the_rules_that_the_role_writes() -> None:
    ops1 = connect("ops1")
    assert ops1.check_output("sha256sum < /etc/prometheus/rules/golive_postgres.yml").split()[0] == hashlib.sha256(RULES.read_bytes()).hexdigest()
    assert '"name":"golive_postgres"' in ops1.check_output("curl -sf http://localhost:9090/api/v1/rules?type=alert")


def test_the_exporters_role_may_only_read_statistics() -> None:
    db1 = connect("db1")
    sql = "runuser -u postgres -- psql -XAtc "
    query = "select rolsuper or rolcreatedb or rolcreaterole or rolbypassrls, array(select roleid::regrole::text from pg_auth_members where member = r.oid)"
    assert db1.check_output(sql + f"\"{query} from pg_roles r where rolname = 'prometheus'\"") == "f|{pg_monitor}"
