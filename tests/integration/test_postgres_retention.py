# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The retention policy at work on a real restic repository and on a local directory: what goes, what stays, and what is written down."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import time
import typing as t

import pytest
from restic_format import make_cheap

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import engines, files, job, offsite, retain
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.programs import Failed

NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
DAYS_ONLY = {"daily_days": 7, "weekly_days": 30, "monthly_days": 90, "hourly_hours": 0, "zone": "UTC"}
SYSTEM = "7000000000000000001"


def name(days: float) -> str:
    at = NOW - datetime.timedelta(days=days)
    return f"{at:%Y%m%dT%H%M%SZ}-{int((days + 10) * 100):08x}"


@pytest.fixture
def near(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """A configuration without a second place."""
    (tmp_path / "backups").mkdir()
    return {"name": "db1", "directory": str(tmp_path / "backups"), "retention": DAYS_ONLY}


@pytest.fixture
def far(near: dict[str, t.Any], tmp_path: pathlib.Path) -> dict[str, t.Any]:
    (tmp_path / "password").write_text("lab-only")
    config = {**near, "offsite": {"repository": str(tmp_path / "repository"), "password_file": str(tmp_path / "password"), "options": ["--no-cache"]}}
    assert offsite.begin(config)
    make_cheap(tmp_path / "repository", tmp_path / "password")
    return config


def kept_here(config: dict[str, t.Any], days: float, system: str = SYSTEM) -> str:
    folder = pathlib.Path(config["directory"]) / name(days)
    folder.mkdir()
    body = {"id": folder.name, "system_identifier": system}
    (folder / files.MANIFEST).write_text(json.dumps({**body, "seal": files.seal(body)}))
    return folder.name


def carried(config: dict[str, t.Any], days: float, system: str = SYSTEM) -> str:
    folder = pathlib.Path(config["directory"]) / name(days)
    folder.mkdir()
    (folder / "x").write_text(name(days))
    offsite.send(config, folder.name, {"system_identifier": system})
    return folder.name


def remembered(config: dict[str, t.Any], *lines: dict[str, t.Any]) -> None:
    for line in lines:
        files.remember(pathlib.Path(config["directory"]), line)


def test_restic_forgets_what_the_plan_lets_go_and_nothing_else(far: dict[str, t.Any]) -> None:
    kept = [carried(far, days) for days in (0, 1, 30)]
    gone = carried(far, 0.2)
    stranger = carried(far, 200, system="7000000000000000002")
    assert retain.planned(far, SYSTEM, NOW).removed()[0].id == gone
    done = retain.apply(far, SYSTEM, NOW)
    assert (done["removed"], done["refusals"]) == ([gone], [])
    assert sorted(one["id"] for one in offsite.stored(far)) == sorted([*kept, stranger])
    assert offsite.restic(far, "check", "--read-data")
    assert retain.apply(far, SYSTEM, NOW)["removed"] == []


def test_another_hosts_copies_in_the_same_repository_are_not_seen(far: dict[str, t.Any]) -> None:
    carried(far, 0)
    other = {**far, "name": "db2", "directory": far["directory"]}
    carried(other, 300)
    assert len(retain.there(far)) == 1


def test_the_newest_copy_that_a_drill_brought_back_outlives_the_policy(far: dict[str, t.Any]) -> None:
    proven, lost = carried(far, 200), carried(far, 210)
    for days in range(4):
        carried(far, days)
    retain.mark_drilled(far, proven, NOW, "pass")
    done = retain.apply(far, SYSTEM, NOW)
    assert done["removed"] == [lost]
    assert proven in done["kept"]


def test_a_copy_that_a_drill_could_not_bring_back_is_none_until_one_does(far: dict[str, t.Any]) -> None:
    newest, other = carried(far, 0), carried(far, 0.2)
    retain.mark_drilled(far, newest, NOW, "pass")
    retain.mark_drilled(far, newest, NOW, "fail")
    made = retain.planned(far, SYSTEM, NOW)
    assert (made.decisions[0].backup.state, made.decisions[0].reasons) == ("damaged", ("damaged",))
    assert "newest" in made.decisions[1].reasons
    assert retain.apply(far, SYSTEM, NOW)["kept"] == sorted([newest, other]), "and if it disappears, that is told"
    retain.mark_drilled(far, newest, NOW, "inconclusive")
    assert retain.there(far)[1].state == "damaged"
    retain.mark_drilled(far, newest, NOW, "pass")
    assert retain.apply(far, SYSTEM, NOW)["removed"] == [other]


def test_what_a_drill_reads_stays_until_it_is_done(far: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    """A newer copy came meanwhile, which stands for the day: what was proven would be gone when the drill ends."""
    read = carried(far, 0.2)
    order = {"config": far, "id": read, "snapshot": offsite.stored(far)[0]["snapshot"], "target": str(tmp_path / "back")}
    engines.of(order).fetch(order)
    carried(far, 0)
    now = datetime.datetime.now(datetime.UTC)
    assert retain.planned(far, SYSTEM, now).removed() == []
    assert [one.id for one in retain.planned(far, SYSTEM, now + retain.DRILL_MOST + datetime.timedelta(minutes=1)).removed()] == [read], "it was killed"
    retain.mark_drilled(far, read, now, "inconclusive")
    assert [one.id for one in retain.planned(far, SYSTEM, now).removed()] == [read]
    retain.mark_drilled(far, read, now, "pass")
    assert retain.planned(far, SYSTEM, now).removed() == []


def test_a_plan_that_would_take_too_much_waits_for_a_word(near: dict[str, t.Any]) -> None:
    names = [kept_here(near, days) for days in (0, 0.1, 0.2, 0.3)]
    done = retain.apply(near, SYSTEM, NOW)
    assert (done["removed"], done["refusals"]) == ([], ["too_many"])
    assert sorted(done["kept"]) == sorted(names)
    assert retain.apply(near, SYSTEM, NOW, force=True)["removed"] == sorted(names)[:3][::-1]
    assert files.listed(pathlib.Path(near["directory"])) == names[:1]


def test_nothing_goes_while_the_last_backup_failed(near: dict[str, t.Any]) -> None:
    for days in (0.1, 0.2, 1, 2):
        kept_here(near, days)
    remembered(near, {"started_at": NOW.isoformat(), "ok": False, "id": None})
    assert retain.apply(near, SYSTEM, NOW)["refusals"] == ["last_backup_failed"]
    assert len(files.listed(pathlib.Path(near["directory"]))) == 4
    remembered(near, {"started_at": NOW.isoformat(), "ok": True, "id": name(0.1)})
    assert len(retain.apply(near, SYSTEM, NOW)["removed"]) == 1


def test_a_copy_dated_in_the_future_and_one_of_another_cluster_stay(near: dict[str, t.Any]) -> None:
    ahead, stranger = kept_here(near, -3), kept_here(near, 400, system="2")
    for days in (0, 1):
        kept_here(near, days)
    reasons = {one.backup.id: one.reasons for one in retain.planned(near, SYSTEM, NOW).decisions}
    assert reasons[ahead] == ("future",)
    assert reasons[stranger] == ("another_cluster",)
    assert retain.apply(near, SYSTEM, NOW)["removed"] == []


def test_a_repository_that_refuses_is_said_by_name(far: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    (tmp_path / "password").write_text("rotated")
    with pytest.raises(offsite.Refused) as caught:
        retain.apply(far, SYSTEM, NOW)
    assert caught.value.name == "password_rotated"
    assert not (pathlib.Path(far["directory"]) / retain.STATE).exists()


def test_the_time_between_backups_is_a_median() -> None:
    starts = [NOW + datetime.timedelta(hours=hour) for hour in (0, 1, 2, 2.1, 3, 4, 5)]
    assert retain.interval_h(starts) == 1
    assert retain.interval_h(starts[:1]) == 24


def test_the_room_here_is_for_what_is_kept_here(far: dict[str, t.Any], near: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "live_system", lambda _config: SYSTEM)
    for days in (0.1, 1.1, 2.1):
        at = (NOW - datetime.timedelta(days=days)).isoformat()
        remembered(far, {"started_at": at, "ok": True, "id": carried(far, days), "archive_bytes": 100, "snapshot": "x"})
    job.thin(pathlib.Path(far["directory"]), 2)
    here = retain.told({**far, "keep_local": 2}, NOW)["here"]
    assert (here["copies"], here["bytes"], here["bytes_now"]) == (3, 300, 200)
    assert here["free_bytes"] > 0
    alone = retain.told(near, NOW)
    assert (alone["here"]["copies"], alone["here"]["bytes"]) == (alone["forecast"]["copies"], alone["forecast"]["bytes"])


class Meanwhile:
    """Does something each time that the copies were listed, as a job does that ends while somebody looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: t.Callable[[], object], times: int) -> None:
        self.left, self._real, self._act = times, offsite.stored, act
        monkeypatch.setattr(retain, "live_system", lambda _config: SYSTEM)
        monkeypatch.setattr(offsite, "stored", self._stored)

    def _stored(self, config: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        found = self._real(config)
        if self.left > 0:
            self.left -= 1
            real, offsite.stored = offsite.stored, self._real
            self._act()
            offsite.stored = real
        return found


def test_a_job_that_ends_while_we_look_is_looked_at_again(far: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    carried(far, 1)
    gone = carried(far, 0.2)
    retain.apply(far, SYSTEM, NOW - datetime.timedelta(hours=1))

    def job_ends() -> None:
        carried(far, 0)
        retain.apply(far, SYSTEM, NOW)

    meanwhile = Meanwhile(monkeypatch, job_ends, times=1)
    seen = retain.told(far, NOW)
    assert meanwhile.left == 0
    assert set(seen["last"]["kept"]) == {one["id"] for one in seen["decisions"]}, "a copy that was made meanwhile reads as one that somebody deleted"
    assert gone in seen["last"]["removed"]


def test_a_state_that_never_holds_still_is_no_answer(far: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    carried(far, 0)
    Meanwhile(monkeypatch, lambda: retain.apply(far, SYSTEM, NOW), times=99)
    with pytest.raises(Failed, match="wrote down something new"):
        retain.told(far, NOW)


def test_what_a_killed_run_was_removing_is_written_down_first(far: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    carried(far, 0)
    gone = carried(far, 0.2)
    real = offsite.restic

    def killed(config: dict[str, t.Any], *words: str, **more: t.Any) -> str:
        said = real(config, *words, **more)
        if words[0] == "forget":
            raise KeyboardInterrupt
        return said

    monkeypatch.setattr(offsite, "restic", killed)
    with pytest.raises(KeyboardInterrupt):
        retain.apply(far, SYSTEM, NOW)
    state = pathlib.Path(far["directory"]) / retain.STATE
    assert json.loads(state.read_text())["removing"] == [gone]
    monkeypatch.setattr(offsite, "restic", real)
    assert "removing" not in retain.apply(far, SYSTEM, NOW)


def test_a_copy_that_somebody_else_deleted_is_told_until_somebody_has_looked(far: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    carried(far, 0)
    deleted = carried(far, 1)
    retain.apply(far, SYSTEM, NOW)
    snapshot = next(one["snapshot"] for one in offsite.stored(far) if one["id"] == deleted)
    offsite.restic(far, "forget", "--prune", snapshot)
    for hours in (1, 2):
        later = NOW + datetime.timedelta(hours=hours)
        assert retain.apply(far, SYSTEM, later)["lost"] == {deleted: (NOW + datetime.timedelta(hours=1)).isoformat()}
    written = tmp_path / "config.json"
    written.write_text(json.dumps(far))
    assert job.main(["accept-lost", str(written)]) == 0
    assert retain.apply(far, SYSTEM, NOW + datetime.timedelta(hours=3))["lost"] == {}


class Held:
    """A restic of another process that holds the repository's lock, because what it shall carry never comes."""

    def __init__(self, config: dict[str, t.Any]) -> None:
        words = offsite.command(config, "backup", "--stdin", "--stdin-filename=never")
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_locked(config)

    def kill(self) -> None:
        """And let its parent know: while nobody asked how it ended, its process is still there."""
        self.process.kill()
        self.process.communicate()


def locks(config: dict[str, t.Any]) -> list[pathlib.Path]:
    """Return the repository's locks; one that is still being written has a longer name."""
    return [path for path in (pathlib.Path(config["offsite"]["repository"]) / "locks").iterdir() if len(path.name) == 64]


def until_locked(config: dict[str, t.Any]) -> None:
    end = time.monotonic() + 20
    while not locks(config):
        assert time.monotonic() < end, "nobody locks it"
        time.sleep(0.01)


@contextlib.contextmanager
def full_pipe() -> t.Iterator[int]:
    """Lend the writing end of a pipe that takes no more."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.set_blocking(writing, True)
        yield writing
    finally:
        os.close(writing)
        os.close(reading)


@pytest.fixture
def held(far: dict[str, t.Any]) -> t.Iterator[Held]:
    holds = Held(far)
    yield holds
    holds.kill()


def test_a_prune_that_was_killed_stops_no_backup(far: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    carried(far, 2)
    gone = offsite.stored(far)[0]["snapshot"]
    with full_pipe() as nobody_reads:  # it holds its lock until it has said what it does
        prune = subprocess.Popen(offsite.command(far, "forget", "--prune", gone), stdout=nobody_reads, stderr=subprocess.DEVNULL)
        until_locked(far)
        prune.kill()
        prune.communicate()
    assert len(locks(far)) == 1
    with pytest.raises(offsite.Refused) as caught:
        offsite.restic(far, "backup", ".", cwd=str(tmp_path))
    assert caught.value.name == "locked"
    name = carried(far, 1)
    assert locks(far) == []
    newest = offsite.stored(far)[0]
    assert newest["id"] == name
    offsite.fetch({"config": far, "snapshot": newest["snapshot"], "target": str(tmp_path / "back")})


def test_a_backup_that_was_killed_does_not_hold_the_policy(far: dict[str, t.Any], held: Held) -> None:
    carried(far, 0)
    gone = carried(far, 0.2)
    held.kill()
    assert len(locks(far)) == 1
    assert retain.apply(far, SYSTEM, NOW)["removed"] == [gone]
    assert locks(far) == []


def test_who_reads_the_repository_has_the_policy_wait(far: dict[str, t.Any], held: Held) -> None:
    carried(far, 0)
    gone = carried(far, 0.2)
    state = pathlib.Path(far["directory"]) / retain.STATE
    for _again in range(2):
        job.keep(far, SYSTEM)
        left = json.loads(state.read_text())
        assert f"PID {held.process.pid} " in left["waits"], "whose lock it is"
        assert not {"problem", "removing", "at"} & set(left), "a run that waits is none, and no trouble"
        assert len(offsite.stored(far)) == 2
    held.kill()
    done = retain.apply(far, SYSTEM, NOW)
    assert done["removed"] == [gone]
    assert "waits" not in json.loads(state.read_text())


def test_a_drill_reads_under_a_lock(far: dict[str, t.Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(far, 0)
    asked: list[tuple[str, ...]] = []
    real = offsite.restic
    monkeypatch.setattr(offsite, "restic", lambda config, *words, **more: (asked.append(words), real(config, *words, **more))[1])
    snapshot = offsite.stored(far)[0]["snapshot"]
    offsite.fetch({"config": far, "snapshot": snapshot, "target": str(tmp_path / "back")})
    offsite.manifest_of(far, snapshot)
    assert [words[0] for words in asked if "--no-lock" in words] == ["snapshots"]
