# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup job against a real cluster and a real restic repository: what it makes, what it refuses, and what it tells."""

from __future__ import annotations

import datetime
import errno
import fcntl
import json
import pathlib
import shutil
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import dump, files, job, look, manifest, offsite, programs

from .postgres_server import Cluster, binaries, wait_until

Config = dict[str, t.Any]
INVARIANTS = {
    "money": "select tenant, sum(amount_minor) from orders where created_at < {backup_at} group by 1 order by 1",
    "orphans": "select count(*) from orders o left join tenants t on t.id = o.tenant where t.id is null and o.note not like '%|%'",
}


@pytest.fixture
def config(server: Cluster, tmp_path: pathlib.Path) -> Config:
    directory = tmp_path / "backups"
    directory.mkdir(mode=0o700)
    password = tmp_path / "password"
    password.write_text("lab-only-password")
    return {
        "name": "db1",
        "database": "shop",
        "directory": str(directory),
        "connection": {"host": str(server.sockets), "port": 5432, "user": "golive_backup"},
        "invariants": INVARIANTS,
        "textfile": str(tmp_path / "golive_backup.prom"),
        "overdue_s": 7200,
        "offsite": {"repository": str(tmp_path / "repository"), "password_file": str(password), "options": ["--no-cache"]},
    }


@pytest.fixture
def near(config: Config) -> Config:
    """The same without a second place: most tests need none."""
    return {**config, "offsite": None}


def folder_of(config: Config, line: t.Mapping[str, t.Any]) -> pathlib.Path:
    assert line["ok"], json.dumps(line)
    return pathlib.Path(config["directory"]) / str(line["id"])


def test_a_backup_from_nothing_to_the_second_place(server: Cluster, config: Config, tmp_path: pathlib.Path) -> None:
    assert offsite.begin(config)
    assert not offsite.begin(config), "made twice"
    line = job.back_up(config)
    folder = folder_of(config, line)
    made = files.read_manifest(folder)
    assert files.damage(folder, made) == []
    assert made["tables"]["public.orders"]["rows"] == 100, "row level security cut the count"
    assert made["system_identifier"] == str(server.value("select system_identifier from pg_control_system()"))
    assert made["invariants"]["money"][0] == ["1", "5500"]
    assert made["invariants"]["orphans"] == [["0"]]
    assert set(made["roles"]) == {"postgres", "shop_owner", "shop_app", "golive_backup", "Odd Name"}
    assert made["sequences"]["public.orders_id_seq"] == 100
    assert "SCRAM-SHA-256" in (folder / "globals.sql").read_text()
    seen = look.look(config)
    assert seen["newest"]["damage"] == []
    assert seen["newest"]["roles_missing"] == []
    assert [one["id"] for one in seen["offsite"]["stored"]] == [line["id"]]
    assert seen["offsite"]["stored"][0]["system_identifier"] == made["system_identifier"] == seen["live"]["system_identifier"]
    assert seen["live"]["bypasses"]
    assert not seen["live"]["super"]
    assert seen["live"]["beside"] == []
    server.sql("create database menus", "create database shut", "alter database shut allow_connections false")
    try:
        assert look.look(config)["live"]["beside"] == ["menus"]
    finally:
        server.sql("drop database menus", "drop database shut")
    assert seen["running_s"] is None
    restored = tmp_path / "back"
    offsite.restic(config, "restore", str(line["snapshot"]), "--target", str(restored), "--verify")
    assert files.damage(restored, files.read_manifest(restored)) == []
    metrics = pathlib.Path(config["textfile"]).read_text()
    assert "golive_backup_last_attempt_ok 1\n" in metrics
    assert f"golive_backup_size_bytes {made['archive_bytes']}\n" in metrics
    assert "golive_backup_overdue_seconds 7200\n" in metrics
    assert "lab-only-password" not in json.dumps([line, made, seen])
    everything = b"".join(path.read_bytes() for path in pathlib.Path(config["offsite"]["repository"]).rglob("*") if path.is_file())
    assert b"CREATE ROLE" not in everything, "not encrypted"


def test_it_never_uses_the_slow_default_compression(near: Config) -> None:
    assert dump.compression(150018) == "--compress=1"
    assert dump.compression(160000) == dump.compression(180001) == "--compress=zstd:3"
    folder = folder_of(near, job.back_up(near))
    members = {path.suffix: path.read_bytes() for path in (folder / "dump").iterdir() if path.name != "toc.dat"}
    if files.read_manifest(folder)["server_version"] >= 160000:
        assert {suffix: content[:4] for suffix, content in members.items()} == {".zst": bytes.fromhex("28b52ffd")}  # RFC 8878
    else:
        # RFC 1952: magic, and extra flags, which are 4 only for the fastest algorithm; gzip's default has 0.
        assert {suffix: (content[:2], content[8]) for suffix, content in members.items()} == {".gz": (bytes.fromhex("1f8b"), 4)}


def test_nobody_else_may_read_it(near: Config) -> None:
    with job.private_files():
        folder = folder_of(near, job.back_up(near))
    assert {oct(path.stat().st_mode & 0o077) for path in folder.rglob("*")} == {"0o0"}


def test_the_manifest_is_of_the_dumps_own_snapshot(server: Cluster, near: Config, tmp_path: pathlib.Path) -> None:
    """Orders come in while the backup is made; what comes back is what the manifest says, to the last row."""
    stop, begun = threading.Event(), threading.Event()

    def take_orders() -> None:
        with server.connect("shop") as connection:
            while not stop.is_set():
                connection.execute("insert into orders (tenant, amount_minor) select 1 + i % 10, 5 from generate_series(1, 20) i")
                begun.set()

    load = threading.Thread(target=take_orders)
    load.start()
    try:
        assert begun.wait(10)
        folder = folder_of(near, job.back_up(near))
    finally:
        stop.set()
        load.join()
    made = files.read_manifest(folder)
    try:
        assert server.value("select count(*) from orders", "shop") > made["tables"]["public.orders"]["rows"] > 100, "there was no load"
        with restored(server, folder) as name:
            found = copy_of(server, name, made)
            assert manifest.differences(made, found) == []
            assert found["tables"] == {key: {**table, "bytes": found["tables"][key]["bytes"]} for key, table in made["tables"].items()}
            with server.connect(name) as session:
                assert manifest.free_numbers(session) == []
                assert session.execute("select count(*) from golive.canary where nonce = %s", (made["canary"],)).fetchone() == (1,)
    finally:
        server.sql("delete from orders where id > 100", database="shop")


class restored:
    """``pg_restore`` of a backup into a database beside the live one, for the length of a ``with``: the shortest independent way to look inside."""

    def __init__(self, server: Cluster, folder: pathlib.Path) -> None:
        self.server, self.folder = server, folder

    def __enter__(self) -> str:
        self.server.sql("create database copy template template0")
        subprocess.run(
            [binaries() / "pg_restore", "-h", self.server.sockets, "-U", "postgres", "--exit-on-error", "-d", "copy", self.folder / "dump"], check=True
        )
        return "copy"

    def __exit__(self, *problem: object) -> None:
        self.server.sql("drop database copy with (force)")


def copy_of(server: Cluster, name: str, made: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    with server.connect(name) as session:
        manifest.pin(session)
        return {
            **manifest.what_it_is(session),
            "tables": manifest.content(session),
            "invariants": manifest.asked(session, INVARIANTS, made["at"]),
        }


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ("delete from orders where id = 50", "rows_differ", "public.orders"),
        ("update orders set amount_minor = amount_minor + 1 where id = 50", "content_differs", "public.orders"),
        ("update orders set raw = '\\x00' where id = 50", "content_differs", "public.orders"),
        ("drop table orders", "table_missing", "public.orders"),
        ("create table surplus (id int)", "table_extra", "public.surplus"),
        ("select setval('orders_id_seq', 10)", "sequence_behind", "public.orders_id_seq"),
        ("drop index orders_tenant_created_at_idx", "objects_differ", "indexes"),
        ("drop policy own on orders", "objects_differ", "policies"),
        ("update orders set amount_minor = 0 where id = 50", "invariant_differs", "money"),
    ],
)
def test_every_difference_has_its_name(server: Cluster, near: Config, change: str, code: str, name: str) -> None:
    folder = folder_of(near, job.back_up(near))
    made = files.read_manifest(folder)
    made["tables"]["public.orders"]["row_security"] = False  # tried on its own below
    with restored(server, folder) as copy:
        server.sql(change, database=copy)
        told = manifest.differences(made, copy_of(server, copy, made))
    assert (code, name) in {(one["code"], one["name"]) for one in told}


def test_a_dump_that_a_policy_cut_short(server: Cluster, near: Config) -> None:
    """``pg_dump --enable-row-security`` without BYPASSRLS ends with 0 and has 10 of 100 rows."""
    folder = folder_of(near, job.back_up(near))
    made = files.read_manifest(folder)
    shutil.rmtree(folder / "dump")
    server.sql("alter role golive_backup nobypassrls")
    try:
        where = ["-h", server.sockets, "-U", "golive_backup", "-d", "shop"]
        cut = [binaries() / "pg_dump", *where, "-Fd", "--enable-row-security", "-f", folder / "dump"]
        assert subprocess.run(cut, check=False).returncode == 0
        line = job.back_up(near)
        assert not line["ok"]
        assert line["phase"] == "row_security"
        assert not look.look(near)["live"]["bypasses"]
    finally:
        server.sql("alter role golive_backup bypassrls")
    with restored(server, folder) as copy:
        assert ("partial_by_rls", "public.orders", 100, 10) in [tuple(one.values()) for one in manifest.differences(made, copy_of(server, copy, made))]


def test_a_table_that_the_role_may_not_read(server: Cluster, near: Config) -> None:
    server.sql("revoke pg_read_all_data from golive_backup")
    try:
        line = job.back_up(near)
    finally:
        server.sql("grant pg_read_all_data to golive_backup")
    assert (line["ok"], line["phase"]) == (False, "manifest")
    assert "permission denied" in line["why"]
    assert files.listed(pathlib.Path(near["directory"])) == []


@pytest.mark.parametrize("damage", ["member_missing", "member_truncated", "member_changed", "member_extra"])
def test_damage_to_a_file(near: Config, damage: str) -> None:
    folder = folder_of(near, job.back_up(near))
    member = max((folder / "dump").glob("*.dat.*"), key=lambda path: path.stat().st_size)
    raw = member.read_bytes()
    if damage == "member_missing":
        member.unlink()
    elif damage == "member_truncated":
        member.write_bytes(raw[: len(raw) * 6 // 10])
    elif damage == "member_changed":
        member.write_bytes(raw[:40] + bytes([raw[40] ^ 1]) + raw[41:])
    else:
        (folder / "dump" / "9999.dat").write_bytes(b"")
    assert [one["code"] for one in look.look(near)["newest"]["damage"]] == [damage]


def test_a_manifest_that_is_gone_or_was_edited(near: Config) -> None:
    folder = folder_of(near, job.back_up(near))
    path = folder / files.MANIFEST
    whole = path.read_text()
    path.write_text(whole.replace('"rows": 100', '"rows": 90'))
    assert look.look(near)["newest"]["manifest"] == "broken"
    path.write_text(whole[: len(whole) // 2])
    assert look.look(near)["newest"]["manifest"] == "broken"
    path.unlink()
    assert look.look(near)["newest"]["manifest"] == "missing"


def test_a_role_that_globals_does_not_make(near: Config) -> None:
    folder = folder_of(near, job.back_up(near))
    path = folder / "globals.sql"
    path.write_text(path.read_text().replace('CREATE ROLE "Odd Name";\n', "").replace("CREATE ROLE shop_app;\n", ""))
    assert look.look(near)["newest"]["roles_missing"] == ["Odd Name", "shop_app"]


def test_two_jobs_at_once_and_one_that_was_killed(near: Config, tmp_path: pathlib.Path) -> None:
    directory = pathlib.Path(near["directory"])
    left = directory / f"{files.PARTIAL}20260101T000000Z-00000000"
    left.mkdir()
    written = tmp_path / "config.json"
    written.write_text(json.dumps(near))
    with job.lock(directory) as ours:
        assert ours
        assert job.main(["run", str(written)]) == job.BUSY
        assert look.look(near)["running_s"] is not None
        assert left.exists(), "the running job's own folder was taken"
    assert look.look(near)["running_s"] is None
    assert job.main(["run", str(written)]) == 0
    assert not left.exists()


def test_somebody_who_only_looks_does_not_cost_a_backup(near: Config, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PATIENCE_S", 30.0)
    written = tmp_path / "config.json"
    written.write_text(json.dumps(near))
    with (pathlib.Path(near["directory"]) / files.LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        let_go = threading.Timer(0.25, fcntl.flock, (handle, fcntl.LOCK_UN))
        let_go.start()
        assert job.main(["run", str(written)]) == 0
        let_go.join()


def test_a_job_killed_in_the_middle_leaves_no_backup(server: Cluster, near: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    real = manifest.content

    def killed(connection: t.Any) -> t.Any:
        real(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(manifest, "content", killed)
    with pytest.raises(KeyboardInterrupt):
        job.back_up(near)
    assert files.listed(pathlib.Path(near["directory"])) == []
    wait_until(lambda: server.value("select count(*) from pg_stat_activity where application_name = 'pg_dump'") == 0)


def no_room(*_words: t.Any) -> t.Any:
    raise OSError(errno.ENOSPC, "No space left on device", "/var/backups/golive/x")


def test_a_full_disk_is_an_attempt_that_failed(near: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(near, job.back_up(near))
    monkeypatch.setattr(files, "described", no_room)
    line = job.back_up(near)
    assert (line["ok"], line["phase"], line["name"]) == (False, "disk", "no_room")
    assert line["why"] == "/var/backups/golive/x: No space left on device"
    directory = pathlib.Path(near["directory"])
    assert files.history(directory)[-1] == line
    assert list(directory.glob(f"{files.PARTIAL}*")) == [], "half a backup fills the disk"
    assert "golive_backup_last_attempt_ok 0\n" in pathlib.Path(near["textfile"]).read_text()


def test_an_attempt_that_nobody_can_write_down_did_not_go_well(near: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(near, job.back_up(near))
    monkeypatch.setattr(files, "remember", no_room)
    line = job.back_up(near)
    assert (line["ok"], line["name"]) == (False, "no_room")
    assert "golive_backup_last_attempt_ok 0\n" in pathlib.Path(near["textfile"]).read_text()


def test_how_long_a_job_runs_is_told_whatever_it_is_doing(near: Config) -> None:
    """While restic carries it away there is no half backup any more whose age could be told."""
    directory = pathlib.Path(near["directory"])
    with job.lock(directory) as ours:
        assert ours
        assert 0 <= (look.running(directory) or 0) < 60
        (directory / files.LOCK).write_text(f"{time.time() - 7200:.0f}\n")
        assert 7199 <= (look.running(directory) or 0) < 7260
        (directory / files.LOCK).write_text("")  # the moment in which it is written
        assert 0 <= (look.running(directory) or 0) < 60
    with job.lock(directory):
        assert (look.running(directory) or 0) < 60, "the time of an earlier job is told"
    assert look.running(directory) is None


def test_what_the_second_place_says(config: Config, tmp_path: pathlib.Path) -> None:
    def name() -> str:
        return str(look.look(config)["offsite"]["refused"])

    assert name() == "no_repository"
    offsite.begin(config)
    line = job.back_up(config)
    assert line["ok"]
    pathlib.Path(config["offsite"]["password_file"]).write_text("rotated-without-telling")
    assert name() == "password_rotated"
    again = job.back_up(config)
    assert (again["ok"], again["phase"]) == (False, "offsite")
    assert "rotated-without-telling" not in json.dumps(again)
    metrics = pathlib.Path(config["textfile"]).read_text()
    assert "golive_backup_last_attempt_ok 0\n" in metrics
    assert "golive_backup_last_success_timestamp_seconds" in metrics
    config["offsite"]["repository"] = "sftp:127.0.0.1:/nowhere"
    config["offsite"]["options"] = ["-o", "sftp.command=sh -c 'echo ssh: connect to host x port 22: Connection refused >&2; exit 255'"]
    assert name() == "unreachable"


def test_local_copies_are_thinned_only_when_they_are_elsewhere(near: Config, config: Config) -> None:
    directory = pathlib.Path(near["directory"])
    kept = [job.back_up({**near, "keep_local": 1})["id"] for _turn in range(2)]
    assert files.listed(directory) == sorted(kept, reverse=True), "an only copy was removed"
    offsite.begin(config)
    names = [job.back_up({**config, "keep_local": 1})["id"] for _turn in range(2)]
    assert set(files.listed(directory)) == {*kept, names[-1]}


def test_no_server(near: Config) -> None:
    near["connection"]["host"] = "/nowhere"
    line = job.back_up(near)
    assert (line["ok"], line["phase"]) == (False, "connect")
    assert "refused" in look.look(near)["live"]


def test_no_program_of_that_version() -> None:
    with pytest.raises(programs.Failed, match="PostgreSQL 99"):
        programs.postgres("pg_dump", 99)


def test_a_pg_variable_of_the_caller_chooses_no_other_server(near: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    monkeypatch.setenv("PGDATABASE", "elsewhere")
    folder_of(near, job.back_up(near))


def test_names_are_in_the_order_of_time() -> None:
    assert files.ID.match(f"{datetime.datetime(2026, 11, 24, 13, 5, 1):%Y%m%dT%H%M%SZ}-0a1b2c3d")
    assert not files.ID.match(".partial-20261124T130501Z-0a1b2c3d")
