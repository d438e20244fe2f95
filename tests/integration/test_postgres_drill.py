# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole drill, from a real restic repository to the verdict, beside a live cluster that archives its WAL and writes down who connects.

Only systemd is left out: what it would start is started without it, and says that it has no cage.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import multiprocessing
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import threading
import time
import typing as t

import pytest
from restic_format import make_cheap

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, backup_host, backup_rules, drill_metrics, drill_rules, restore_drill
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, files, job, look, offsite, retain

from .postgres_server import USER, Cluster, binaries, cluster, make_shop
from .uncaged import Uncaged, caged_as_promised

Config = dict[str, t.Any]
INVARIANTS = {"orders": "select count(*) from orders"}
OPTIONS = {"engine": "dump", "rto_minutes": 30.0, "rpo_minutes": 60.0, "settings": "tuned", "jobs": 2, "invariants": INVARIANTS}


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    with cluster() as made:
        make_shop(made)
        archive = made.home / "archive"
        archive.mkdir()
        if USER:
            shutil.chown(archive, USER)
        made.stop()
        made.start("archive_mode=on", f"archive_command='cp %p {archive}/%f'", "autovacuum=off", "checkpoint_timeout=1h", "log_connections=on")
        yield made


def configuration(server: Cluster, home: pathlib.Path) -> Config:
    return {
        "name": "db1",
        "database": "shop",
        "directory": str(home / "backups"),
        "connection": {"host": str(server.sockets), "port": 5432, "user": "golive_backup"},
        "invariants": INVARIANTS,
        "offsite": {"repository": str(home / "repository"), "password_file": str(home / "password"), "options": ["--no-cache"]},
    }


@pytest.fixture(scope="module")
def carried(server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A backup, and its copy in a second place."""
    home = tmp_path_factory.mktemp("carried")
    (home / "backups").mkdir(mode=0o700)
    (home / "password").write_text("lab-only-password")
    made = configuration(server, home)
    offsite.begin(made)
    make_cheap(home / "repository", home / "password")
    line = job.back_up(made)
    assert line["ok"], json.dumps(line)
    return home


@pytest.fixture
def config(server: Cluster, carried: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Config]:
    """Both again for one test alone, and the drill told where."""
    home = tmp_path / "own"
    shutil.copytree(carried, home)
    made = configuration(server, home)
    written = home / "backup.json"
    written.write_text(json.dumps(made))
    me = USER or pwd.getpwuid(os.geteuid()).pw_name
    for where, name, value in ((restore_drill, "CONFIG", written), (backup_host, "CONFIG", written), (backup_host, "USERS", {"dump": me})):
        monkeypatch.setattr(where, name, value)
    monkeypatch.setattr(_caged, "USER", me)
    yield made
    shutil.rmtree(server.home / "scratch", ignore_errors=True)


def drill(server: Cluster) -> tuple[dict[str, t.Any], list[Assertion]]:
    options = {**OPTIONS, "scratch": str(server.home / "scratch")}
    check = restore_drill.RestoreDrill()
    seen = check.observe(Uncaged(options, {}, "", 300))
    return seen, check.judge({**seen, "walls": {"none of systemd's": False}}, options)


def left_behind(server: Cluster) -> list[str]:
    """Return what is in the scratch folder and does not belong there: the lock, what past drills took, and what the node exporter reads do."""
    return sorted({path.name for path in (server.home / "scratch").iterdir()} - {".lock", restore_drill.HISTORY, pathlib.Path(drill_metrics.FILE).parts[0]})


def refused(server: Cluster) -> str:
    with pytest.raises(CannotKnow) as caught:
        drill(server)
    assert left_behind(server) == [], "a drill that did not begin left something"
    return caught.value.code


def codes(assertions: list[Assertion]) -> set[str]:
    return {one.code.partition(".")[2] for one in assertions if one.status != "pass"}


def newest(config: Config) -> pathlib.Path:
    directory = pathlib.Path(config["directory"])
    return directory / files.listed(directory)[0]


def stored(config: Config, name: str, change: t.Callable[[dict[str, t.Any]], None]) -> None:
    """Carry a copy of the newest backup there as *name*, with a manifest that was changed and sealed again."""
    folder = pathlib.Path(config["directory"]) / name
    shutil.copytree(newest(config), folder)
    made = files.read_manifest(folder)
    del made["seal"]
    made["id"] = name
    change(made)
    (folder / files.MANIFEST).write_text(json.dumps({**made, "seal": files.seal(made)}))
    offsite.send(config, name, made)
    shutil.rmtree(folder)


STATISTICS = "select to_jsonb(d) - 'stats_reset' from pg_stat_database d where datname = 'shop'"
ARCHIVER = "select to_jsonb(a) - 'stats_reset' from pg_stat_archiver a"
IDENTIFIER = "select system_identifier from pg_control_system()"
WAL = "select pg_current_wal_insert_lsn()"


def live(server: Cluster) -> dict[str, t.Any]:
    return {question: server.value(question) for question in (STATISTICS, ARCHIVER, IDENTIFIER)}


def quiet(server: Cluster) -> None:
    """Have the live cluster archive what it has, write out what it holds, and count what its sessions did."""
    before = server.value("select archived_count from pg_stat_archiver")
    server.sql("select pg_switch_wal()", "checkpoint")
    end = time.monotonic() + 30
    while server.value("select archived_count from pg_stat_archiver") == before or server.value("select count(*) from pg_stat_activity where datname = 'shop'"):
        assert time.monotonic() < end, "the live cluster archives nothing"
        time.sleep(0.05)


def written_between(server: Cluster, before: str, after: str) -> list[str]:
    """Return the records that the live cluster wrote, but for those that it writes by itself when nothing happens."""
    if before == after:
        return []
    told = server.run("pg_waldump", "--path", server.data / "pg_wal", "--start", before, "--end", after, check=False).stdout
    return [line for line in told.splitlines() if "RUNNING_XACTS" not in line and "CHECKPOINT" not in line]


def test_the_drill_proves_the_backup_and_the_live_cluster_never_notices(server: Cluster, config: Config) -> None:
    left = server.home / "scratch" / "drill-0123456789ab"
    (left / "work" / "pg").mkdir(parents=True)
    (left / _caged.MARKER).touch()
    quiet(server)
    before, position, log = live(server), server.value(WAL), (server.home / "log").stat().st_size
    seen, told = drill(server)
    connections = (server.home / "log").read_bytes()[log:]
    assert worst(one.status for one in told) == "pass", seen
    assert b"connection" not in connections, connections.decode()
    assert live(server) == before
    assert written_between(server, position, server.value(WAL)) == []
    assert seen["copy_identifier"] != str(before[IDENTIFIER])
    assert list(seen["phases"]) == ["fetch", "check", "start", "restore", "analyze", "verify"]
    assert left_behind(server) == [], "the drill left something"
    assert f"golive-{left.name}.service" in Uncaged.stopped, "what a killed drill left was not ended"
    caged_as_promised(server, Uncaged.asked[-1])
    proven = {backup.id: backup.verified_at for backup in retain.there(config)}
    assert proven[seen["id"]] == datetime.datetime.fromtimestamp(seen["started"], datetime.UTC), "retention does not know that this copy came back"


def test_a_backup_dated_in_the_future(server: Cluster, config: Config) -> None:
    stored(config, "20990101T000000Z-00000000", lambda made: made.update(at="2099-01-01T00:00:00+00:00"))
    assert codes(drill(server)[1]) == {"future"}


def test_the_newest_copy_is_another_clusters(server: Cluster, config: Config) -> None:
    stored(config, "20990101T000000Z-00000000", lambda made: made.update(system_identifier="7000000000000000001"))
    assert refused(server) == "restore_drill.stored_other_cluster"


def older(made: dict[str, t.Any]) -> None:
    """As the program wrote it whose hashes were others."""
    made["schema"] = files.SCHEMA - 1
    made["tables"]["public.orders"]["hash"] = "1"


def test_a_copy_that_an_older_program_made_is_neither_good_nor_bad(server: Cluster, config: Config) -> None:
    stored(config, "20990101T000000Z-00000000", older)
    assert refused(server) == "restore_drill.manifest_older"


def looked(config: Config) -> set[str]:
    """Return what ``postgres_backup`` has to say of the real folder and the real repository, the host around them being right."""
    seen = {
        **look.look(config),
        "installed": True,
        "outdated": [],
        "access_missing": [],
        "repository": "sftp:x:/y",
        "password_current": True,
        "keys_missing": False,
        "place": {"names": ["db1"], "own": ["127.0.0.1"], "addresses": ["10.0.0.5"]},
    }
    options = {"engine": "dump", "directory": config["directory"], "rpo_minutes": None, "size_share_min": 0.5}
    return codes(backup_rules.judge(seen, options))


def test_a_folder_of_another_cluster(config: Config) -> None:
    path = newest(config) / files.MANIFEST
    made = json.loads(path.read_text())
    made.update(system_identifier="7000000000000000001")
    del made["seal"]
    path.write_text(json.dumps({**made, "seal": files.seal(made)}))
    assert looked(config) == {"other_cluster"}


def test_an_older_programs_copy_is_told_and_the_next_backup_mends_it(config: Config) -> None:
    path = newest(config) / files.MANIFEST
    made = json.loads(path.read_text())
    del made["seal"]
    older(made)
    path.write_text(json.dumps({**made, "seal": files.seal(made)}))
    assert looked(config) == {"manifest_older"}
    assert job.back_up(config)["ok"]
    assert looked(config) == set()


@pytest.mark.parametrize("earlier", [False, True], ids=["nothing else there", "an older one there"])
def test_a_snapshot_that_restic_leaves_out_without_a_word(config: Config, server: Cluster, earlier: bool) -> None:
    """restic 0.14 ends with 0 and lists what it could read."""
    if earlier:
        stored(config, "20200101T000000Z-00000000", lambda made: None)
    wanted = newest(config).name
    (damaged,) = [one["snapshot"] for one in offsite.stored(config) if one["id"] == wanted]
    path = pathlib.Path(config["offsite"]["repository"]) / "snapshots" / damaged
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(raw)
    assert len(offsite.stored(config)) == earlier
    assert looked(config) == {"offsite_unlisted"}
    assert refused(server) == "restore_drill.stored_unlisted"


def test_what_is_stored_was_damaged(server: Cluster, config: Config) -> None:
    for pack in (pathlib.Path(config["offsite"]["repository"]) / "data").rglob("*"):
        if pack.is_file():
            raw = bytearray(pack.read_bytes())
            raw[len(raw) // 3] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(raw)
    seen, told = drill(server)
    assert codes(told) == {"stored_damaged"}, seen
    assert {one.state for one in retain.there(config)} == {"damaged"}, "retention takes it for a copy"


def test_a_password_that_was_rotated(server: Cluster, config: Config) -> None:
    pathlib.Path(config["offsite"]["password_file"]).write_text("rotated-without-telling")
    assert refused(server) == "restore_drill.offsite_refused"


def test_a_backup_that_is_being_made_and_does_not_end(server: Cluster, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_drill, "BACKUP_ENDS_S", 0.1)
    with job.lock(pathlib.Path(config["directory"])):
        assert refused(server) == "restore_drill.backup_running"


def test_a_backup_that_ends_is_waited_for(server: Cluster, config: Config) -> None:
    with (pathlib.Path(config["directory"]) / files.LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        ends = threading.Timer(2.0, fcntl.flock, (handle, fcntl.LOCK_UN))
        ends.start()
        assert drill(server)[0]["verdict"] == "pass"
        assert not ends.is_alive(), "the drill began beside the backup"


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of a size of its own is a mount, and only root may mount")
def test_a_scratch_disk_that_is_full(server: Cluster, config: Config) -> None:
    scratch = server.home / "scratch"
    scratch.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=711", "golive-test", str(scratch)], check=True)
    try:
        (scratch / "others.data").write_bytes(bytes(60 << 20))
        free, needed = shutil.disk_usage(scratch).free, drill_rules.needed_bytes(files.read_manifest(newest(config)))
        with pytest.raises(CannotKnow) as caught:
            drill(server)
        assert (caught.value.code, caught.value.params["needed"]) == ("restore_drill.no_room", needed)
        assert free - os.sysconf("SC_PAGESIZE") <= caught.value.params["free"] <= free, "the lock takes a page"
        assert caught.value.params["missing"] >= needed - free > 0
        assert left_behind(server) == ["others.data"], "a drill that did not begin left something, or took what was another's"
    finally:
        subprocess.run(["umount", str(scratch)], check=True)


def inside(folder: pathlib.Path) -> list[int]:
    """Return the processes of a copy: those that name its folder, and those that work in it, as a server's children do, also when they lost their parent."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if (path / "cwd").readlink().is_relative_to(folder) or os.fsencode(folder) in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def kill_all(folder: pathlib.Path) -> None:
    """End all of a copy, as systemd does with all of a unit, and a power cut with everything: until none is there that was just being born."""
    end = time.monotonic() + 30
    while pids := inside(folder):
        assert time.monotonic() < end, f"{pids} do not die"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def test_two_at_once_and_one_that_was_killed(server: Cluster, config: Config) -> None:
    scratch = server.home / "scratch"
    first = multiprocessing.get_context("fork").Process(target=drill, args=(server,))
    first.start()
    try:
        end = time.monotonic() + 60
        while not (there := list(scratch.glob("drill-*/work/pg/postmaster.pid"))):
            assert first.is_alive(), "the first drill ended before its copy ran"
            assert time.monotonic() < end, "the first drill's copy does not run"
            time.sleep(0.01)
        with pytest.raises(CannotKnow) as caught:
            drill(server)
        assert caught.value.code == "postgres.drill_running"
        assert first.is_alive(), "the second drill was not beside the first"
        (left,) = {path.parents[2] for path in there}
        assert left.is_dir(), "the second drill took the first one's folder"
    finally:
        first.kill()
        first.join()
        for home in scratch.glob("drill-*"):
            kill_all(home)
    assert left.is_dir(), "nobody was left to tidy up"
    seen, told = drill(server)
    assert worst(one.status for one in told) == "pass", seen
    assert not left.exists(), "what a killed drill left is still there"
    assert left_behind(server) == []


def test_the_copy_equals_the_manifest_although_pgbench_was_writing(server: Cluster, config: Config) -> None:
    where = ["-h", server.sockets, "-U", "postgres"]
    server.sql("create database bench")
    server.run("pgbench", *where, "--initialize", "--quiet", "bench")
    busy = {**config, "database": "bench", "invariants": {"orders": "select sum(tbalance) from pgbench_tellers"}}
    load = subprocess.Popen(
        [str(one) for one in (binaries() / "pgbench", *where, "--client=2", "--time=120", "--no-vacuum", "bench")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not server.value("select count(*) from pgbench_history", "bench"):
            assert load.poll() is None, "there was no load"
        line = job.back_up(busy)
    finally:
        load.terminate()
        load.wait()
    assert line["ok"], json.dumps(line)
    restore_drill.CONFIG.write_text(json.dumps(busy))
    made = files.read_manifest(newest(busy))
    assert server.value("select count(*) from pgbench_history", "bench") > made["tables"]["public.pgbench_history"]["rows"], "there was no load"
    seen, _told = drill(server)
    assert seen["verdict"] == "pass", seen
    assert seen["rows"] == sum(table["rows"] for name, table in made["tables"].items() if name != cage.CANARY)
