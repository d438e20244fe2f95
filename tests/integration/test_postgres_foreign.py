# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's backups in the cage, against a real cluster: dumps of every format and a data directory come back, and what is no backup is told."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import threading
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_rules
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, foreign, isolation

from .postgres_server import USER, Cluster, cluster, plan, wait_until

Result = dict[str, t.Any]
QUESTIONS = {"orders": "select count(*) from orders"}


@pytest.fixture
def home(server: Cluster) -> t.Iterator[pathlib.Path]:
    """A drill's folder, whose ``backup`` the user's command is to fill."""
    folder = server.home / "drill"
    for path in (folder, folder / "backup", folder / "work"):
        path.mkdir()
        if USER:
            shutil.chown(path, USER)
    yield folder
    shutil.rmtree(folder)


def rehearse(home: pathlib.Path, questions: dict[str, str] | None = None) -> Result:
    return cage.rehearse(plan(home, id="theirs", at="2026-11-24T10:00:00+00:00", questions=questions or QUESTIONS), foreign.copy)


def told(result: Result) -> set[str]:
    assert result["verdict"] == "fail", result
    assert all(one["code"] in drill_rules.CODES for one in result["told"])
    return {one["code"] for one in result["told"]}


DUMPS = {
    "custom": ("pg_dump", "--format=custom", "--file={target}/shop.dump", "shop"),
    "directory": ("pg_dump", "--format=directory", "--file={target}/shop", "shop"),
    "plain": ("pg_dump", "--file={target}/shop.sql", "shop"),
    "data": ("pg_basebackup", "--pgdata={target}/base", "--checkpoint=fast", "--wal-method=stream", "--no-sync"),
}


def theirs(server: Cluster, home: pathlib.Path, kind: str) -> None:
    """What a restore command of theirs leaves."""
    program, *words = DUMPS[kind]
    where = ["-h", server.sockets, "-U", "postgres"]
    server.run(program, *where, *[word.format(target=home / "backup") for word in words])
    if kind != "data":
        server.run("pg_dumpall", *where, "--globals-only", f"--file={home / 'backup' / 'globals.sql'}")


@pytest.mark.parametrize("kind", sorted(DUMPS))
def test_it_comes_back_whatever_its_format(server: Cluster, home: pathlib.Path, kind: str) -> None:
    theirs(server, home, kind)
    assert foreign.shape(home / "backup")[0] == kind
    result = rehearse(home)
    assert result["verdict"] == "pass", result
    assert (result["tables"], result["rows"], result["answers"], result["unsealed"]) == (2, 110, {"orders": [["100"]]}, True)
    same = result["copy_identifier"] == str(server.value("select system_identifier from pg_control_system()"))
    assert same == (kind == "data")
    words = " ".join(" ".join(step["argv"]) for step in result["steps"])
    for wanted in ("archive_command=/bin/false", "archive_mode=off", "listen_addresses=", "shared_preload_libraries="):
        assert wanted in words
    assert str(server.sockets) not in words


def test_settings_of_the_live_cluster_do_not_come_along(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "data")
    escaped = home / "escaped"
    (home / "backup" / "base" / "postgresql.auto.conf").write_text(f"archive_mode = on\narchive_command = 'touch {escaped}'\nlisten_addresses = '*'\n")
    assert rehearse(home)["verdict"] == "pass"
    assert not escaped.exists()


def test_a_role_that_nobody_brought(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "custom")
    (home / "backup" / "globals.sql").unlink()
    assert told(rehearse(home)) == {"role_missing"}


def test_a_dump_that_was_cut_short(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "custom")
    path = home / "backup" / "shop.dump"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert told(rehearse(home)) == {"restore_refused"}


def test_plain_sql_that_was_cut_short_is_not_hidden_by_psql(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "plain")
    path = home / "backup" / "shop.sql"
    path.write_text(path.read_text().replace("CREATE TABLE public.orders", "CREATE TABEL public.orders"))
    assert told(rehearse(home)) == {"restore_refused"}


@pytest.mark.parametrize("left", [{}, {"readme.txt": b"done"}, {"empty.sql": b""}])
def test_a_command_that_left_no_backup(home: pathlib.Path, left: dict[str, bytes]) -> None:
    for name, content in left.items():
        (home / "backup" / name).write_bytes(content)
    assert told(rehearse(home)) == {"not_restored"}


def test_a_question_without_an_answer(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "custom")
    assert told(rehearse(home, {"gone": "select count(*) from nowhere"})) == {"invariant_differs"}


def test_a_data_directory_with_a_broken_page(server: Cluster, home: pathlib.Path) -> None:
    theirs(server, home, "data")
    path = home / "backup" / "base" / str(server.value("select pg_relation_filepath('tenants')", "shop"))
    raw = bytearray(path.read_bytes())
    raw[8000] ^= 1
    path.write_bytes(bytes(raw))
    assert told(rehearse(home)) == {"page_broken"}


class Publisher:
    """Stands in for the server that a subscription reads from: takes connections and ends them. ``came`` says how many."""

    def __init__(self) -> None:
        self.came = 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"host=127.0.0.1 port={self.door.getsockname()[1]} dbname=shop user=nobody connect_timeout=5"

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # the door was shut
            while True:
                visitor, _address = self.door.accept()
                self.came += 1
                visitor.close()


@pytest.fixture
def publisher() -> t.Iterator[Publisher]:
    made = Publisher()
    serving = threading.Thread(target=made.serve)
    serving.start()
    try:
        yield made
    finally:
        made.door.shutdown(socket.SHUT_RDWR)
        made.door.close()
        serving.join(10)


def subscribed(address: str) -> tuple[str, ...]:
    """A subscription at work, as a dump cannot bring it without a line of somebody's own, and a data directory does. The largest database is the shop."""
    made = f"create subscription orders connection '{address}' publication orders with (connect = false, slot_name = 'orders')"
    return ("create table orders as select generate_series(1, 9999) as id", made, "alter subscription orders enable")


@contextlib.contextmanager
def brought(kind: str, address: str, home: pathlib.Path) -> t.Iterator[None]:
    """Leave a backup with a subscription that is enabled. Nobody else follows it: the server that had it may not."""
    if kind == "plain":
        (home / "backup" / "shop.sql").write_text(";\n".join((*subscribed(address), "")))
        yield
        return
    with cluster() as other:
        other.stop()
        other.start("max_logical_replication_workers=0")
        other.sql(*subscribed(address))
        theirs(other, home, "data")
        yield


@pytest.mark.parametrize("kind", ["plain", "data"])
def test_a_subscription_of_the_shops_reads_from_nobody(home: pathlib.Path, publisher: Publisher, kind: str) -> None:
    with brought(kind, publisher.address, home):
        result = rehearse(home)
    assert result["verdict"] == "pass", result
    assert publisher.came == 0


@pytest.mark.parametrize("kind", ["plain", "data"])
def test_it_would_if_that_were_not_forbidden(home: pathlib.Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """That nobody came says something only where somebody would have."""
    monkeypatch.setitem(isolation.ISOLATED, "max_logical_replication_workers", "4")
    proven = cage.Copy._proven

    def waited(copy: cage.Copy, now: t.Mapping[str, t.Any]) -> Result:
        wait_until(lambda: publisher.came > 0)
        return proven(copy, now)

    monkeypatch.setattr(cage.Copy, "_proven", waited)
    with brought(kind, publisher.address, home):
        assert rehearse(home)["verdict"] == "pass"
