# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole drill with the other engines, from the check's door to its judgement: nothing is left behind, and every fault ends in its own words."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import shutil
import sys
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, backup_host, backup_retention, migration_rehearsal, restore_drill
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.migration_rehearsal import MigrationRehearsal
from ansible_collections.resto.golive.plugins.module_utils._options import validated
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, files, pgbackrest, physical, pitr
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.programs import Failed
from ansible_collections.resto.golive.plugins.plugin_utils import texts

from .pgbackrest_server import INVARIANTS, Archived, backed_up
from .postgres_server import USER, wait_until
from .uncaged import Uncaged

Options = dict[str, t.Any]
OPTIONS: Options = {"rto_minutes": 30.0, "rpo_minutes": 15.0, "settings": "tuned", "jobs": 2, "invariants": INVARIANTS}

#: What a team's own restore command does: the id names a file, the target is where it goes.
RESTORE = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2]); shutil.copy(sys.argv[3], sys.argv[2])"


@pytest.fixture(scope="module")
def shop() -> t.Iterator[Archived]:
    with backed_up() as made:
        yield made


@pytest.fixture(autouse=True)
def here(shop: Archived, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's file, and everybody's user, are this test's own."""
    me = USER or pwd.getpwuid(os.geteuid()).pw_name
    written = tmp_path / "backup.json"
    written.write_text(json.dumps(shop.config))
    for where in (restore_drill, backup_host, migration_rehearsal, backup_retention):
        monkeypatch.setattr(where, "CONFIG", written)
    monkeypatch.setattr(backup_host, "USERS", {"pgbackrest": me})
    monkeypatch.setattr(_caged, "USER", me)


def drill(shop: Archived, **more: t.Any) -> tuple[dict[str, t.Any], list[Assertion]]:
    options = {**OPTIONS, "scratch": str(shop.home / "scratch"), **more}
    check = restore_drill.RestoreDrill()
    seen = check.observe(Uncaged(options, {}, "", 300))
    told = check.judge({**seen, "walls": {"none of systemd's": False}}, options)
    for one in told:
        text = texts.render(one.code, one.params)
        assert "‹" not in text["es"] + text["en"], one.code
    assert [path.name for path in (shop.home / "scratch").iterdir() if _caged.NAME.match(path.name)] == []
    return seen, told


def test_a_physical_backup_is_rehearsed(shop: Archived) -> None:
    seen, told = drill(shop, engine="pgbackrest")
    assert {one.status for one in told} == {"pass"}, told
    assert "restore_drill.proven" in {one.code for one in told}
    assert seen["steps"][0]["argv"][0] == "pgbackrest"
    assert "fetch" in seen["phases"]
    assert seen["missing"] == 0


def test_a_segment_that_is_gone_fails_the_drill(shop: Archived) -> None:
    path = max((shop.home / "repo" / "archive").rglob("0000*-*.zst"))
    earlier = sorted((shop.home / "repo" / "archive").rglob("0000*-*.zst"))[-2]
    assert path != earlier
    kept = earlier.read_bytes()
    earlier.unlink()
    try:
        _seen, told = drill(shop, engine="pgbackrest")
    finally:
        earlier.write_bytes(kept)
        os.chown(earlier, path.stat().st_uid, path.stat().st_gid)
    assert [(one.status, one.code) for one in told] == [("fail", "restore_drill.wal_missing")]


CARRIED = [
    {"id": "1", "after": [], "up": "create table t (id int)", "down": "drop table t"},
    {"id": "2", "after": ["1"], "up": "alter table orders add tip int", "down": "alter table orders drop tip"},
]


def rehearsed(shop: Archived, engine: str) -> tuple[dict[str, t.Any], list[Assertion]]:
    given = {"files": {"tool": "alembic", "migrations": CARRIED}, "engine": engine, "scratch": str(shop.home / "scratch")}
    check, options = MigrationRehearsal(), validated(MigrationRehearsal, given)
    seen = check.observe(Uncaged(options, {}, "", 300))
    assert [path.name for path in (shop.home / "scratch").iterdir() if _caged.NAME.match(path.name)] == []
    return seen, check.judge(seen, options)


def test_migrations_are_rehearsed_on_a_physical_backup_as_of_the_last_commit(shop: Archived) -> None:
    shop.server.sql("create table alembic_version (version_num varchar(32))", "insert into alembic_version values ('1')", database="shop")
    shop.server.sql("select pg_switch_wal()")
    wait_until(lambda: shop.server.value("select count(*) from pg_ls_archive_statusdir() where name like '%.ready'") == 0)
    before = shop.server.value("select archived_count + failed_count from pg_stat_archiver")
    seen, told = rehearsed(shop, "pgbackrest")
    assert [(step["id"], step["pending"]) for step in seen["steps"]] == [("2", True)], "it was recovered to the backup, and not to the last commit"
    assert {one.status for one in told} == {"pass"}, told
    assert shop.server.value("select count(*) from information_schema.columns where column_name = 'tip'", "shop") == 0
    assert shop.server.value("select archived_count + failed_count from pg_stat_archiver") == before, "the copy archived"


@pytest.mark.parametrize("engine", ["external", "managed"])
def test_migrations_are_not_rehearsed_on_somebody_elses_backups_and_that_is_said(shop: Archived, engine: str) -> None:
    with pytest.raises(CannotKnow) as caught:
        rehearsed(shop, engine)
    assert caught.value.code == "migration_rehearsal.not_ours"
    assert engine in texts.render(caught.value.code, caught.value.params)["en"]


def test_a_rehearsal_on_wal_that_is_gone_says_what_is_missing(shop: Archived) -> None:
    start = next(one for one in pgbackrest.info(shop.config)[0]["backup"])["archive"]["start"]
    path = next((shop.home / "repo" / "archive").rglob(f"{start}-*"))
    path.rename(shop.home / "elsewhere")
    try:
        with pytest.raises(CannotKnow) as caught:
            rehearsed(shop, "pgbackrest")
    finally:
        (shop.home / "elsewhere").rename(path)
    assert (caught.value.code, caught.value.params["why"]) == ("migration_rehearsal.not_tried", f"wal_missing {start}")


def test_what_is_kept_is_asked_of_the_job_and_not_of_its_settings(shop: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_retention, "PGBACKREST_CONFIG", str(shop.home / "pgbackrest.conf"))
    check, options = backup_retention.BackupRetention(), validated(backup_retention.BackupRetention, {"engine": "pgbackrest"})
    told = check.judge(check.observe(Uncaged(options, {}, "", 90)), options)
    assert {one.status for one in told} == {"pass"}, told
    assert {one.code.partition(".")[2] for one in told} == {"setting_keeps", "copies_there", "covered", "policy_young"}
    with pytest.raises(CannotKnow, match="no_job"):
        check.observe(Uncaged({**options, "engine": "dump"}, {}, "", 90))
    with shop.passphrase("another"), pytest.raises(CannotKnow) as caught:
        check.observe(Uncaged(options, {}, "", 90))
    assert (caught.value.code, caught.value.params["phase"]) == ("backup_retention.plan_failed", "password")


def test_a_wrong_passphrase_has_one_name_whatever_it_makes_of_a_file(shop: Archived) -> None:
    """Random bytes are no lines of a file, or, once in 256 files, have no end: files whose end is cut off stand for the rarer one."""
    infos = [shop.home / "repo" / kind / "golive" / f"{kind}.info{copy}" for kind in ("backup", "archive") for copy in ("", ".copy")]
    whole = {path: path.read_bytes() for path in infos}
    with shop.passphrase("another"):
        for cut in (0, 16):
            for path, raw in whole.items():
                path.write_bytes(raw[: len(raw) - cut])
            try:
                stanza, _unknown = pgbackrest.info(shop.config)
                assert pgbackrest.state(stanza)[0] == "password", (cut, stanza)
                with pytest.raises(pgbackrest.Refused) as caught:
                    pgbackrest.call(shop.config, "backup", "--type=full")
                assert caught.value.name == "password", (cut, caught.value.args)
                with pytest.raises(Failed, match="proved nothing"):
                    pgbackrest.verify(shop.config)
            finally:
                for path, raw in whole.items():
                    path.write_bytes(raw)


BROKEN = {"cut short": '{"id": "x", ', "no manifest at all": "[1, 2]", "changed": '{"id": "x", "seal": "y"}', "gone": None}


@pytest.mark.parametrize("how", BROKEN)
def test_a_manifest_that_is_broken_has_its_name_and_no_older_one_is_taken_for_it(shop: Archived, how: str) -> None:
    older = shop.home / "backups" / files.listed(shop.home / "backups")[0]
    newest = older.with_name(f"2099{older.name[4:]}")
    shutil.copytree(older, newest)
    text = BROKEN[how]
    (newest / files.MANIFEST).unlink() if text is None else (newest / files.MANIFEST).write_text(text)
    try:
        _seen, told = drill(shop, engine="pgbackrest")
        assert [(one.status, one.code, one.params["id"]) for one in told] == [("fail", "restore_drill.manifest_broken", newest.name)]
        with pytest.raises(CannotKnow) as caught:
            rehearsed(shop, "pgbackrest")
        assert (caught.value.code, caught.value.params["why"]) == ("migration_rehearsal.not_tried", "manifest_broken manifest.json")
        assert pitr.fetch({"config": shop.config, "snapshot": newest.name, "target": str(shop.home / "t")})["told"][0]["code"] == "manifest_broken"
        with pytest.raises(cage.Wrong, match="manifest_"):
            physical.Physical({"home": str(shop.home), "backup": str(newest)})._check_files()
    finally:
        shutil.rmtree(newest)


def test_the_newest_backup_that_is_no_longer_listed_is_missed(shop: Archived) -> None:
    older = shop.home / "backups" / files.listed(shop.home / "backups")[0]
    newest = older.with_name(f"2099{older.name[4:]}")
    shutil.copytree(older, newest)
    body = {key: value for key, value in files.read_manifest(newest).items() if key != "seal"} | {"label": "20990101-000000F"}
    (newest / files.MANIFEST).write_text(json.dumps({**body, "seal": files.seal(body)}))
    try:
        for tried in (lambda: drill(shop, engine="pgbackrest"), lambda: rehearsed(shop, "pgbackrest")):
            with pytest.raises(CannotKnow) as caught:
                tried()
            assert (caught.value.code, caught.value.params["id"]) == ("restore_drill.stored_unlisted", "20990101-000000F")
    finally:
        shutil.rmtree(newest)


def theirs(shop: Archived, tmp_path: pathlib.Path, age_s: float = 60) -> Options:
    """Options of a team with backups of its own: a list, a dump, and a command that brings it."""
    where = ["-h", shop.server.sockets, "-U", "postgres"]
    shop.server.run("pg_dump", *where, "-Fc", f"--file={shop.home / 'own.dump'}", "shop")
    shop.server.run("pg_dumpall", *where, "--globals-only", f"--file={shop.home / 'globals.sql'}")
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([{"id": str(shop.home / "own.dump"), "at": time.time() - age_s, "bytes": 1000}]))
    show = [sys.executable, "-c", f"print(open({str(listed)!r}).read())"]
    return {
        "engine": "external",
        "report": {"command": show, "as": "root", "bytes": "/bytes"},
        "command": [sys.executable, "-c", RESTORE, "{id}", "{target}", str(shop.home / "globals.sql")],
        "command_as": USER or pwd.getpwuid(os.geteuid()).pw_name,
    }


def test_somebody_elses_backup_is_rehearsed(shop: Archived, tmp_path: pathlib.Path) -> None:
    seen, told = drill(shop, **theirs(shop, tmp_path))
    assert {one.status for one in told} == {"pass"}, told
    assert {"restore_drill.came_back", "restore_drill.rpo_met"} <= {one.code for one in told}
    assert seen["answers"] == {"orders": [["100"]]}


def test_without_a_question_nobody_knows_what_came_back(shop: Archived, tmp_path: pathlib.Path) -> None:
    _seen, told = drill(shop, **theirs(shop, tmp_path), invariants={})
    assert ("error", "restore_drill.no_questions") in {(one.status, one.code) for one in told}


def test_an_old_backup_of_somebody_elses(shop: Archived, tmp_path: pathlib.Path) -> None:
    _seen, told = drill(shop, **theirs(shop, tmp_path, age_s=7200))
    assert {one.code for one in told if one.status == "fail"} == {"restore_drill.rpo_missed"}


def test_a_restore_command_that_fails_or_brings_nothing(shop: Archived, tmp_path: pathlib.Path) -> None:
    options = theirs(shop, tmp_path)
    with pytest.raises(CannotKnow) as caught:
        drill(shop, **{**options, "command": [sys.executable, "-c", "raise SystemExit('no such bucket')"]})
    assert caught.value.code == "restore_drill.fetch_failed"
    assert "no such bucket" in caught.value.params["why"]
    _seen, told = drill(shop, **{**options, "command": [sys.executable, "-c", "pass"]})
    assert [(one.status, one.code) for one in told] == [("fail", "restore_drill.not_restored")]


def test_a_user_that_does_not_exist(shop: Archived, tmp_path: pathlib.Path) -> None:
    with pytest.raises(CannotKnow) as caught:
        drill(shop, **{**theirs(shop, tmp_path), "command_as": "nobody-of-this-name"})
    assert caught.value.code == "common.user_missing"


def test_a_job_of_another_engine_is_no_job(shop: Archived) -> None:
    with pytest.raises(CannotKnow) as caught:
        drill(shop, engine="dump")
    assert caught.value.code == "restore_drill.no_backups"
