# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: whatever is changed, cut off, removed or brought in from elsewhere is seen."""

from __future__ import annotations

import datetime
import json
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.resto.golive.plugins.plugin_utils import ledger

ENVIRONMENT = "staging"
ROWS = [{"row": "observation", "environment": ENVIRONMENT, "status": status} for status in ("pass", "fail", "pass")]


def sealed_run(runs: pathlib.Path, environment: str = ENVIRONMENT) -> pathlib.Path:
    path = ledger.start(runs, environment, {"rows": []})
    ledger.append(path, "edge1", [{**row, "environment": environment} for row in ROWS])
    ledger.append(path, "weird/host name", [{**ROWS[0], "environment": environment}])
    ledger.seal(path)
    return path


@pytest.fixture
def runs(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "reports" / ENVIRONMENT / "runs"
    path.mkdir(parents=True)
    return path


def codes(runs: pathlib.Path) -> list[str]:
    return [problem.code for problem in ledger.load(runs, ENVIRONMENT)[1]]


def test_sealed_runs_are_whole_and_others_cannot_read_them(runs: pathlib.Path) -> None:
    sealed_run(runs)
    path = sealed_run(runs)
    found, problems = ledger.load(runs, ENVIRONMENT)
    assert problems == []
    assert [len(run.rows) for run in found] == [4, 4]
    assert all(file.stat().st_mode & 0o007 == 0 for file in path.iterdir())


def test_what_was_seen_comes_with_the_moment_of_its_seal(runs: pathlib.Path) -> None:
    """Whatever a row says of itself, and without what is no observation."""
    path = ledger.start(runs, ENVIRONMENT, {"rows": []})
    ledger.append(path, "edge1", [{**ROWS[0], "sealed_at": "2031-01-01T00:00:00Z"}, {**ROWS[0], "row": "host"}])
    body = ledger.seal(path)
    assert ledger.observations(ledger.load(runs, ENVIRONMENT)[0]) == [{**ROWS[0], "sealed_at": body["sealed_at"]}]


def change(path: pathlib.Path) -> None:
    file = path / "edge1.jsonl"
    file.write_text(file.read_text().replace("fail", "pass"))


def cut(path: pathlib.Path) -> None:
    file = path / "edge1.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def half_cut(path: pathlib.Path) -> None:
    file = path / "edge1.jsonl"
    file.write_text(file.read_text()[:-5])


def add(path: pathlib.Path) -> None:
    ledger.append(path, "edge1", [ROWS[0]])


def swap_manifest(path: pathlib.Path) -> None:
    (path / ledger.MANIFEST).write_text('{"rows": [], "x": 1}')


def drop_host(path: pathlib.Path) -> None:
    (path / "edge1.jsonl").unlink()


def resealed(path: pathlib.Path) -> None:
    """Change a row, and make the run's own seal fit again."""
    change(path)
    body = json.loads((path / ledger.SEAL).read_text())
    ledger.write_atomically(path / ledger.SEAL, {**body, **ledger._sums(path)})


@pytest.mark.parametrize("tamper", [change, cut, half_cut, add, swap_manifest, drop_host, resealed])
@pytest.mark.parametrize("newest", [True, False])
def test_tampering_breaks_the_seal(runs: pathlib.Path, tamper: t.Callable[[pathlib.Path], None], newest: bool) -> None:
    path = sealed_run(runs)
    if not newest:
        sealed_run(runs)
    tamper(path)
    assert "ledger.broken_seal" in codes(runs)


@pytest.mark.parametrize("newest", [True, False])
def test_a_run_removed_is_missed(runs: pathlib.Path, newest: bool) -> None:
    first, last = sealed_run(runs), sealed_run(runs)
    shutil.rmtree(last if newest else first)
    assert codes(runs) == ["ledger.run_removed"]


def test_a_run_removed_stays_missed_after_later_runs(runs: pathlib.Path) -> None:
    first = sealed_run(runs)
    sealed_run(runs)
    shutil.rmtree(first)
    sealed_run(runs)
    assert codes(runs) == ["ledger.run_removed"]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_the_newest_run_removed_stays_missed_after_later_runs(runs: pathlib.Path, after: int) -> None:
    sealed_run(runs)
    shutil.rmtree(sealed_run(runs))
    for _later in range(after):
        sealed_run(runs)
    assert codes(runs) == ["ledger.run_removed"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), before=st.integers(1, 6), between=st.integers(0, 2), after=st.integers(0, 3))
def test_whichever_runs_are_removed_is_seen_and_bringing_them_back_heals(data: st.DataObject, before: int, between: int, after: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        runs = pathlib.Path(directory) / "runs"
        runs.mkdir()
        made = [sealed_run(runs) for _run in range(before)]
        gone = data.draw(st.sets(st.sampled_from(made), min_size=1))
        backup = pathlib.Path(directory) / "backup"
        backup.mkdir()
        first = data.draw(st.sets(st.sampled_from(sorted(gone))))
        for path in first:
            path.rename(backup / path.name)
        for _run in range(between):
            sealed_run(runs)
        for path in gone - first:
            path.rename(backup / path.name)
        for _run in range(after):
            sealed_run(runs)
        assert set(codes(runs)) == {"ledger.run_removed"}
        for path in gone:
            (backup / path.name).rename(path)
        assert codes(runs) == []


def test_runs_sealed_side_by_side_are_both_vouched_for(runs: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed_run(runs)
    beside = sealed_run(runs)
    with monkeypatch.context() as blind:
        blind.setattr(ledger, "_sealed", lambda _runs: [path for path in ledger._directories(_runs) if (path / ledger.SEAL).exists() and path != beside])
        sealed_run(runs)
    sealed_run(runs)
    assert codes(runs) == []
    shutil.rmtree(beside)
    assert codes(runs) == ["ledger.run_removed"]


def test_a_seal_does_not_grow_with_the_ledger(runs: pathlib.Path) -> None:
    made = [sealed_run(runs) for _run in range(12)]
    assert [len(json.loads((path / ledger.SEAL).read_text())["known"]) for path in sorted(made, key=sealed_at)] == [0] + [1] * 11


def sealed_at(path: pathlib.Path) -> int:
    return (path / ledger.SEAL).stat().st_mtime_ns


def no_head(runs: pathlib.Path) -> None:
    (runs / ledger.HEAD).unlink()


def broken_head(runs: pathlib.Path) -> None:
    (runs / ledger.HEAD).write_text("{")


def another_thing(runs: pathlib.Path) -> None:
    (runs / ledger.HEAD).write_text("[]")


def a_directory(runs: pathlib.Path) -> None:
    no_head(runs)
    (runs / ledger.HEAD).mkdir()


@pytest.mark.parametrize("lose", [no_head, broken_head, another_thing, a_directory])
@pytest.mark.parametrize("after", [0, 2])
def test_the_newest_run_and_head_removed_together_are_missed(runs: pathlib.Path, lose: t.Callable[[pathlib.Path], None], after: int) -> None:
    sealed_run(runs)
    shutil.rmtree(sealed_run(runs))
    lose(runs)
    for _later in range(after):
        sealed_run(runs)
    found, problems = ledger.load(runs, ENVIRONMENT)
    assert [problem.code for problem in problems] == ["ledger.head_lost"]
    assert len(found) == 1 + after


def test_head_brought_back_is_carried_on(runs: pathlib.Path) -> None:
    sealed_run(runs)
    kept = (runs / ledger.HEAD).read_text()
    no_head(runs)
    sealed_run(runs)
    (runs / ledger.HEAD).write_text(kept)
    assert codes(runs) == []
    last = sealed_run(runs)
    assert codes(runs) == []
    shutil.rmtree(last)
    assert codes(runs) == ["ledger.run_removed"]


def test_a_ledger_of_no_runs_needs_no_head(runs: pathlib.Path) -> None:
    assert ledger.load(runs, ENVIRONMENT) == ([], [])
    broken_head(runs)
    assert codes(runs) == ["ledger.head_lost"]


@pytest.mark.parametrize("written", ["{", "[]", '{"known": 3}', "{}"])
def test_a_seal_that_cannot_be_read_stops_no_later_run(runs: pathlib.Path, written: str) -> None:
    path = sealed_run(runs)
    (path / ledger.SEAL).write_text(written)
    sealed_run(runs)
    assert codes(runs) == ["ledger.unreadable", "ledger.broken_seal"]


def test_evidence_from_another_environment_does_not_count(runs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "prod"
    elsewhere.mkdir()
    own = sealed_run(runs)
    foreign = sealed_run(elsewhere, "prod")
    shutil.copytree(foreign, runs / foreign.name)
    found, problems = ledger.load(runs, ENVIRONMENT)
    assert [run.id for run in found] == [own.name]
    assert [problem.code for problem in problems] == ["ledger.foreign"]


def test_a_row_of_another_environment_spoils_a_run_of_ours(runs: pathlib.Path) -> None:
    """Seal and start are ours: only the row says where it was seen."""
    path = ledger.start(runs, ENVIRONMENT, {"rows": []})
    ledger.append(path, "edge1", [ROWS[0], {**ROWS[0], "environment": "prod"}])
    ledger.seal(path)
    assert ledger.load(runs, ENVIRONMENT) == ([], [ledger.Problem("ledger.foreign", {"run": path.name, "environment": "prod"})])


def test_an_unreadable_run_is_a_problem_not_a_crash(runs: pathlib.Path) -> None:
    path = sealed_run(runs)
    (path / ledger.SEAL).write_text("{")
    assert "ledger.unreadable" in codes(runs)


def test_leftovers_of_a_killed_run_are_adopted_without_their_half_line(runs: pathlib.Path) -> None:
    path = ledger.start(runs, ENVIRONMENT, {"rows": []})
    ledger.append(path, "edge1", ROWS)
    with (path / "edge1.jsonl").open("a") as handle:
        handle.write('{"row": "observ')
    start = json.loads((path / ledger.START).read_text())
    ledger.write_atomically(path / ledger.START, {**start, "pid": 2**22 + 1})
    current = ledger.start(runs, ENVIRONMENT, {"rows": []})
    ledger.adopt_leftovers(runs, current)
    found, problems = ledger.load(runs, ENVIRONMENT)
    assert problems == []
    assert [len(run.rows) for run in found] == [3]
    assert json.loads((path / ledger.SEAL).read_text())["adopted"] is True


def test_a_run_that_is_still_going_on_is_left_alone(runs: pathlib.Path) -> None:
    path = ledger.start(runs, ENVIRONMENT, {"rows": []})
    ledger.adopt_leftovers(runs, runs / "another")
    assert not (path / ledger.SEAL).exists()


@pytest.mark.parametrize(("age", "adopted"), [(datetime.timedelta(hours=23), False), (datetime.timedelta(hours=25), True)])
def test_another_machines_run_is_adopted_when_it_is_older_than_any_run(runs: pathlib.Path, age: datetime.timedelta, adopted: bool) -> None:
    path = ledger.start(runs, ENVIRONMENT, {"rows": []})
    start = json.loads((path / ledger.START).read_text())
    elsewhere = {"node": "somewhere-else", "pid": 2**22 + 1, "started_at": ledger.timestamp(ledger.now() - age)}
    ledger.write_atomically(path / ledger.START, {**start, **elsewhere})
    ledger.adopt_leftovers(runs, runs / "another")
    assert (path / ledger.SEAL).exists() is adopted
