# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pgBackRest's, other people's and a provider's backups are judged, at the edges of every threshold; and how their lists are read. No server."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest
from backup_assertions import bad

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Completed
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_host, backup_report, engine_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_cron import BackupCron
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import PostgresBackup
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import missing_options
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files, pgbackrest, pitr, programs
from ansible_collections.resto.golive.plugins.plugin_utils import texts

Seen = dict[str, t.Any]
NOW = 1_800_000_000.0
HOUR = 3600.0
OPTIONS: Seen = {"engine": "pgbackrest", "directory": "/var/backups/golive", "rpo_minutes": None, "size_share_min": 0.5}


def backup(age_s: float = 600, **more: t.Any) -> Seen:
    return {"label": "20270115-080000F", "type": "full", "timestamp": {"start": NOW - age_s - 5, "stop": NOW - age_s}, "error": False, **more}


def stanza(**more: t.Any) -> Seen:
    repo = [{"key": 1, "cipher": "aes-256-cbc", "status": {"code": 0, "message": "ok"}}]
    return {"backup": [backup()], "archive": [{"id": "15-1"}], "db": [{"system-id": 1}], "repo": repo, "status": {"code": 0, "message": "ok"}, **more}


def live(**more: t.Any) -> Seen:
    settings = {"archive_mode": "on", "archive_command": "push", "archive_timeout": "60", **more.pop("settings", {})}
    return {
        "system_identifier": "1", "settings": settings, "waits_for_restart": False, "wanted": {"archive_command": "push"},
        "archiver": {"last_archived": NOW - 10, "last_failed": None, "last_failed_wal": None}, "ready": {"waiting": 0, "since": None}, **more,
    }  # fmt: skip


def place(*addresses: str) -> Seen:
    return {"names": ["db1"], "own": ["10.0.0.3", "127.0.0.1"], "addresses": list(addresses)}


AWAY: Seen = {"key": "1", "type": "s3", "s3-endpoint": "s3.example", "s3-bucket": "b", "path": "/p", "place": place("10.0.0.9")}


def seen(**more: t.Any) -> Seen:
    made = {"id": "x", "label": "20270115-080000F", "schema": files.SCHEMA, "broken_invariants": {}, "damage": []}
    return {
        "engine": "pgbackrest", "installed": True, "now": NOW, "version": "2.45", "outdated": [], "secrets_current": True, "access_missing": [],
        "mode": "0o700",
        "period_s": HOUR, "history": [], "running_s": None, "unknown_options": {}, "live": live(), "stanza": stanza(), "gaps": [], "dropped": "",
        "manifest": made,
        "repositories": [AWAY], **more,
    }  # fmt: skip


MIXED = {"code": 4, "message": "different across repos"}
GARBLED: Seen = {"key": 1, "status": {"message": "key/value found outside of section at line 1"}}


def test_what_is_right_passes_and_says_what_was_seen() -> None:
    told = engine_rules.judge_pgbackrest(seen(), OPTIONS)
    assert bad(told) == set()
    assert {one.code.partition(".")[2] for one in told} == {"archiving", "base_fresh", "wal_whole", "encrypted_elsewhere"}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"refused": "other", "why": "x", "repositories": [{"key": "2", "type": "s3"}]}, {("fail", "pgbackrest_refused"), ("fail", "repositories_several")}),
        ({"installed": False}, {("fail", "none")}),
        ({"outdated": ["pitr.py"]}, {("fail", "program_differs")}),
        ({"secrets_current": False}, {("fail", "password_differs")}),
        ({"access_missing": ["grant"]}, {("fail", "access_missing")}),
        ({"mode": "0o755"}, {("fail", "readable_by_others")}),
        ({"unknown_options": {"repo1-sftp-host": "2.46", "foo": ""}}, {("fail", "option_unknown")}),
        ({"live": {"refused": "no server"}}, {("fail", "live_refused")}),
        ({"live": live(settings={"archive_mode": "off"})}, {("fail", "archive_off")}),
        ({"live": live(settings={"archive_mode": "off"}, waits_for_restart=True)}, {("fail", "archive_waits")}),
        ({"live": live(settings={"archive_command": ""})}, {("fail", "archive_other")}),
        ({"live": live(settings={"archive_timeout": "0"})}, {("fail", "archive_timeout_long")}),
        ({"live": live(settings={"archive_timeout": "900"})}, set()),
        ({"live": live(settings={"archive_timeout": "901"})}, {("fail", "archive_timeout_long")}),
        ({"live": live(archiver={"last_archived": None, "last_failed": None, "last_failed_wal": None})}, {("fail", "archive_failing")}),
        ({"live": live(archiver={"last_archived": NOW - 10, "last_failed": NOW - 5, "last_failed_wal": "0A"})}, {("fail", "archive_failing")}),
        ({"live": live(archiver={"last_archived": NOW - 5, "last_failed": NOW - 10, "last_failed_wal": "0A"})}, set()),
        ({"live": live(ready={"waiting": 3, "since": NOW - 900})}, set()),
        ({"live": live(ready={"waiting": 3, "since": NOW - 901})}, {("fail", "archive_behind")}),
        ({"live": live(system_identifier="2")}, {("fail", "other_cluster")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "verify", "why": "y"}]}, {("fail", "repository_damaged")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "manifest", "why": "y"}]}, {("fail", "last_failed")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "quiet", "why": "y"}]}, {("fail", "never_quiet")}),
        ({"history": [{"ok": False, "started_at": "x"}]}, {("fail", "last_failed")}),
        ({"running_s": HOUR}, set()),
        ({"running_s": HOUR + 1}, {("fail", "running_too_long")}),
        ({"refused": "unreachable", "why": "x"}, {("fail", "offsite_unreachable")}),
        ({"refused": "nobody knows", "why": "x"}, {("fail", "pgbackrest_refused")}),
        ({"stanza": stanza(backup=[], status={"code": 1, "message": "missing stanza path"})}, {("fail", "stanza_missing")}),
        ({"stanza": stanza(backup=[], status={"code": 2, "message": "no valid backups"})}, {("fail", "repository_empty")}),
        ({"stanza": stanza(backup=[], status={"code": 0, "message": "ok"})}, {("fail", "repository_empty")}),
        ({"stanza": stanza(status=MIXED)}, {("fail", "pgbackrest_refused")}),
        ({"stanza": stanza(repo=[GARBLED], status={"code": 99, "message": "other"})}, {("fail", "passphrase_other")}),
        ({"stanza": stanza(repo=[{"key": 1, "cipher": "none"}])}, {("fail", "not_encrypted")}),
        ({"stanza": stanza(backup=[backup(error=True)])}, {("fail", "page_errors")}),
        ({"stanza": stanza(backup=[backup(HOUR * 1.2)])}, set()),
        ({"stanza": stanza(backup=[backup(HOUR * 1.2 + 1)])}, {("warn", "base_old")}),
        ({"stanza": stanza(backup=[backup(HOUR * 2 + 1)])}, {("fail", "base_old")}),
        ({"stanza": stanza(backup=[backup(HOUR * 2 + 1), backup(60)])}, set()),
        ({"stanza": stanza(backup=[backup(-121)])}, {("fail", "future")}),
        ({"gaps": ["0A", "0B"]}, {("fail", "wal_missing")}),
        ({"dropped": "0C"}, {("fail", "wal_dropped")}),
        ({"gaps": ["0A"], "dropped": "0C"}, {("fail", "wal_missing"), ("fail", "wal_dropped")}),
        ({"live": live(settings={"archive_library": ""})}, set()),
        ({"live": live(settings={"archive_library": "basic_archive"})}, {("fail", "archive_library")}),
        ({"live": live(settings={"archive_library": "basic_archive", "archive_command": ""})}, {("fail", "archive_other")}),
        ({"gaps_refused": "x"}, {("error", "gaps_unseen")}),
        ({"manifest": None}, {("fail", "manifest_missing")}),
        ({"manifest": {"id": "x", "broken": "seal"}}, {("fail", "manifest_broken")}),
        ({"manifest": {**seen()["manifest"], "schema": files.SCHEMA - 1}}, {("fail", "manifest_older")}),
        ({"repositories": [{"key": "1", "type": "posix", "path": "/var/lib/pgbackrest", "place": place()}]}, {("fail", "same_host")}),
        ({"repositories": [{"key": "1", "type": "posix", "host": "localhost", "place": place()}]}, {("fail", "same_host")}),
        ({"repositories": [{"key": "1", "type": "posix", "host": "ops1", "place": place("10.0.0.5")}]}, set()),
        ({"repositories": [{"key": "1", "type": "s3", "s3-endpoint": "127.0.0.1", "place": place("127.0.0.1")}]}, {("fail", "same_host")}),
        ({"repositories": [{"key": "1", "type": "s3", "s3-endpoint": "store.example", "place": place("10.0.0.3")}]}, {("fail", "same_host")}),
        ({"repositories": [{"key": "1", "type": "s3", "s3-endpoint": "store.example", "place": place()}]}, {("error", "place_unseen")}),
        ({"repositories": [{"key": "1", "type": "sftp", "sftp-host": "db1", "place": place("10.0.0.3")}]}, {("fail", "same_host")}),
        ({"repositories": [{"key": "1", "type": "sftp", "sftp-host": "ops1", "place": place("10.0.0.5")}]}, set()),
        ({"repositories": [{"key": "1", "type": "gcs", "gcs-bucket": "b", "place": place()}]}, set()),
        ({"repositories": [{"key": "1", "type": "cifs", "path": "/mnt", "place": place()}]}, {("error", "place_unseen")}),
        ({"repositories": [{**AWAY, "key": "1"}, {**AWAY, "key": "2"}]}, {("fail", "repositories_several")}),
        ({"repositories": [{**AWAY, "key": "10"}]}, {("fail", "repositories_several")}),
        ({"repositories": [{"key": "2"}], "stanza": stanza(status=MIXED)}, {("fail", "pgbackrest_refused"), ("fail", "repositories_several")}),
        ({"stanza": stanza(repo=[*stanza()["repo"], {"key": 2, "cipher": "aes-256-cbc"}])}, {("fail", "repositories_several")}),
    ],
)  # fmt: skip
def test_every_fault_has_its_name(more: Seen, wanted: set[tuple[str, str]]) -> None:
    assert bad(engine_rules.judge_pgbackrest(seen(**more), OPTIONS)) == wanted


REPORTED: Seen = {"id": "b1", "at": NOW - 600, "bytes": 100, "encrypted": True, "place": "eu-west-1"}
FIVE = [{**REPORTED, "at": NOW - 600 - number * HOUR} for number in range(5)]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, set()),
        ({"at": NOW - 72 * 60}, set()),
        ({"at": NOW - 72 * 60 - 1}, {("warn", "late")}),
        ({"at": NOW - 7201}, {("fail", "too_old")}),
        ({"at": NOW + 121}, {("fail", "future")}),
        ({"bytes": 50}, set()),
        ({"bytes": 49}, {("fail", "shrunk")}),
        ({"bytes": 201}, {("warn", "grown")}),
        ({"bytes": 0}, {("fail", "report_hollow")}),
        ({"encrypted": False}, {("fail", "report_plain")}),
        ({"encrypted": "yes, of course"}, {("fail", "report_plain")}),
        ({"place": ""}, {("fail", "no_second_place")}),
    ],
)
@pytest.mark.parametrize("engine", ["external", "managed"])
def test_somebody_elses_backups(engine: str, change: Seen, wanted: set[tuple[str, str]]) -> None:
    looked = {"engine": engine, "now": NOW, "backups": [{**REPORTED, **change}, *FIVE[1:]]}
    assert bad(PostgresBackup().judge(looked, {**OPTIONS, "engine": engine})) == wanted


def test_what_a_list_does_not_say_is_not_known() -> None:
    bare = [{"id": "b", "at": NOW - 600}]
    told = engine_rules.judge_reported({"now": NOW, "backups": bare}, {**OPTIONS, "engine": "managed"})
    assert [one.params["key"] for one in told if one.status == "error"] == ["bytes", "encrypted", "place"]
    assert bad(engine_rules.judge_reported({"now": NOW, "backups": []}, OPTIONS)) == {("fail", "report_empty")}


@pytest.mark.parametrize(
    ("moments", "wanted"),
    [([NOW, NOW - 4320], {("error", "reported_few")}), ([NOW, NOW - 4320, NOW - 8640], set()), ([NOW, NOW - 4321, NOW - 8640], {("fail", "reported_gap")})],
)
def test_somebody_elses_schedule_by_what_came_of_it(moments: list[float], wanted: set[tuple[str, str]]) -> None:
    assert bad(BackupCron().judge({"moments": moments}, {"engine": "external", "rpo_minutes": None})) == wanted


def reading(printed: str, report: Seen) -> list[Seen]:
    context = RunContext({}, {}, "", 10)
    asked: list[list[str]] = []

    def run(argv: list[str], **more: t.Any) -> Completed:
        asked.append(argv)
        return Completed(0, printed, "")

    context.run = run  # type: ignore[method-assign, assignment]
    found = backup_report.read(context, {"command": ["list-backups"], "as": "backup", **report})
    assert asked == [["runuser", "-u", "backup", "--", "list-backups"]]
    return found


def test_a_list_is_read_as_it_is_declared() -> None:
    printed = json.dumps({"DBSnapshots": [{"n": "old", "t": "2027-01-15T07:00:00Z"}, {"n": "new", "t": "2027-01-15T09:00:00+01:00", "Encrypted": True}]})
    declared = {"list": "/DBSnapshots", "id": "/n", "at": "/t"}
    assert [one["id"] for one in reading(printed, declared)] == ["new", "old"]
    assert reading(printed, declared)[0]["at"] == NOW
    assert reading(json.dumps([{"id": 7, "at": NOW, "s": 5}]), {"bytes": "/s"}) == [{"id": "7", "at": NOW, "bytes": 5}]


@pytest.mark.parametrize(
    ("printed", "report", "code"),
    [
        ("no json", {}, "report_odd"),
        ("{}", {}, "report_odd"),
        ('[{"id": "x"}]', {}, "report_odd"),
        ('[{"id": "x", "at": "2027-01-15T07:00:00"}]', {}, "report_odd"),
        ('[{"id": "x", "at": true}]', {}, "report_odd"),
        ('[{"id": "x", "at": "yesterday"}]', {}, "report_odd"),
        ('[{"id": "x", "at": 1}]', {"encrypted": "/nowhere"}, "report_odd"),
    ],
)
def test_a_list_that_makes_no_sense(printed: str, report: Seen, code: str) -> None:
    with pytest.raises(CannotKnow) as caught:
        reading(printed, report)
    assert caught.value.code == f"postgres_backup.{code}"
    assert "‹" not in texts.render(caught.value.code, caught.value.params)["en"]


@pytest.mark.parametrize("report", [{}, {"command": ["x"], "http": "GET https://x"}])
def test_a_list_comes_from_one_place(report: Seen) -> None:
    with pytest.raises(CannotKnow, match="report_undeclared"):
        backup_report.read(RunContext({}, {}, "", 10), report)


def test_what_must_be_declared_depends_on_the_engine() -> None:
    assert missing_options(PostgresBackup, {}) == ["repository", "repository_password"]
    assert missing_options(PostgresBackup, {"engine": "pgbackrest", "repository": "s3:x", "repository_password": "a#b"}) == []
    assert missing_options(PostgresBackup, {"engine": "managed"}) == ["report"]
    assert missing_options(PostgresBackup, {"engine": "external", "report": {"command": ["x"]}}) == []


def test_pgbackrests_secrets_stand_in_a_file_of_their_own() -> None:
    config = {"pgbackrest": {"include": "/etc/golive/pgbackrest.d"}}
    found = backup_host.secret_files(config, {"repository_password": "p", "access_key": "k", "secret_key": "s"})
    assert {str(path): text for path, text in found.items()} == {
        "/etc/golive/pgbackrest.d/secrets.conf": "[global]\nrepo1-cipher-pass=p\nrepo1-s3-key=k\nrepo1-s3-key-secret=s\n"
    }


def test_a_password_for_tcp_stands_in_libpqs_own_file() -> None:
    connection = {"host": "10.0.0.3", "port": 5432, "user": "golive_backup", "passfile": "/etc/golive/backup.pgpass"}
    assert backup_host.secret_files({"connection": connection}, {"password": "a:b\\c"}) == {
        pathlib.Path("/etc/golive/backup.pgpass"): "10.0.0.3:5432:*:golive_backup:a\\:b\\\\c\n"
    }
    assert backup_host.secret_files({"connection": connection}, {}) == {}
    assert backup_host.secret_files({"connection": {**connection, "passfile": None}}, {"password": "x"}) == {}


WEEK = {"periods": {"full": 7 * 86400, "incr": 3600}}


@pytest.mark.parametrize(
    ("backups", "wanted"),
    [
        ([], "full"),
        ([("full", 6.9 * 86400)], "incr"),
        ([("full", 7 * 86400 - 1800)], "incr"),
        ([("full", 7 * 86400 - 1799)], "full"),
        ([("full", 8 * 86400), ("incr", 10)], "full"),
        ([("full", 60), ("incr", 50)], "incr"),
    ],
)
def test_which_backup_is_due(backups: list[tuple[str, float]], wanted: str) -> None:
    made = [{"type": kind, "timestamp": {"start": NOW - age}} for kind, age in backups]
    assert pitr.due(WEEK, made, NOW) == wanted


def test_a_full_backup_with_errors_does_not_count() -> None:
    assert pitr.due(WEEK, [{"type": "full", "timestamp": {"start": NOW - 60}, "error": True}], NOW) == "full"


SEGMENT = 1 << 24


@pytest.mark.parametrize(
    ("have", "wanted"),
    [
        (["0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"], []),
        (["0000000100000000000000FE", "000000010000000100000000"], ["0000000100000000000000FF"]),
        (["0000000100000000000000FD", "0000000100000000000000FF"], ["0000000100000000000000FE"]),
        ([], ["0000000100000000000000FE"]),
        (["0000000100000000000000FE", "0000000200000000000000FF", "00000002.history"], []),
        (["0000000100000000000000FE", "0000000200000000000000FF", "000000020000000100000001"], ["000000020000000100000000"]),
    ],
)
def test_gaps_in_the_wal(have: list[str], wanted: list[str]) -> None:
    assert pgbackrest.gaps(have, "0000000100000000000000FE", SEGMENT) == wanted


def test_segments_of_another_size_are_counted_right() -> None:
    assert pgbackrest.named("00000001", pgbackrest.number("000000010000000200000003", 1 << 26), 1 << 26) == "000000010000000200000003"


WARNED = "P00   WARN: configuration file contains invalid option 'repo1-tomorrow'\n            HINT: look it up\n"


@pytest.mark.parametrize(("out", "complaints"), [("", WARNED), (WARNED, "")], ids=["2.45", "2.55"])
def test_it_complains_on_either_output_and_its_answer_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch, out: str, complaints: str) -> None:
    answer = json.dumps([{"name": "golive", "status": {"code": 0, "message": "ok"}}])
    monkeypatch.setattr(programs, "ended", lambda *_argv, **_more: subprocess.CompletedProcess([], 0, out + answer, complaints))
    stanza, unknown = pgbackrest.info({"pgbackrest": {"config": "/c", "include": "/i", "stanza": "golive"}})
    assert (stanza["status"]["message"], unknown) == ("ok", ["repo1-tomorrow"])


def test_an_option_and_the_version_it_needs() -> None:
    assert pgbackrest.unknown_options("WARN: configuration file contains invalid option 'repo2-sftp-host'\nWARN: x") == ["repo2-sftp-host"]
    assert (pgbackrest.since("repo2-sftp-host"), pgbackrest.since("foo")) == ("2.46", "")
