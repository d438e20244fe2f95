# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a drill makes a copy: what a killed one left is ended, nobody else's is touched, two never run at once, and what keeps it from beginning is told."""

from __future__ import annotations

import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, restore_drill
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files, programs

from .postgres_server import version

Result = dict[str, t.Any]


def ctx() -> RunContext:
    return RunContext({}, {}, "", 10)


def drill_folder(scratch: pathlib.Path, *, marked: bool = True) -> pathlib.Path:
    home = scratch / "drill-0123456789ab"
    (home / "work").mkdir(parents=True)
    if marked:
        (home / _caged.MARKER).touch()
    return home


def test_what_a_killed_drill_left_is_removed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit first: what runs in it may not lose its files while it runs."""
    home = drill_folder(tmp_path)
    other = tmp_path / "somebody-elses"
    other.mkdir()
    whole = sorted(home.rglob("*"))
    stopped: list[tuple[t.Sequence[str], list[pathlib.Path]]] = []
    context = ctx()
    monkeypatch.setattr(context, "run", lambda argv, **more: stopped.append((argv, sorted(home.rglob("*")))))
    with _caged.only_one(context, tmp_path):
        assert not home.exists()
    assert stopped == [(["systemctl", "stop", f"golive-{home.name}.service"], whole)]
    assert other.exists()


def test_an_empty_folder_that_never_got_its_marker_is_removed(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "drill-0123456789ab"
    home.mkdir()
    with _caged.only_one(ctx(), tmp_path):
        assert not home.exists()


def test_a_removal_that_is_killed_leaves_the_marker(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, real = drill_folder(tmp_path), shutil.rmtree

    def killed(path: pathlib.Path) -> None:
        real(path)
        raise KeyboardInterrupt

    context = ctx()
    monkeypatch.setattr(context, "run", lambda argv, **more: None)
    monkeypatch.setattr(_caged.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        _caged.end(context, home, tmp_path)
    assert [path.name for path in home.iterdir()] == [_caged.MARKER]


def test_a_folder_without_the_marker_is_never_removed(tmp_path: pathlib.Path) -> None:
    home = drill_folder(tmp_path, marked=False)
    link = tmp_path / "drill-ba9876543210"
    link.symlink_to(home)
    for path in (home, link, tmp_path, pathlib.Path("/var/lib/postgresql")):
        with pytest.raises(CannotKnow) as caught:
            _caged.end(ctx(), path, tmp_path)
        assert caught.value.code == "postgres.not_ours"
    assert home.exists()


def test_two_drills_at_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second ends nothing and removes nothing: it cannot tell a living drill's folder from what a killed one left but by the lock."""
    with _caged.only_one(ctx(), tmp_path):
        home = drill_folder(tmp_path)
        whole, second = sorted(home.rglob("*")), ctx()
        monkeypatch.setattr(second, "run", lambda argv, **more: pytest.fail(f"{argv} beside a living drill"))
        with pytest.raises(CannotKnow) as caught, _caged.only_one(second, tmp_path):
            pass
        assert caught.value.code == "postgres.drill_running"
        assert sorted(home.rglob("*")) == whole


MANIFEST = {"server_version": version(), "restored_bytes": 10 << 30, "archive_bytes": 1 << 30, "system_identifier": "1", "at": "2026-11-24T13:00:00+00:00"}
NEWEST = {"id": "20261124T130000Z-00000000", "snapshot": "x", "system_identifier": "1"}
KNOWN = {"running_s": None, "newest": NEWEST, "manifest": MANIFEST, "local_system": "1"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"running_s": 30.0}, "backup_running"),
        ({"newest": None}, "nothing_stored"),
        ({"manifest": None}, "no_manifest"),
        ({"manifest": {"at": "x"}}, "no_manifest"),
        ({"manifest": {**MANIFEST, "schema": files.SCHEMA - 1}}, "manifest_older"),
        ({"local_system": "2"}, "stored_other_cluster"),
        ({"failed": "offsite", "why": "x"}, "offsite_refused"),
        ({"failed": "offsite", "name": "locked", "why": "x"}, "stored_locked"),
        ({"manifest": {**MANIFEST, "restored_bytes": 1 << 60}}, "no_room"),
    ],
)
def test_what_keeps_a_drill_from_beginning(tmp_path: pathlib.Path, change: Result, code: str) -> None:
    with pytest.raises(CannotKnow) as caught:
        restore_drill._preflight({**KNOWN, **change}, tmp_path)
    assert caught.value.code == f"restore_drill.{code}"
    assert not list(tmp_path.iterdir())


def test_a_server_of_another_version_stops_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one stands on ``PATH``: only the version that made the backup restores it."""
    known = {**KNOWN, "manifest": {**MANIFEST, "server_version": 990003, "restored_bytes": 1 << 60}}
    program = tmp_path / "postgres"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for says, code in ((None, "wrong_major"), ("98.7", "wrong_major"), ("nothing", "wrong_major"), ("99.1", "no_room")):
        if says:
            program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {says}'\n")
            program.chmod(0o755)
        with pytest.raises(CannotKnow) as caught:
            restore_drill._preflight(known, tmp_path)
        assert (caught.value.code, caught.value.params.get("major", 99)) == (f"restore_drill.{code}", 99)


@pytest.mark.parametrize("place", ["usr/lib/postgresql/{major}/bin", "usr/pgsql-{major}/bin"])
def test_a_server_is_found_where_its_packages_put_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    for major in (9, 15, 17):
        folder = tmp_path / place.format(major=major)
        folder.mkdir(parents=True)
        (folder / "postgres").touch()
    monkeypatch.setattr(programs, "PLACES", (f"{tmp_path}/{place}",))
    assert programs.majors() == [17, 15, 9]
    assert programs.postgres("postgres", 15) == tmp_path / place.format(major=15) / "postgres"
