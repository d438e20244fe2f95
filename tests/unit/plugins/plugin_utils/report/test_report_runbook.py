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
from ansible_collections.resto.golive.plugins.plugin_utils.report.runbook import STEPS, WORDS

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


def test_its_steps_stand_in_order_with_their_times(report: Report) -> None:
    text = runbook.spanish(report)
    headings = re.findall(r"^## \d+\. (.+)$", text, re.M)
    assert headings == [step["title"]["es"] for step in STEPS]
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
