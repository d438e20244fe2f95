# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest`` against a real cluster and a real, encrypted repository: made, looked at, brought back, and every fault under its own name."""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import shutil
import threading
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_rules, engine_rules, retention_rules, second_place
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_retention import BackupRetention
from ansible_collections.resto.golive.plugins.module_utils._options import validated
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, engines, files, labels, pgbackrest, physical, pitr, sight

from .pgbackrest_server import PASSPHRASE, Archived, archived
from .postgres_server import USER, plan, wait_until

Result = dict[str, t.Any]


@pytest.fixture(scope="module")
def shop() -> t.Iterator[Archived]:
    """Two backups, with orders coming in all the time, and orders after the last one."""
    with archived() as made:
        assert sight.look(made.config)["stanza"]["status"]["code"] == 1, "there is a stanza already"
        assert [word for word in made.begin() if word.startswith("pgbackrest")] == ["pgbackrest stanza-create"]
        assert pitr.begin(made.config) == [], "a second run changed something"
        made.server.sql("create table menu as select i, repeat('x', 100) from generate_series(1, 100) i", "vacuum freeze menu", database="shop")
        made.back_up()
        stop = threading.Event()

        def take_orders() -> None:
            with made.server.connect("shop") as connection:
                while not stop.wait(0.003):
                    connection.execute("insert into orders (tenant, amount_minor) select 1 + i % 10, 5 from generate_series(1, 3) i")

        load = threading.Thread(target=take_orders)
        load.start()
        try:
            made.back_up()
        finally:
            stop.set()
            load.join()
        made.server.sql("insert into orders (tenant, amount_minor, note) values (1, 77, 'after the backup')", database="shop")
        yield made


@pytest.fixture
def fetched(shop: Archived) -> t.Iterator[tuple[pathlib.Path, Result]]:
    """The newest backup as the drill fetches it."""
    home = shop.home / "drill"
    shop.own(home)
    shop.own(home / "backup")
    shop.own(home / "work")
    known = pitr.stored(shop.config)
    told = pitr.fetch({"config": shop.config, "snapshot": known["newest"]["snapshot"], "target": str(home / "backup")})
    yield home, {**known, **told}
    shutil.rmtree(home)


def rehearse(home: pathlib.Path, **more: t.Any) -> Result:
    return cage.rehearse(plan(home, **more), physical.Physical)


def told(result: Result) -> set[tuple[str, str]]:
    assert result["verdict"] == "fail", result
    assert all(one["code"] in drill_rules.CODES for one in result["told"])
    return {(one["code"], one["name"]) for one in result["told"]}


def refused(shop: Archived) -> set[tuple[str, str]]:
    """What the check says of the shop's backups that is wrong, each with its first detail."""
    seen = {**sight.look(shop.config), "installed": True, "outdated": [], "secrets_current": True, "access_missing": [], "period_s": 3600.0}
    seen["repositories"] = [{**one, "place": second_place.look("")} for one in seen["repositories"]]
    told = engine_rules.judge_pgbackrest(seen, {"rpo_minutes": None, "engine": "pgbackrest"})
    return {(one.code.partition(".")[2], str(next(iter(one.params.values()), ""))) for one in told if one.status == "fail"}


def test_the_second_backup_builds_on_the_first_and_all_is_encrypted(shop: Archived) -> None:
    seen = sight.look(shop.config)
    assert [one["type"] for one in seen["stanza"]["backup"]] == ["full", "incr"]
    assert seen["stanza"]["cipher"] == "aes-256-cbc"
    assert (seen["gaps"], seen["unknown_options"], seen["version"]) == ([], {}, pgbackrest.version(shop.config))
    assert seen["live"]["system_identifier"] == str(seen["stanza"]["db"][0]["system-id"])
    assert seen["live"]["settings"]["archive_command"] == seen["live"]["wanted"]["archive_command"]
    assert seen["repositories"] == [{"key": "1", "type": "posix", "path": f"{shop.home}/repo", "cipher-type": "aes-256-cbc"}]
    assert seen["manifest"]["schema"] == files.SCHEMA
    assert PASSPHRASE not in str(seen)
    everything = b"".join(path.read_bytes() for path in (shop.home / "repo").rglob("*") if path.is_file())
    assert b"PG_VERSION" not in everything


def test_it_comes_back_exactly_as_of_the_manifest_and_then_to_the_last_commit(shop: Archived, fetched: tuple[pathlib.Path, Result]) -> None:
    home, known = fetched
    assert known["told"] == []
    before = shop.server.value("select archived_count + failed_count from pg_stat_archiver")
    result = rehearse(home, live_xmax=known["live_xmax"], started_at=1_800_000_000)
    assert result["verdict"] == "pass", result
    assert result["rows"] > 110, "there was no load"
    assert result["missing"] >= 1, "what was never archived cannot have come back"
    assert shop.server.value("select archived_count + failed_count from pg_stat_archiver") == before, "the copy archived"
    assert set(result["phases"]) == {"check", "restore", "verify", "replay", "analyze", "structure"}
    words = " ".join(" ".join(step["argv"]) for step in result["steps"])
    for wanted in ("archive_command=/bin/false", "archive_mode=off", "listen_addresses=", "recovery_target_action=pause"):
        assert wanted in words
    assert "pgbackrest" not in words, "the copy reached for the repository"


def live_files(shop: Archived) -> dict[str, tuple[int, int]]:
    """The live cluster's data, settings and state, but for what every session of its own writes there."""
    seen = {path: path.stat() for path in shop.server.data.rglob("*") if path.is_file() and not {"pg_wal", "pg_stat_tmp", "pg_stat"} & set(path.parts)}
    return {str(path): (was.st_mtime_ns, was.st_size) for path, was in seen.items() if path.name not in ("pg_internal.init", "pg_control")}


def test_a_drill_asks_the_live_cluster_one_thing_and_writes_nothing_there(shop: Archived) -> None:
    shop.server.sql("alter system set autovacuum = off", "alter system set log_connections = on", "select pg_reload_conf()", "select pg_sleep(1)", "checkpoint")
    home, log = shop.home / "drill", shop.home / "log"
    for name in ("", "backup", "work"):
        shop.own(home / name)
    before, said = live_files(shop), log.stat().st_size
    try:
        known = pitr.stored(shop.config)
        pitr.fetch({"config": shop.config, "snapshot": known["newest"]["snapshot"], "target": str(home / "backup")})
        result = rehearse(home, live_xmax=known["live_xmax"], started_at=1_800_000_000)
        assert result["verdict"] == "pass", result
        sessions = re.findall("connection authorized: (.*)", log.read_text()[said:])
        assert sessions == ["user=postgres database=postgres application_name=golive-backup"], "how far it is, and nothing else"
        assert live_files(shop) == before
    finally:
        shutil.rmtree(home)
        shop.server.sql("alter system reset autovacuum", "alter system reset log_connections", "select pg_reload_conf()")


def test_once_archived_nothing_is_missing(shop: Archived) -> None:
    shop.server.sql("select pg_switch_wal()")
    home = shop.home / "drill"
    shop.own(home)
    shop.own(home / "backup")
    shop.own(home / "work")
    try:
        shop.server.value("select 1 from pg_stat_archiver")
        wait_until(lambda: shop.server.value("select count(*) from pg_ls_archive_statusdir() where name like '%.ready'") == 0)
        known = pitr.stored(shop.config)
        fetch = pitr.fetch({"config": shop.config, "snapshot": known["newest"]["snapshot"], "target": str(home / "backup")})
        assert fetch["told"] == []
        result = rehearse(home, live_xmax=known["live_xmax"], started_at=1_800_000_000)
        assert (result["verdict"], result["missing"], result["at"][:4]) == ("pass", 0, "2027")
    finally:
        shutil.rmtree(home)


class changed:
    """A file of the repository is something else for the length of a ``with``."""

    def __init__(self, path: pathlib.Path, content: bytes | None) -> None:
        self.path, self.content = path, content

    def __enter__(self) -> None:
        self.was = self.path.read_bytes()
        if self.content is None:
            self.path.unlink()
        else:
            self.path.write_bytes(self.content)

    def __exit__(self, *problem: object) -> None:
        self.path.write_bytes(self.was)
        if USER:
            shutil.chown(self.path, USER)


def bundle(shop: Archived) -> pathlib.Path:
    return max((shop.home / "repo" / "backup").glob("golive/*/bundle/*"), key=lambda path: path.stat().st_size)


def refetched(shop: Archived) -> Result:
    home = shop.home / "again"
    shop.own(home)
    try:
        return pitr.fetch({"config": shop.config, "snapshot": pitr.stored(shop.config)["newest"]["snapshot"], "target": str(home)})
    finally:
        shutil.rmtree(home)


def zeroed(path: pathlib.Path, at: int) -> bytes:
    raw = path.read_bytes()
    return raw[:at] + bytes(64) + raw[at + 64 :]


def test_a_bundle_that_is_corrupt_although_verify_ends_with_0(shop: Archived) -> None:
    path = bundle(shop)
    with changed(path, zeroed(path, 5000)):
        assert {one["code"] for one in pgbackrest.verify(shop.config)} == {"bundle_corrupt"}
        assert sight.look(shop.config)["stanza"]["status"]["code"] == 0, "info knows of it: then this test is not needed"
        assert [one["code"] for one in refetched(shop)["told"]] == ["bundle_corrupt"]
    assert pgbackrest.verify(shop.config) == []


def test_a_bundle_that_is_gone(shop: Archived) -> None:
    with changed(bundle(shop), None):
        assert [one["code"] for one in refetched(shop)["told"]] == ["bundle_corrupt"]


def segment(shop: Archived) -> pathlib.Path:
    newest = max(sight.look(shop.config)["stanza"]["backup"], key=lambda one: one["timestamp"]["stop"])
    return next((shop.home / "repo" / "archive").rglob(f"{newest['archive']['stop']}-*"))


def test_wal_that_is_gone_which_verify_does_not_notice(shop: Archived) -> None:
    path = segment(shop)
    with changed(path, None):
        assert pgbackrest.verify(shop.config) == [], "verify notices: then this test is not needed"
        assert sight.look(shop.config)["gaps"] == [path.name[:24]]
        assert [(one["code"], one["name"]) for one in refetched(shop)["told"]] == [("wal_missing", path.name[:24])]


@pytest.mark.parametrize("place", [100, -2000])
def test_wal_that_is_corrupt_which_nobody_but_us_looks_for(shop: Archived, place: int) -> None:
    """Zeros are decrypted to noise. What can be unpacked all the same, archive-get hands out with return code 0."""
    path = segment(shop)
    with changed(path, zeroed(path, place if place > 0 else path.stat().st_size + place)):
        found = refetched(shop)["told"]
    assert [(one["code"], one["name"]) for one in found] == [("wal_corrupt", path.name[:24])]


def test_a_passphrase_that_was_rotated(shop: Archived) -> None:
    with changed(shop.home / "conf.d" / "secrets.conf", b"[global]\nrepo1-cipher-pass=another\n"):
        seen = sight.look(shop.config)
        assert seen["stanza"]["status"]["code"] == 99
        with pytest.raises(pgbackrest.Refused) as caught:
            pitr.take(shop.config, datetime.datetime.now(datetime.UTC))
        assert caught.value.name == "password"
        with pytest.raises(pgbackrest.Failed) as refused:
            pitr.begin(shop.config)
        assert refused.value.phase == "password", "the server would archive into a repository that it cannot open"


def test_no_server_is_told_to_archive_into_a_repository_that_cannot_be_seen(shop: Archived) -> None:
    """``info`` ends with 0 and says it in the status: a server that archives there would fill its own disk."""
    shop.server.sql("alter system reset archive_command", "select pg_reload_conf()")
    ours = pitr.wanted(shop.config)["archive_command"]
    info = shop.home / "repo" / "backup" / "golive" / "backup.info"
    with changed(info, b"noise\n"), changed(info.with_suffix(".info.copy"), b""):
        wait_until(lambda: shop.server.value("select setting from pg_settings where name = 'archive_command'") != ours)
        with pytest.raises(pgbackrest.Failed):
            pitr.begin(shop.config)
        assert shop.server.value("select setting from pg_settings where name = 'archive_command'") != ours
    assert pitr.begin(shop.config) == ["alter system set archive_command"]


def test_an_option_that_this_version_does_not_know_is_named(shop: Archived) -> None:
    shop.write("conf.d/new.conf", "[global]\nrepo1-sftp-host=ops1\nrepo1-tomorrow=y\n")
    installed = [int(part) for part in pgbackrest.version(shop.config).split(".")]
    try:
        assert sight.look(shop.config)["unknown_options"] == {"repo1-tomorrow": ""} | ({"repo1-sftp-host": "2.46"} if installed < [2, 46] else {})
        with pytest.raises(pgbackrest.Failed, match="repo1-tomorrow"):
            pitr.begin(shop.config)
    finally:
        (shop.home / "conf.d" / "new.conf").unlink()


def test_other_rows_in_the_manifest_are_told(shop: Archived, fetched: tuple[pathlib.Path, Result]) -> None:
    home, _known = fetched
    path = home / "backup" / files.MANIFEST
    body = {key: value for key, value in files.read_manifest(home / "backup").items() if key != "seal"}
    body["tables"]["public.tenants"]["hash"] = "0"
    path.write_text(json.dumps({**body, "seal": files.seal(body)}))
    assert told(rehearse(home)) == {("content_differs", "public.tenants")}


def test_a_page_that_is_broken_in_the_copy(shop: Archived, fetched: tuple[pathlib.Path, Result]) -> None:
    home, _known = fetched
    path = home / "backup" / "pg" / str(shop.server.value("select pg_relation_filepath('menu')", "shop"))
    raw = bytearray(path.read_bytes())
    raw[8000] ^= 1
    path.write_bytes(bytes(raw))
    assert {code for code, _name in told(rehearse(home))} == {"page_broken"}


def test_wal_that_ends_before_the_manifests_moment(shop: Archived, fetched: tuple[pathlib.Path, Result]) -> None:
    home, _known = fetched
    last = sorted((home / "backup" / "wal").iterdir())[1:]
    for path in last:
        path.unlink()
    assert {code for code, _name in told(rehearse(home))} == {"wal_missing"}


def test_a_backup_that_somebody_else_deleted_is_missed(shop: Archived) -> None:
    """``info`` goes on listing it: pgBackRest looks only when it makes the next one."""
    now = datetime.datetime.now(datetime.UTC)
    before = labels.kept(shop.config, now)
    assert set(before["backups"]) >= set(before["known"]), "it was whole"
    newest = max(before["known"])
    folder = shop.home / "repo" / "backup" / "golive" / newest
    folder.rename(shop.home / "elsewhere")
    try:
        assert newest in {one["label"] for one in sight.look(shop.config)["stanza"]["backup"]}, "info looks: then folders() is not needed"
        seen = labels.kept(shop.config, now)
        assert set(before["backups"]) - set(seen["backups"]) == {newest}
        told = retention_rules.judge_pgbackrest({"settings": {}, "kept": seen}, validated(BackupRetention, {}))
        assert [one.params["names"] for one in told if one.code == "backup_retention.backups_lost"] == [newest]
        state = (shop.home / "backups" / labels.STATE).read_bytes()
        assert set(labels.accept(shop.config, now)["accepted"]) == {newest}
        assert newest not in labels.kept(shop.config, now)["known"]
        (shop.home / "backups" / labels.STATE).write_bytes(state)
    finally:
        (shop.home / "elsewhere").rename(folder)


def test_a_second_repository_gets_wal_and_no_backup_and_is_refused_by_name(shop: Archived) -> None:
    """Alone of its own: the segments that the server archives meanwhile go to both."""
    second = shop.home / "repo2"
    shop.own(second)
    shop.write("conf.d/second.conf", f"[global]\nrepo2-path={second}\nrepo2-cipher-type=aes-256-cbc\nrepo2-cipher-pass={PASSPHRASE}\n")
    try:
        pgbackrest.call(shop.config, "stanza-create")
        shop.server.sql("select pg_switch_wal()")
        pgbackrest.call(shop.config, "backup", "--type=incr")
        assert list(second.glob("archive/golive/*/*/*")), "WAL goes to both"
        assert list(second.glob("backup/golive/*F*")) == [], "backups do too: then this refusal is not needed"
        assert ("repositories_several", "repo2") in refused(shop)
    finally:
        (shop.home / "conf.d" / "second.conf").unlink()
        shutil.rmtree(second)


def test_the_live_data_directory_is_never_written_to(shop: Archived) -> None:
    home = shop.home / "again"
    shop.own(home)
    (home / "pg").mkdir()
    (home / "pg" / "something").touch()
    with pytest.raises(FileExistsError):
        pitr.fetch({"config": shop.config, "snapshot": pitr.stored(shop.config)["newest"]["snapshot"], "target": str(home)})
    shutil.rmtree(home)


def test_archiving_that_belongs_to_somebody_else_is_left_alone(shop: Archived) -> None:
    ours = shop.server.value("select setting from pg_settings where name = 'archive_command'")
    shop.server.sql("alter system set archive_command = 'wal-g wal-push %p'", "select pg_reload_conf()")
    try:
        wait_until(lambda: "wal-g" in shop.server.value("select setting from pg_settings where name = 'archive_command'"))
        with pytest.raises(pgbackrest.Failed, match="wal-g"):
            pitr.begin(shop.config)
    finally:
        shop.server.sql(f"alter system set archive_command = '{ours}'", "select pg_reload_conf()")


def test_a_library_that_archives_instead_is_seen_and_left_alone(shop: Archived) -> None:
    shop.server.sql("alter system set archive_library = 'basic_archive'", "select pg_reload_conf()")
    try:
        wait_until(lambda: shop.server.value("show archive_library") == "basic_archive")
        assert ("archive_library", "basic_archive") in refused(shop)
        with pytest.raises(pgbackrest.Failed, match="basic_archive"):
            pitr.begin(shop.config)
    finally:
        shop.server.sql("alter system reset archive_library", "select pg_reload_conf()")
        # A server makes a new archiver every ten seconds at the most, and two went with their libraries.
        shop.server.stop()
        shop.server.start()


def test_the_job_and_the_drill_ask_no_engine_what_it_is(shop: Archived) -> None:
    assert engines.of(shop.config).copy is physical.Physical
    assert engines.of({"config": shop.config}).fetch is pitr.fetch
    assert engines.of({}).copy is cage.Copy


def test_wal_that_the_server_takes_for_archived_and_nobody_has(shop: Archived) -> None:
    """What ``archive-push-queue-max`` makes of a queue that is too long, and no gap: nothing comes after it. Last of all, as it leaves a gap."""
    assert sight.look(shop.config)["dropped"] == ""
    shop.write("conf.d/queue.conf", "[global]\narchive-async=y\narchive-push-queue-max=1\n")
    try:
        before = shop.server.value("select last_archived_wal from pg_stat_archiver")
        shop.server.sql("select pg_logical_emit_message(true, 'x', 'dropped')", "select pg_switch_wal()")
        wait_until(lambda: shop.server.value("select last_archived_wal from pg_stat_archiver") != before)
        seen = sight.look(shop.config)
        assert (seen["gaps"], seen["dropped"]) == ([], seen["live"]["archiver"]["last_archived_wal"])
        assert ("wal_dropped", seen["dropped"]) in refused(shop)
    finally:
        (shop.home / "conf.d" / "queue.conf").unlink()
    # What was dropped is a gap for good, as soon as something comes after it; a full backup begins behind it.
    lost = seen["dropped"]
    shop.server.sql("select pg_logical_emit_message(true, 'x', 'kept')", "select pg_switch_wal()")
    wait_until(lambda: sight.look(shop.config)["dropped"] == "")
    assert sight.look(shop.config)["gaps"] == [lost]
