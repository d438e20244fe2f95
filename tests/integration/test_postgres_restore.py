# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restored copy against real clusters: what comes back, what is wrong under its own name, and that the live cluster never notices."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, drill_rules
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, files, isolation, job, walls

from .postgres_server import CANARY, USER, Cluster, plan, version, wait_until

Result = dict[str, t.Any]
OPTIONS = {"rto_minutes": 30.0, "rpo_minutes": 60.0, "invariants": {"orders": "select count(*) from orders"}}


@pytest.fixture(scope="module")
def backup(server: Cluster) -> pathlib.Path:
    directory = server.home / "backups"
    directory.mkdir(mode=0o700)
    connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup"}
    line = job.back_up({"name": "db1", "database": "shop", "directory": str(directory), "connection": connection, "invariants": OPTIONS["invariants"]})
    assert line["ok"], json.dumps(line)
    return directory / str(line["id"])


@pytest.fixture
def fetched(server: Cluster, backup: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A copy of the backup, below a folder that the copy's user owns."""
    home = server.home / "drill"
    shutil.copytree(backup, home / "backup")
    (home / "work").mkdir()
    yield home
    shutil.rmtree(home)


def rehearse(home: pathlib.Path, **more: t.Any) -> Result:
    return cage.rehearse(plan(home, **more))


def told(result: Result) -> set[tuple[str, str]]:
    assert result["verdict"] == "fail", result
    assert all(one["code"] in drill_rules.CODES for one in result["told"])
    return {(one["code"], one["name"]) for one in result["told"]}


@contextlib.contextmanager
def backed_up(server: Cluster, name: str, *statements: str) -> t.Iterator[pathlib.Path]:
    """Make a database of its own, and yield the folder below which its backup lies as a drill finds it."""
    home = server.home / name
    home.mkdir()
    server.sql(f"create database {name}")
    try:
        server.sql(*CANARY, *statements, database=name)
        connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup"}
        line = job.back_up({"name": "db1", "database": name, "directory": str(home), "connection": connection})
        assert line["ok"], json.dumps(line)
        (home / str(line["id"])).rename(home / "backup")
        (home / "work").mkdir()
        yield home
    finally:
        shutil.rmtree(home)
        server.sql(f"drop database {name}")


def resealed(folder: pathlib.Path, change: t.Callable[[dict[str, t.Any]], None]) -> None:
    """Change a manifest and seal it again, as whoever can rewrite both would."""
    path = folder / files.MANIFEST
    body = json.loads(path.read_text())
    del body["seal"]
    change(body)
    body["files"] = files.described(folder)
    path.write_text(json.dumps({**body, "seal": files.seal(body)}))


@pytest.mark.parametrize("settings", ["tuned", "production"])
def test_everything_comes_back_and_the_live_cluster_never_notices(server: Cluster, fetched: pathlib.Path, settings: str) -> None:
    # Sessions of clients: what the server does by itself, as autovacuum does, is no session.
    asked = "select sessions from pg_stat_database where datname = 'shop'"
    wait_until(lambda: not server.value("select count(*) from pg_stat_activity where datname = 'shop' and backend_type = 'client backend'"))
    before = server.value(asked)
    result = rehearse(fetched, settings=settings)
    assert result["verdict"] == "pass", result
    assert server.value(asked) == before
    assert result["copy_identifier"] != str(server.value("select system_identifier from pg_control_system()"))
    assert (result["tables"], result["rows"]) == (2, 110), "the canary is no table of theirs"
    assert set(result["phases"]) == {"check", "start", "restore", "analyze", "verify"}
    assert not list((fetched / "work" / "s").iterdir()), "the copy still runs"
    words = " ".join(" ".join(step["argv"]) for step in result["steps"])
    for wanted in ("archive_command=/bin/false", "archive_mode=off", "listen_addresses=", "shared_preload_libraries=", "max_logical_replication_workers=0"):
        assert wanted in words
    assert str(server.sockets) not in words
    assert [setting in words for setting in ("fsync=off", "full_page_writes=off", "synchronous_commit=off")] == [settings == "tuned"] * 3


def test_a_database_without_a_row_is_not_the_shop(server: Cluster) -> None:
    """The wrong database, or one that was just set up: its canary comes back exact, and nothing else is in it."""
    with backed_up(server, "hollow", "create table orders (id int)") as home:
        result = rehearse(home)
    assert (result["verdict"], result["tables"], result["rows"]) == ("pass", 1, 0)
    (judged,) = drill_rules.judge({"id": "b", "questions": {}, **result}, {**OPTIONS, "invariants": {}})
    assert (judged.status, judged.code) == ("fail", "restore_drill.empty")


def test_without_a_cage_no_copy_is_made(fetched: pathlib.Path) -> None:
    result = rehearse(fetched, caged=True)
    assert (result["verdict"], result["failed"]) == ("inconclusive", "cage")
    assert "PrivateNetwork, RestrictAddressFamilies" in result["why"]
    assert not (fetched / "work" / "pg").exists()


def test_a_running_server_is_seen_and_kept_away(server: Cluster) -> None:
    seen = _caged.seen_live()
    assert str(server.data.resolve()) in seen["data"]
    assert f"{server.sockets}/.s.PGSQL.5432" in seen["sockets"]
    assert "PGDATA" in walls.gaps(walls.held(512, seen)) or os.geteuid() != 0
    assert not walls.held(512, seen)["InaccessiblePaths"]


def test_nobody_is_let_in_who_was_not_told_where_the_live_cluster_lies(fetched: pathlib.Path) -> None:
    asked = plan(fetched, caged=True)
    del asked["live"]
    assert cage.rehearse(asked)["why"] == "nobody said where the live cluster lies"


#: The program reads what it is given: one that ends before the server has written to it breaks the server's pipe, and so the session.
HOSTILE = (
    "create function touch() returns event_trigger language plpgsql security definer as $f$ begin copy (select 1) to program 'cat >{file}'; end $f$",
    "create event trigger touch on ddl_command_end execute function touch()",
)

#: From 17 on only.
SWITCH, LOGIN = "alter database hostile set event_triggers = on", "create event trigger greet on login execute function touch()"

#: What the shop's own database or roles may have set, which comes back with them, and from which version on there is such a thing.
BROUGHT = {
    "nothing": (0, ()),
    "its database": (0, ("alter database hostile set session_replication_role = origin",)),
    "its role there": (0, ("alter role postgres in database hostile set session_replication_role = origin",)),
    "a library": (0, ("alter database hostile set session_preload_libraries = 'plpgsql'",)),
    "a trigger for replicas": (0, ("alter event trigger touch enable always",)),
    "the switch itself": (170000, (SWITCH, "alter event trigger touch enable always")),
    "a login": (170000, (SWITCH, LOGIN, "alter event trigger greet enable always")),
}


@pytest.mark.parametrize("brought", sorted(BROUGHT))
def test_no_trigger_of_the_shops_runs_on_a_copy(server: Cluster, brought: str) -> None:
    """Whoever may write a function into the shop's database must not have it run by the drill, which adds an extension to the copy.

    Nor by a backup, which changes nothing there; but for what greets whoever logs in, which is what it does.
    """
    since, statements = BROUGHT[brought]
    if version() < since:
        pytest.skip(f"PostgreSQL {version() // 10000} does not have it, {since // 10000} does")
    touched = server.home / f"touched-{brought.replace(' ', '-')}"
    made = [*(line.format(file=touched) for line in HOSTILE), *statements]
    with backed_up(server, "hostile", "create table orders as select 1 as id", *made) as home:
        assert touched.exists() == (brought == "a login")
        touched.unlink(missing_ok=True)
        result = rehearse(home)
        assert result["verdict"] == "pass", result
        assert not touched.exists(), "the copy ran the shop's event trigger"


def test_what_the_shops_database_brings_is_seen_in_its_own_sessions(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the client gives, what the database has set would hold there; no session is used in which it does."""
    monkeypatch.setattr(cage.Copy, "_own_options", lambda copy: "")
    with backed_up(server, "hostile", "create table orders as select 1 as id", *BROUGHT["its database"][1]) as home:
        result = rehearse(home)
    assert (result["verdict"], result["failed"]) == ("inconclusive", "start")
    assert result["why"] == "the copy is not isolated: session_replication_role=origin in hostile"


#: Another value of each setting that shuts the copy in. Not those without which nobody finds it (port) or takes it for ours (cluster_name).
OPEN = {
    "listen_addresses": "127.0.0.77",
    "archive_mode": "on",
    "shared_preload_libraries": "plpgsql",
    "max_logical_replication_workers": "4",
    "primary_conninfo": "host=127.0.0.77",
    "logging_collector": "on",
    "unix_socket_permissions": "0777",
}


def test_a_copy_that_is_open_somewhere_is_not_used(fetched: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(OPEN) == set(isolation.ISOLATED) - {"port", "cluster_name", "archive_command"} - {name for _since, name, _value in isolation.OWN}
    copy, settings = cage.Copy(plan(fetched, settings="production")), cage.Copy.settings
    copy._read_manifest()
    copy._begin()
    for name, value in OPEN.items():
        monkeypatch.setattr(cage.Copy, "settings", lambda copy, opened=(name, value): {**settings(copy), opened[0]: opened[1]})
        try:
            with pytest.raises(cage.Failed, match=f"^the copy is not isolated: {name}={value} in postgres$"):
                copy._start()
        finally:
            copy._stop()


def test_what_a_cage_does_not_hold_is_not_claimed(fetched: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = {"PrivateNetwork": False, "RestrictAddressFamilies": True, "User": True, "NoNewPrivileges": True, "PGDATA": True, "MemoryMax": False}
    monkeypatch.setattr(walls, "held", lambda memory_mb, live: standing)
    result = rehearse(fetched, caged=True)
    assert (result["verdict"], result["walls"]) == ("pass", standing)


def test_a_member_cut_short(fetched: pathlib.Path) -> None:
    member = max((fetched / "backup" / "dump").glob("*.dat.*"), key=lambda path: path.stat().st_size)
    member.write_bytes(member.read_bytes()[:-20])
    assert told(rehearse(fetched)) == {("member_truncated", f"dump/{member.name}")}


def test_a_member_deleted(fetched: pathlib.Path) -> None:
    member = next((fetched / "backup" / "dump").glob("*.dat.*"))
    member.unlink()
    assert told(rehearse(fetched)) == {("member_missing", f"dump/{member.name}")}


def test_a_digit_flipped_where_only_the_content_shows_it(server: Cluster, fetched: pathlib.Path) -> None:
    """An uncompressed dump with another digit restores with return code 0, and whoever wrote new digests hid it from those: the manifest's hash finds it."""
    folder = fetched / "backup"
    shutil.rmtree(folder / "dump")
    server.run("pg_dump", "-h", server.sockets, "-U", "postgres", "-Fd", "-Z0", "-f", server.home / "plain", "shop")
    shutil.move(server.home / "plain", folder / "dump")
    member = next(path for path in (folder / "dump").glob("*.dat") if b"Tenant 7" in path.read_bytes())
    member.write_bytes(member.read_bytes().replace(b"Tenant 7", b"Tenant 1"))
    resealed(folder, lambda body: None)
    assert told(rehearse(fetched)) == {("content_differs", "public.tenants")}


def test_hashes_that_another_version_of_the_program_made_are_not_compared(fetched: pathlib.Path) -> None:
    """Also where the preflight was told something else than what lies there."""

    def other(body: dict[str, t.Any]) -> None:
        body["schema"] = files.SCHEMA - 1
        body["tables"]["public.tenants"]["hash"] = "1"

    resealed(fetched / "backup", other)
    result = rehearse(fetched)
    assert (result["verdict"], result["failed"]) == ("inconclusive", "verify")
    assert "make another backup" in result["why"]


def test_a_role_missing_in_globals(fetched: pathlib.Path) -> None:
    path = fetched / "backup" / "globals.sql"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "shop_app" not in line))
    resealed(fetched / "backup", lambda body: None)
    assert told(rehearse(fetched)) == {("role_missing", "shop_app")}


def test_rows_that_a_policy_hid(fetched: pathlib.Path) -> None:
    resealed(fetched / "backup", lambda body: body["tables"]["public.orders"].update(rows=1000))
    assert told(rehearse(fetched)) == {("partial_by_rls", "public.orders")}


def test_another_collation(server: Cluster, tmp_path: pathlib.Path) -> None:
    """ICU's collations carry a version; C.UTF-8 has none that could differ."""
    server.sql("create database sorted owner shop_owner template template0 locale_provider icu icu_locale 'es'")
    server.sql("create table dishes (name text primary key)", "insert into dishes values ('ñoquis'), ('nachos')", database="sorted")
    connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup"}
    line = job.back_up({"name": "db1", "database": "sorted", "directory": str(tmp_path), "connection": connection})
    assert line["ok"], json.dumps(line)
    home = server.home / "sorted"
    try:
        shutil.copytree(tmp_path / line["id"], home / "backup")
        (home / "work").mkdir()
        resealed(home / "backup", lambda body: body["database"].update(collation_version="1.0"))
        assert told(rehearse(home)) == {("collation_differs", "sorted")}
    finally:
        shutil.rmtree(home)
        server.sql("drop database sorted")


def test_another_answer_schema_and_canary(fetched: pathlib.Path) -> None:
    def change(body: dict[str, t.Any]) -> None:
        body["invariants"]["orders"] = [["99"]]
        body["schema_hash"] = "0"
        body["canary"] = "another"

    resealed(fetched / "backup", change)
    assert told(rehearse(fetched)) == {("invariant_differs", "orders"), ("schema_differs", "shop"), ("canary_missing", "golive.canary")}


def test_no_server_of_that_version(fetched: pathlib.Path) -> None:
    resealed(fetched / "backup", lambda body: body.update(server_version=990000))
    result = rehearse(fetched)
    assert result["verdict"] == "inconclusive"
    assert "PostgreSQL 99" in result["why"]


def test_an_extension_that_this_host_does_not_have(fetched: pathlib.Path) -> None:
    resealed(fetched / "backup", lambda body: body["extensions"].update(postgis="3.3"))
    result = rehearse(fetched)
    assert (result["verdict"], result["failed"]) == ("inconclusive", "preflight")
    assert "postgis" in result["why"]


def test_the_live_cluster_itself_is_refused(fetched: pathlib.Path) -> None:
    copy = cage.Copy({"home": str(fetched / "work"), "backup": str(fetched / "backup"), "user": USER, "jobs": 1, "settings": "tuned", "memory_mb": 512})
    copy.made, copy.sockets = files.read_manifest(copy.backup), fetched.parent / "s"
    with pytest.raises(cage.Failed, match="another server answers"):
        copy._connect("postgres")


def test_tablespaces_stay_where_they_are(fetched: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = fetched / "backup" / "globals.sql"
    path.write_text(path.read_text() + f"CREATE TABLESPACE fast OWNER postgres LOCATION '{tmp_path}';\n")
    resealed(fetched / "backup", lambda body: None)
    assert rehearse(fetched)["verdict"] == "pass"
    assert not list(tmp_path.iterdir())
