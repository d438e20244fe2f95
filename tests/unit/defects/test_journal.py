# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runner that was killed leaves its defects to the next one, which mends them before it looks; and two runners never break one lab at once."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "defects"))

import running_lab
from journal import Journal
from trial import Defect

ONE = Defect("a.one/x", "n", "h", {"a.one": "fail"}, "a.said", [{"seed": 1}], [{"mend": 1}])
TWO = Defect("b.two/x", "n", "h", {"b.two": "fail"}, "b.said", [{"seed": 2}], [{"mend": 2}])


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[list[t.Any]]:
    """The tasks of every playbook that would have run on the lab."""
    found: list[list[t.Any]] = []
    monkeypatch.setattr(running_lab, "tasks", lambda plays: found.append([play["tasks"] for play in plays]))
    return found


def test_what_is_about_to_be_broken_is_written_down_first(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "defects.json")
    at_that_time: list[list[str]] = []
    monkeypatch.setattr(running_lab, "tasks", lambda plays: at_that_time.append([one.id for one in journal.broken()]))
    running = running_lab.RunningLab(journal)
    running.change(inject=[ONE])
    assert journal.broken() == [ONE]
    running.change([ONE], [TWO])
    assert journal.broken() == [TWO]
    running.change([TWO])
    assert journal.broken() == []
    assert at_that_time == [
        ["a.one/x"],
        ["a.one/x"],
        ["a.one/x", "b.two/x"],
        ["a.one/x", "b.two/x"],
        ["b.two/x"],
        ["b.two/x"],
    ], "waited, seeded, mended, waited, seeded, mended"


def test_the_audit_runs_the_drills_that_it_is_told_before_its_verdict() -> None:
    made = running_lab.drilled({"a_drill": "postgres"})
    assert [pathlib.Path(play.get("ansible.builtin.import_playbook", "")).stem or list(play["tasks"][0])[1] for play in made] == [
        "preflight",
        "observe",
        "resto.golive.a_drill",
        "decide",
    ]
    assert made[2]["hosts"] == "postgres"


def test_the_next_start_mends_what_a_killed_runner_left(tmp_path: pathlib.Path, played: list[list[t.Any]]) -> None:
    Journal(tmp_path / "defects.json").note(ONE, TWO)  # killed between mending one and seeding two
    with Journal.opened(tmp_path / "defects.json") as journal:
        running_lab.RunningLab(journal).mend_what_was_left()
        assert played == [[ONE.restore, TWO.restore]]
        assert journal.broken() == []


def test_a_mend_that_fails_stays_in_the_journal(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(plays: t.Any) -> None:
        sys.exit("the task failed")

    monkeypatch.setattr(running_lab, "tasks", fails)
    journal = Journal(tmp_path / "defects.json")
    journal.note(ONE)
    with pytest.raises(SystemExit):
        running_lab.RunningLab(journal).mend_what_was_left()
    assert journal.broken() == [ONE]


def test_one_runner_at_a_time(tmp_path: pathlib.Path) -> None:
    with Journal.opened(tmp_path / "defects.json"), pytest.raises(SystemExit, match="another run"), Journal.opened(tmp_path / "defects.json"):
        pass
    with Journal.opened(tmp_path / "defects.json") as journal:
        assert journal.broken() == []


def test_without_a_lab_there_is_nothing_to_break(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match="make demo"), Journal.opened(tmp_path / "nowhere" / "defects.json"):
        pass
