# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations tried on a real PostgreSQL: whom they block, what they rewrite, and whether the way back leads back."""

from __future__ import annotations

import datetime
import pathlib
import shutil
import tempfile
import typing as t

import psycopg
import pytest
import yaml

from ansible_collections.resto.golive.plugins.module_utils._check import worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.migration_rehearsal import MigrationRehearsal
from ansible_collections.resto.golive.plugins.module_utils._options import validated
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import dump, rehearsal, trial
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.programs import Failed
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.rehearsal import Step

from .postgres_server import Cluster, binaries, cluster, make_shop, plan

MESSAGES = pathlib.Path(trial.__file__).parents[2] / "plugin_utils" / "messages" / "migration_rehearsal.yml"
TEXTS = yaml.safe_load(MESSAGES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def copy(server: Cluster) -> t.Iterator[t.Callable[[], psycopg.Connection[t.Any]]]:
    server.sql("drop database if exists copy", "create database copy")
    server.sql(
        "create table orders (id bigint primary key, n int, note text)",
        "insert into orders select i, i, repeat('x', 60) from generate_series(1, 100000) i",
        "create table small (id int primary key)",
        "analyze",
        database="copy",
    )

    def connect() -> psycopg.Connection[t.Any]:
        return server.connect("copy")

    yield connect
    server.sql("drop database copy")


def holds(told: dict[str, t.Any]) -> set[tuple[str, str]]:
    return {(one["table"], one["mode"]) for one in told["locks"]}


def test_a_quick_migration_and_its_way_back(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy, Step(("create table notes (id int primary key)", "alter table orders add tip int")), Step(("drop table notes", "alter table orders drop tip"))
    )
    assert told["up"]["failed"] is None
    assert [one["sql"] for one in told["up"]["statements"]] == ["create table notes (id int primary key)", "alter table orders add tip int"]
    assert told["schema"]["added"] == [
        "column public.notes.id", "column public.orders.tip", "constraint notes_pkey on notes", "index public.notes_pkey", "relation public.notes",
    ]  # fmt: skip
    assert told["up"]["rewritten"] == []
    assert max(one["seconds"] for one in told["up"]["blocked"].values()) < 1
    assert told["left"] == told["other"] == {"added": [], "removed": [], "changed": []}
    assert told["lost"] == {}


def test_a_rewrite_blocks_readers_for_as_long_as_it_takes(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("begin; alter table orders alter n type bigint; select pg_sleep(0.5); commit",)))["up"]
    assert [one["table"] for one in told["rewritten"]] == ["public.orders"]
    assert ("public.orders", "AccessExclusiveLock") in holds(told)
    assert told["blocked"]["readers"]["table"] == "public.orders"
    assert 0.4 < told["blocked"]["readers"]["seconds"] <= told["seconds"] + 0.1
    assert told["wal_bytes"] > 1_000_000
    assert told["disk_peak_bytes"] > 1_000_000


def test_an_index_blocks_writers_and_not_readers_and_concurrently_nobody(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("begin; create index slow on orders (note); select pg_sleep(0.4); commit",)))["up"]
    assert told["blocked"]["writers"]["seconds"] > 0.3
    assert told["blocked"]["readers"]["seconds"] == 0
    told = rehearsal.rehearse(copy, Step(("create index concurrently kind on orders (note, n)",)))["up"]
    assert told["failed"] is None
    assert told["blocked"]["writers"]["seconds"] == 0


def test_what_fails_says_where_and_ends_it(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("create table a ()", "create unique index u on orders ((1))", "create table b ()")), Step(("drop table a",)))
    assert "create unique index u" in told["up"]["failed"]
    assert told["down"] is None
    with copy() as session:
        assert session.execute("select to_regclass('b')").fetchone() == (None,)


def test_a_way_back_that_forgets_something_or_loses_rows_is_told(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy,
        Step(("alter table orders add tip int", "create table a (id int)")),
        Step(
            (
                "alter table orders drop tip",
                "drop table a",
                "delete from orders where id <= 10",
                "drop index if exists x",
                "create index left_behind on small (id)",
            )
        ),
    )
    assert told["left"] == {"added": ["index public.left_behind"], "removed": [], "changed": []}
    assert told["lost"] == {"public.orders": [100000, 99990]}


def test_a_command_of_the_apps_is_watched_like_our_own_statements(copy: rehearsal.Connect, server: Cluster, tmp_path: pathlib.Path) -> None:
    psql = (str(binaries() / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-h", str(server.sockets), "-U", "postgres", "-d", "copy", "-c")
    told = rehearsal.rehearse(
        copy, Step(command=(*psql, "begin; alter table orders alter n type bigint; select pg_sleep(0.3); commit"), environment={"LC_ALL": "C"})
    )["up"]
    assert told["failed"] is None
    assert told["blocked"]["readers"]["seconds"] > 0.2
    assert any("alter table orders" in one["sql"] for one in told["statements"])
    told = rehearsal.rehearse(copy, Step(command=(*psql, "select nonsense"), environment={"LC_ALL": "C"}))["up"]
    assert "ended with 1" in told["failed"]
    assert "did not end" in rehearsal.rehearse(copy, Step(command=("sleep", "5"), environment={"PATH": "/bin:/usr/bin"}, timeout_s=0.2))["up"]["failed"]
    assert rehearsal.rehearse(copy, Step(command=(str(tmp_path / "nothing"),)))["up"]["failed"].endswith("No such file or directory")


def test_a_table_that_goes_while_it_is_watched_is_no_trouble(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy,
        Step(("drop table small", "alter table orders rename to purchases")),
        Step(("alter table purchases rename to orders", "create table small (id int primary key)")),
    )
    assert told["up"]["failed"] is None
    assert told["left"] == {"added": [], "removed": [], "changed": []}


def test_a_watcher_that_fell_is_no_sign_that_nobody_waited(copy: rehearsal.Connect) -> None:
    """The migration ends the sessions beside its own, as a hurried one may."""
    ends = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query ~ 'lock table'"
    with pytest.raises(Failed, match=r"(readers|writers): the connection is closed|(readers|writers): terminating") as refused:
        rehearsal.rehearse(copy, Step((*[ends] * 20, "select pg_sleep(0.2)")))
    assert refused.value.phase == "watch"


def test_a_watcher_that_hangs_is_none_either(copy: rehearsal.Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "END_S", 0.1)
    monkeypatch.setattr(rehearsal, "LOCKS", "select 1, 1, 'x' from pg_sleep(2) where %s::bigint[] is not null and %s::int[] is not null")
    with pytest.raises(Failed, match="locks: it does not end"):
        rehearsal.rehearse(copy, Step(("select 1",)))


# On a backup, as the drill does it: the job's own dump, restored by the cage's own code. What shuts it in is systemd's and tried in the lab.
CARRIED = [
    {"id": "1", "after": [], "up": "create table t (id int)", "down": "drop table t"},
    {"id": "2", "after": ["1"], "up": "create index newest on orders (created_at); select pg_sleep(0.2)", "down": "drop index newest"},
]


@pytest.fixture(scope="module")
def backup() -> t.Iterator[pathlib.Path]:
    """A copy of the shop's database at migration 1, and the directory that it lies in."""
    with cluster() as server:
        make_shop(server)
        server.sql("create table alembic_version (version_num varchar(32))", "insert into alembic_version values ('1')", database="shop")
        directory = server.home / "b"
        directory.mkdir()
        connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup", "passfile": None}
        config = {"name": "db1", "database": "shop", "directory": str(directory), "jobs": 2, "connection": connection}
        yield directory / dump.take(config, datetime.datetime.now(datetime.UTC))["id"]


def tried(backup: pathlib.Path, **migrations: t.Any) -> dict[str, t.Any]:
    home = pathlib.Path(tempfile.mkdtemp(prefix="golive-t-"))
    try:
        shutil.copytree(backup, home / "backup")
        (home / "work").mkdir()
        return trial.run(plan(home, migrations={"tool": "alembic", "carried": CARRIED, "command": None, **migrations}))
    finally:
        shutil.rmtree(home)


def judged(seen: dict[str, t.Any], **options: t.Any) -> tuple[str, set[str]]:
    given = validated(MigrationRehearsal, {"files": {"tool": "alembic", "migrations": []}, **options})
    found = MigrationRehearsal().judge({"backup": "b", "steps": seen["steps_tried"], "untried": seen["untried"]}, given)
    for one in found:
        assert all(TEXTS[one.code.split(".")[1]][language].format_map(dict(one.params)) for language in ("es", "en"))
    return worst(one.status for one in found), {one.code.split(".")[1] for one in found if one.status != "pass"}


def test_what_is_pending_on_the_copy_goes_up_back_and_up_again(backup: pathlib.Path) -> None:
    seen = tried(backup)
    assert [(step["id"], step["pending"]) for step in seen["steps_tried"]] == [("2", True)]
    assert judged(seen) == ("pass", set())
    assert judged(seen, blocked_s=0.05) == ("fail", {"writers_wait"})


def test_with_nothing_pending_the_newest_goes_back_and_up(backup: pathlib.Path) -> None:
    carried = [{"id": "1", "after": [], "up": "create index n on orders (t)", "down": "select 1/0"}]
    assert judged(tried(backup, carried=carried)) == ("fail", {"failed"})
    carried[0]["down"] = None
    assert judged(tried(backup, carried=carried)) == ("pass", set())


def test_what_a_rewrite_writes_into_the_wal_is_what_the_live_server_would(backup: pathlib.Path) -> None:
    made = "create table large as select i as n, repeat('x', 60) as note from generate_series(1, 100000) i"
    carried = [
        CARRIED[0],
        {"id": "2", "after": ["1"], "up": made, "down": "drop table large"},
        {"id": "3", "after": ["2"], "up": "alter table large alter n type bigint", "down": "alter table large alter n type int"},
    ]
    rewriting = tried(backup, carried=carried)["steps_tried"][1]
    assert [one["table"] for one in rewriting["up"]["rewritten"]] == ["public.large"]
    assert rewriting["up"]["wal_bytes"] > rewriting["up"]["rewritten"][0]["bytes"]


def test_a_watcher_that_fell_says_that_it_could_not_be_tried(backup: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "STATEMENTS", "select nonsense")
    seen = tried(backup)
    assert seen["failed"] == "watch"
    assert "locks: " in seen["why"]


@pytest.mark.parametrize(
    ("up", "down", "status", "code"),
    [
        (None, None, "error", "untried"),
        ("select nonsense", None, "fail", "failed"),
        ("alter table orders add tip int", None, "warn", "no_way_back"),
        ("alter table orders add tip int", "select 1", "fail", "failed"),  # goes up once only
        ("alter table orders add if not exists tip int", "select 1", "fail", "back_not"),
        ("alter table orders add tip int", "alter table orders drop tip; delete from orders where id = 1", "fail", "rows_lost"),
        ("create table z (n int default floor(random() * 9)::int)", "drop table z", "pass", None),
    ],
)  # fmt: skip
def test_what_goes_wrong_has_its_name(backup: pathlib.Path, up: str | None, down: str | None, status: str, code: str | None) -> None:
    found, codes = judged(tried(backup, carried=[CARRIED[0], {"id": "2", "after": ["1"], "up": up, "down": down}]))
    assert (found, codes) == (status, {code} - {None})


def test_the_apps_own_command_is_given_the_copys_address_and_nothing_of_ours(backup: pathlib.Path) -> None:
    psql = [str(binaries() / "psql"), "-X", "-v", "ON_ERROR_STOP=1"]
    script = f'test -z "$PGHOST" && exec {" ".join(psql)} "$DATABASE_URL" -c'
    command = {
        "variable": "DATABASE_URL",
        "timeout_s": 60,
        "up": ["sh", "-c", f"{script} 'create table made ()'"],
        "down": ["sh", "-c", f"{script} 'drop table made'"],
    }
    seen = tried(backup, command=command)
    assert seen["steps_tried"][0]["schema"]["added"] == ["relation public.made"]
    assert judged(seen) == ("pass", set())


def test_what_isolates_the_copy_holds_in_the_apps_own_sessions(backup: pathlib.Path) -> None:
    """Whatever its database has set; its triggers run, as they will when it is meant."""
    asked = "do $$ begin assert (current_setting('session_preload_libraries'), current_setting('session_replication_role')) = ('', 'origin'); end $$"
    words = ["alter database shop set session_preload_libraries = 'plpgsql'", "alter database shop set session_replication_role = replica", asked]
    script = f'set -e; for word; do {binaries() / "psql"} -Xq -v ON_ERROR_STOP=1 "$URL" -c "$word"; done'
    command = {"variable": "URL", "timeout_s": 60, "up": ["sh", "-c", script, "sh", *words], "down": None}
    assert tried(backup, command=command)["steps_tried"][0]["up"]["failed"] is None


def test_a_damaged_backup_is_not_rehearsed_on(backup: pathlib.Path, tmp_path: pathlib.Path) -> None:
    broken = tmp_path / backup.name
    shutil.copytree(backup, broken)
    (broken / "globals.sql").unlink()
    assert tried(broken)["failed"] == "backup"
    assert trial.run({"home": str(tmp_path), "backup": str(broken), "migrations": {}, "memory_mb": 100})["failed"] == "cage"
