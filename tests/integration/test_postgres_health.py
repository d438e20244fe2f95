# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres_health`` and ``postgres_lock_drill`` against a real PostgreSQL: each breach is made for real and found under its own name.

Needs Debian's ``postgresql`` (``scripts/packages.sh dev``). Prometheus itself is asked in the lab (``test_postgres_lab.py``).
"""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
import typing as t

import psycopg
import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import postgres_health
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_alerts import PostgresAlerts
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_health import PostgresHealth
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_lock_drill import TABLE, PostgresLockDrill
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

from .postgres_server import Cluster, cluster

SETTINGS = ("fsync=on", "max_prepared_transactions=5", "wal_level=logical", "archive_mode=on", "archive_command=/bin/true", "max_slot_wal_keep_size=1GB")
HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    """A server as a careful shop has it."""
    with cluster() as made:
        made.stop()
        (made.data / "pg_hba.conf").write_text(HBA)
        made.start(*SETTINGS)
        made.sql(
            "alter system set idle_in_transaction_session_timeout = '5min'",
            "alter system set log_lock_waits = on",
            "alter system set log_min_duration_statement = '1s'",
            "select pg_reload_conf()",
            "create table orders (id bigserial primary key, n int)",
            "insert into orders (n) select 1 from generate_series(1, 10)",
        )
        yield made


def look(server: Cluster, **options: t.Any) -> tuple[str, dict[str, Assertion]]:
    """Return the status and what is not a pass, by code."""
    room = {"disk_ratio": [1.1, 1.2]}  # how full this machine is, is none of the server's
    ctx = RunContext(validated(PostgresHealth, {**server.options, **room, **options}), {}, "", 60)
    check = PostgresHealth()
    assertions = check.judge(check.observe(ctx), ctx.options)
    return worst(one.status for one in assertions), {one.code.split(".")[1]: one for one in assertions if one.status != "pass"}


@pytest.fixture
def healthy(server: Cluster) -> Cluster:
    assert look(server) == ("pass", {})
    return server


@contextlib.contextmanager
def made(server: Cluster, make: t.Sequence[str], undo: t.Sequence[str]) -> t.Iterator[None]:
    server.sql(*make)
    try:
        yield
    finally:
        server.sql(*undo)


@pytest.mark.parametrize(
    ("make", "undo", "status", "code"),
    [
        (["create table t (id int default nextval('orders_id_seq'))", "select setval('orders_id_seq', 1600000000)"],
         ["drop table t", "select setval('orders_id_seq', 10)"], "warn", "sequence_high"),
        (["create table t (id smallserial)", "select setval('t_id_seq', 30000)"], ["drop table t"], "fail", "sequence_high"),
        (["create table t (id int generated always as identity)", "select setval('t_id_seq', 2000000000)"], ["drop table t"], "fail", "sequence_high"),
        (["alter table orders add constraint c check (n > 0) not valid"], ["alter table orders drop constraint c"], "warn", "constraint_invalid"),
        (["select pg_create_physical_replication_slot('left', true)"], ["select pg_drop_replication_slot('left')"], "warn", "slot_unread"),
        (["alter system set password_encryption = md5", "select pg_reload_conf()"], ["alter system reset password_encryption", "select pg_reload_conf()"],
         "fail", "passwords_weak"),
        (["alter system set max_connections = 50", "select pg_reload_conf()"], ["alter system reset max_connections", "select pg_reload_conf()"],
         "warn", "restart_pending"),
        (["alter system set synchronous_commit = off", "select pg_reload_conf()"], ["alter system reset synchronous_commit", "select pg_reload_conf()"],
         "fail", "settings_lose"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_found_and_nothing_else(healthy: Cluster, make: list[str], undo: list[str], status: str, code: str) -> None:
    with made(healthy, make, undo):
        end = time.monotonic() + 5
        found, bad = look(healthy)
        while not bad and time.monotonic() < end:  # a reload reaches sessions a moment later
            found, bad = look(healthy)
        assert (found, set(bad)) == (status, {code})


def test_an_index_that_failed_to_build_is_found(healthy: Cluster) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        healthy.sql("create unique index concurrently broken on orders (n)")
    try:
        status, bad = look(healthy)
        assert (status, set(bad)) == ("warn", {"index_invalid"})
        assert bad["index_invalid"].params["names"] == "public.broken"
    finally:
        healthy.sql("drop index broken")


def test_a_failing_archive_is_found_and_an_old_failure_is_not_held_against_it(healthy: Cluster) -> None:
    def wait_for(what: str) -> None:
        end = time.monotonic() + 20
        while not healthy.value(f"select {what} from pg_stat_archiver"):
            assert time.monotonic() < end, what
            time.sleep(0.1)

    # The command line's setting cannot be changed by ALTER SYSTEM, so the command itself changes.
    healthy.stop()
    healthy.start(*SETTINGS, f"archive_command='test -f {healthy.home}/s/open'")
    try:
        healthy.sql("create table t ()", "drop table t", "select pg_switch_wal()")
        wait_for("failed_count > 0")
        assert look(healthy)[1].keys() == {"archive_failing"}
        (healthy.sockets / "open").touch()
        # After three failures it rests for a minute, unless there is more to archive.
        healthy.sql("create table t ()", "drop table t", "select pg_switch_wal()")
        wait_for("last_archived_time > last_failed_time")
        assert look(healthy) == ("pass", {})
    finally:
        healthy.stop()
        healthy.start(*SETTINGS)


def test_the_wait_for_a_lock_names_who_stands_at_the_head_of_the_queue(healthy: Cluster) -> None:
    with healthy.connect() as holder, healthy.connect() as waiter:
        holder.execute("begin")
        holder.execute("lock table orders")
        thread = threading.Thread(target=lambda: waiter.execute("begin; lock table orders in share mode; rollback"))
        thread.start()
        try:
            end = time.monotonic() + 10
            while not (bad := look(healthy, lock_wait_s=[0.3, 60])[1]):
                assert time.monotonic() < end
            assert set(bad) == {"lock_wait_high"}
            assert bad["lock_wait_high"].params["blocker"] == holder.info.backend_pid
            assert bad["lock_wait_high"].params["what"] == "orders"
        finally:
            holder.execute("rollback")
            thread.join(10)


def test_open_transactions_are_found_but_not_those_of_a_dump(healthy: Cluster) -> None:
    with healthy.connect(application_name="pg_dump") as dump:
        dump.execute("begin")
        dump.execute("select 1")
        time.sleep(0.2)
        assert look(healthy, idle_in_transaction_s=[0.1, 60], transaction_s=[0.1, 60]) == ("pass", {})
    with healthy.connect(application_name="api") as app:
        app.execute("begin")
        app.execute("select 1")
        time.sleep(0.2)
        status, bad = look(healthy, idle_in_transaction_s=[0.1, 60], transaction_s=[0.1, 60])
        assert (status, set(bad)) == ("warn", {"idle_high", "transaction_high"})
        assert bad["idle_high"].params["pid"] == app.info.backend_pid


def test_a_forgotten_prepared_transaction_is_found(healthy: Cluster) -> None:
    with healthy.connect() as app:
        app.execute("begin")
        app.execute("insert into orders (n) values (1)")
        app.execute("prepare transaction 'left'")
        try:
            assert set(look(healthy, prepared_s=[0, 60])[1]) == {"prepared_high"}
        finally:
            app.execute("rollback prepared 'left'")


def test_connections_count_against_what_clients_may_open(healthy: Cluster) -> None:
    status, bad = look(healthy, connections_ratio=[0.005, 0.5])
    assert (status, set(bad)) == ("warn", {"connections_high"})
    assert bad["connections_high"].params["usable"] == 97


def test_dead_rows_are_found(healthy: Cluster) -> None:
    healthy.sql("create table t (n int) with (autovacuum_enabled = off)", "insert into t select generate_series(1, 20001)", "delete from t where n <= 15000")
    try:
        end = time.monotonic() + 10
        while not (bad := look(healthy)[1]):
            assert time.monotonic() < end
        assert set(bad) == {"dead_high"}
    finally:
        healthy.sql("drop table t")


@pytest.mark.parametrize(("line", "code"), [("host all all 10.0.0.0/8 trust\n", "access_open"), ("host all all nonsense\n", "access_broken")])
def test_doors_that_stand_open_and_lines_that_cannot_be_read(healthy: Cluster, line: str, code: str) -> None:
    (healthy.data / "pg_hba.conf").write_text(HBA + line)
    try:
        status, bad = look(healthy)
        assert (status, set(bad)) == ("fail", {code})
        assert bad[code].params["lines"] == "3"
    finally:
        (healthy.data / "pg_hba.conf").write_text(HBA)


def test_the_disk_is_the_servers_own(healthy: Cluster) -> None:
    status, bad = look(healthy, disk_ratio=[0.0, 1.1])
    assert (status, set(bad)) == ("warn", {"disk_high"})
    assert bad["disk_high"].params["path"] == str(healthy.data)


def test_a_data_directory_that_another_server_uses_is_not_this_ones() -> None:
    with cluster() as other:
        options = validated(PostgresHealth, other.options)
        began = float((other.data / "postmaster.pid").read_text().splitlines()[2])
        for later, ours in ((-1000, False), (-2, False), (-1, True), (60, True), (61, False)):
            seen: dict[str, t.Any] = {"settings": {"data_directory": str(other.data)}, "started": began + later}
            disks, why = postgres_health._disks(seen, options)
            assert (bool(disks), why) == ((True, "") if ours else (False, f"{other.data}: another server's")), later
        seen = {"settings": {"data_directory": "/nonexistent"}, "started": time.time()}
        assert postgres_health._disks(seen, options)[0] is None


def test_without_pg_monitor_nothing_is_said(healthy: Cluster) -> None:
    healthy.sql("create role stranger login")
    try:
        with pytest.raises(CannotKnow) as caught:
            look(healthy, user="stranger")
        assert caught.value.code == "postgres_health.no_pg_monitor"
    finally:
        healthy.sql("drop role stranger")


def test_what_pg_monitor_may_not_see_is_an_error_of_its_own_and_grants_mend_it(healthy: Cluster) -> None:
    healthy.sql("create role watcher login in role pg_monitor")
    try:
        status, bad = look(healthy, user="watcher")
        assert status == "error"
        assert {code: one.status for code, one in bad.items()} == {"no_permission": "error", "sequences_unseen": "error"}
        healthy.sql(
            "grant pg_read_all_data to watcher", "grant select on pg_hba_file_rules to watcher", "grant execute on function pg_hba_file_rules() to watcher"
        )
        assert look(healthy, user="watcher") == ("pass", {})
    finally:
        healthy.sql("drop owned by watcher", "drop role watcher")


# The drill. The exporter here asks the real server the very query that the role gives the real exporter.
class Exporter(http.server.BaseHTTPRequestHandler):
    answer: t.ClassVar[t.Callable[[], tuple[int, str]]]

    def do_GET(self) -> None:
        status, text = type(self).answer()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: t.Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(answer: t.Callable[[], tuple[int, str]]) -> t.Iterator[str]:
    handler = type("Handler", (Exporter,), {"answer": staticmethod(answer)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/metrics"
        finally:
            listening.shutdown()
            thread.join()


def drill(server: Cluster, url: str, **options: t.Any) -> Assertion:
    given = {**server.options, "exporter_url": url, "seen_within_s": 3.0, **options}
    ctx = RunContext(validated(PostgresLockDrill, given), {}, "", 60)
    assertions = PostgresLockDrill().judge(PostgresLockDrill().observe(ctx), ctx.options)
    assert len(assertions) == 1
    return assertions[0]


def waiting(server: Cluster) -> tuple[int, str]:
    return 200, f'# HELP x y\ngolive_postgres_locks_waiting{{server="s"}} {server.value("select count(*) from pg_locks where not granted")}\n'


def test_a_wait_made_on_purpose_is_seen_and_leaves_nothing_behind(healthy: Cluster) -> None:
    healthy.sql(f"create table {TABLE} (left_by int)")  # a drill that was killed
    with serving(lambda: waiting(healthy)) as url:
        assert drill(healthy, url).code == "postgres_lock_drill.seen"
    assert healthy.value(f"select to_regclass('{TABLE}')") is None
    assert healthy.value("select count(*) from pg_locks where not granted") == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [("golive_postgres_locks_waiting 0\n", "unseen"), ("golive_postgres_locks_waiting_total 1\n", "metric_missing")],
)
def test_an_exporter_that_does_not_tell_fails(healthy: Cluster, answer: str, code: str) -> None:
    with serving(lambda: (200, answer)) as url:
        assert drill(healthy, url, seen_within_s=0.5).code == f"postgres_lock_drill.{code}"
    assert healthy.value(f"select to_regclass('{TABLE}')") is None


def test_an_exporter_that_keeps_old_results_fails(healthy: Cluster) -> None:
    answers = iter(["golive_postgres_locks_waiting 0\n"])
    with serving(lambda: (200, next(answers, "golive_postgres_locks_waiting 1\n"))) as url:
        assert drill(healthy, url, seen_within_s=0.5).code == "postgres_lock_drill.stuck"


def test_no_exporter_and_an_odd_one_are_errors(healthy: Cluster) -> None:
    with serving(lambda: (503, "")) as url:
        with pytest.raises(CannotKnow) as caught:
            drill(healthy, url)
        assert caught.value.code == "postgres_lock_drill.exporter_odd"
    with pytest.raises(CannotKnow) as caught:
        drill(healthy, url)
    assert caught.value.code == "request.refused"


# A Prometheus that is none. The real one is asked in the lab.
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, "", "postgres_alerts.prometheus_login"),
        (200, "<html>", "postgres_alerts.prometheus_odd"),
        (200, '{"status": "success", "data": []}', "postgres_alerts.prometheus_odd"),
        (422, '{"status": "error", "error": "bad"}', "postgres_alerts.prometheus_odd"),
    ],
)
def test_what_is_no_prometheus_is_said_so(status: int, body: str, code: str) -> None:
    with serving(lambda: (status, body)) as url:
        ctx = RunContext(validated(PostgresAlerts, {"prometheus_url": url.removesuffix("/metrics")}), {}, "", 20)
        with pytest.raises(CannotKnow) as caught:
            PostgresAlerts().observe(ctx)
        assert caught.value.code == code
