# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook follows the last drill that passed, command by command, says what differs, and never looks ready where none did."""

from __future__ import annotations

import re
import shlex
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.report import runbook
from ansible_collections.resto.golive.plugins.plugin_utils.report.runbook import WORDS, steps_of

Report = dict[str, t.Any]


def commands(text: str) -> list[str]:
    """Return every line of every block."""
    return [line for block in re.findall(r"```sh\n(.*?)\n```", text, re.S) for line in block.split("\n")]


def good(report: Report) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", next(drill for drill in report["restores"] if drill["steps"]))


def test_every_command_of_the_drill_stands_there_as_it_ran(report: Report) -> None:
    told = commands(runbook.english(report))
    for step in good(report)["steps"]:
        assert shlex.join(step["argv"]) in told


def test_nothing_of_the_cage_is_in_what_is_typed_for_real(report: Report) -> None:
    ran = {shlex.join(step["argv"]) for step in good(report)["steps"]}
    for command in set(commands(runbook.english(report))) - ran:
        for word in ("drill-", "/work/s", "--auth=trust", "--no-sync", "fsync=off", "/bin/false"):
            assert word not in command


@pytest.mark.parametrize(
    "wanted",
    [
        "runuser -u golive_backup -- restic --repo sftp:golive_backup@ops1:/srv/backup/db1 --password-file /etc/golive/backup.password"
        " restore --no-lock SNAPSHOT --target /var/lib/golive/restore --verify",
        "pg_createcluster 15 main --port=5432 --lc-collate=C.UTF-8 --lc-ctype=C.UTF-8 --encoding=UTF8 -- --data-checksums",
        "runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_restore --exit-on-error --create --no-tablespaces --jobs=2 --dbname=postgres"
        " /var/lib/golive/restore/dump",
        "runuser -u postgres -- /usr/lib/postgresql/15/bin/vacuumdb --analyze-only --jobs=2 --dbname comanda",
        "runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_amcheck --install-missing --heapallindexed --jobs=2 --database comanda",
    ],
)
def test_the_real_thing(report: Report, wanted: str) -> None:
    assert wanted in commands(runbook.spanish(report))


def test_an_object_store_is_opened_with_its_keys_before_anything_is_fetched(report: Report) -> None:
    opened = "set -a; . /etc/golive/backup.environment; set +a"
    assert opened not in commands(runbook.english(report))
    for step in good(report)["steps"]:
        step["argv"] = ["s3:https://store.test/shop/db1" if word.startswith("sftp:") else word for word in step["argv"]]
    told = commands(runbook.english(report))
    assert told[told.index(opened) + 2].startswith("runuser -u golive_backup -- restic --repo s3:https://store.test/shop/db1 ")
    assert "/etc/golive/backup.password + /etc/golive/backup.environment" in runbook.english(report).replace("\\", "")


def test_its_steps_stand_in_order_with_their_times(report: Report) -> None:
    text = runbook.spanish(report)
    headings = re.findall(r"^## \d+\. (.+)$", text, re.M)
    assert headings == [step["title"]["es"] for step in steps_of("dump")]
    assert "En el simulacro (1 min 1 s):" in text, "the restore"
    assert "| **Todo** | **1 min 32 s** |" in text


def test_a_failure_since_then_is_said_on_top(report: Report) -> None:
    text = runbook.english(report)
    assert text.index("ATTENTION: the last drill (2026-11-24 09:47 UTC) did NOT pass") < text.index("## How long it takes")
    report["restores"].pop()
    report["items"] = [item | {"state": "pass"} if item["id"] == runbook.ITEM else item for item in report["items"]]
    assert "ATTENTION" not in runbook.english(report)


def test_evidence_that_no_longer_holds_is_said_on_top(report: Report) -> None:
    report["restores"].pop()
    assert "ATTENTION: the box «Restore tested" in runbook.english(report)


@pytest.mark.parametrize("language", ["es", "en"])
def test_it_does_not_look_ready_where_no_drill_passed(report: Report, language: str) -> None:
    write = {"es": runbook.spanish, "en": runbook.english}[language]
    report["restores"] = [drill for drill in report["restores"] if drill["status"] != "pass"]
    failed = write(report)
    del report["restores"]
    never = write(report)
    for text, host in ((failed, "db1"), (never, WORDS["nowhere"][language])):
        assert text.split("\n")[2] == f"> **{WORDS['not_ready'][language].format(host=host)}**"
        assert commands(text) == ["ansible-playbook resto.golive.restore_drill -i staging"]
        assert "PROVEN" not in text
        assert "PROBADO" not in text
    assert ("1 842" if language == "es" else "1,842") in failed, "why the last one did not pass"


def test_a_step_that_it_does_not_know_is_not_kept_quiet(report: Report) -> None:
    good(report)["steps"].append({"phase": "replay", "argv": ["pg_replay", "--all"], "seconds": 3.0})
    text = runbook.english(report)
    assert "pg_replay --all" in commands(text)
    assert WORDS["unknown"]["en"] in text


def test_each_host_has_its_own(report: Report) -> None:
    report["restores"] += [{**drill, "host": "db2", "steps": []} for drill in report["restores"] if drill["status"] != "pass"]
    text = runbook.english(report)
    assert text.index("## db1") < text.index("PROVEN") < text.index("## db2") < text.index("NOT READY: no restore drill has passed on db2.")


def test_no_secret_of_a_drill_stands_in_it(report: Report) -> None:
    """The repository's password is a file's name; nothing else that is asked for is in the commands."""
    assert all("PGPASSWORD" not in line and "--password " not in line for line in commands(runbook.english(report)))


CAGE = "/var/lib/golive/drill-0123456789ab/backup"
ASKED = ["pgbackrest", "--config=/etc/golive/pgbackrest.conf", "--config-include-path=/etc/golive/pgbackrest.d", "--stanza=main", "--log-level-console=off"]
AT = ["--host", "/var/lib/golive/drill-0123456789ab/work/s", "--port", "5432", "--username", "postgres"]


def of_files(report: Report) -> Report:
    """The report of a drill of pgBackRest's backups, with the commands that such a drill runs."""
    apart = [f"--pg1-path={CAGE}/pg", f"--tablespace-map-all={CAGE}/ts", f"--lock-path={CAGE}/lock", "--log-level-file=off", "--set=20261124-0F"]
    ran = [
        ("fetch", [*ASKED, *apart, "--archive-mode=off", "--job-retry=1", "restore"]),
        ("check", ["pg_controldata", "-D", f"{CAGE}/pg"]),
        ("start", ["postgres", "-D", f"{CAGE}/pg", "-c", "archive_command=/bin/false", "-c", "fsync=off"]),
        ("verify", ["pg_dump", "--schema-only", *AT, "--dbname", "comanda"]),
        ("start", ["postgres", "-D", f"{CAGE}/pg", "-c", "archive_command=/bin/false", "-c", "fsync=off"]),
        ("analyze", ["vacuumdb", "--analyze-only", "--jobs=2", *AT, "--dbname", "comanda"]),
        ("verify", ["pg_amcheck", "--install-missing", "--heapallindexed", "--jobs=2", *AT, "--database", "comanda"]),
        ("stop", ["pg_ctl", "--pgdata", f"{CAGE}/pg", "--mode=fast", "--wait", "stop"]),
        ("structure", ["pg_checksums", "--check", "--pgdata", f"{CAGE}/pg"]),
    ]
    good(report)["steps"] = [{"phase": phase, "argv": argv, "seconds": 1.0} for phase, argv in ran]
    return report


def test_files_come_back_by_the_drills_own_commands(report: Report) -> None:
    text = runbook.english(of_files(report))
    told, ran = commands(text), {shlex.join(step["argv"]) for step in good(report)["steps"]}
    assert ran <= set(told)
    assert WORDS["unknown"]["en"] not in text
    assert re.findall(r"^## \d+\. (.+)$", text, re.M) == [step["title"]["en"] for step in steps_of("pgbackrest")]
    for command in set(told) - ran:
        for word in ("drill-", "--auth=trust", "fsync=off", "/bin/false", "--set=", "lock-path", "restic"):
            assert word not in command
    begin = f"runuser -u postgres -- {shlex.join(word for word in ASKED if 'log-level' not in word)}"
    moment = "--type=time '--target=YYYY-MM-DD HH:MM:SS+00' --target-action=promote restore"
    assert f"{begin} info" in told
    assert f"{begin} --pg1-path=/var/lib/postgresql/15/main {moment}" in told
    aside = "--pg1-path=/var/lib/golive/restore/pg --archive-mode=off --tablespace-map-all=/var/lib/golive/restore/ts"
    assert f"{begin} {aside} {moment}" in told, "beside the live data it archives nothing"
    assert "runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_amcheck --install-missing --heapallindexed --jobs=2 --database comanda" in told
    assert "/etc/golive/pgbackrest.conf + /etc/golive/pgbackrest.d" in text.replace("\\", "")


def test_a_step_of_files_without_a_command_breaks_nothing(report: Report) -> None:
    steps = good(of_files(report))["steps"]
    steps.insert(1, {"phase": "fetch", "argv": [], "seconds": 0.1})
    assert f"{shlex.join(ASKED[:1])} " in runbook.english(report)


@pytest.mark.parametrize("language", ["es", "en"])
def test_somebody_elses_backups_are_restored_by_their_own_procedure(report: Report, language: str) -> None:
    drill = good(report)
    drill["steps"] = [{"phase": "fetch", "argv": ["/usr/local/bin/fetch-backup", "b-7", CAGE], "seconds": 2.0}, *drill["steps"][1:]]
    text = {"es": runbook.spanish, "en": runbook.english}[language](report)
    assert f"## {WORDS['theirs'][language]}" in text
    assert set(commands(text)) == {shlex.join(step["argv"]) for step in drill["steps"]}, "nothing is made up"
    assert "1 min 32 s" in text, "how long it took"
    assert not re.search(r"^## 1\.", text, re.M)
    assert ("exact" if language == "en" else "exacta") not in text.split("\n")[2], "nothing was compared"
