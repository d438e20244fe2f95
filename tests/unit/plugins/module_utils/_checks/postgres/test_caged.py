# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cage's maker sees that servers lie, and which walls follow from it. The /proc is made by hand; a real server's: ``test_postgres_restore``."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pwd
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Completed
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext

UNIX = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 21 /srv/run/.s.PGSQL.5433
0000000000000000: 00000003 00000000 00000000 0001 03 22 /srv/run/.s.PGSQL.5433
0000000000000000: 00000002 00000000 00010000 0001 01 23 @/abstract/.s.PGSQL.1
0000000000000000: 00000002 00000000 00010000 0001 01 24 /run/systemd/private
"""


def process(proc: pathlib.Path, number: int, name: str, cwd: pathlib.Path) -> None:
    (proc / str(number)).mkdir(parents=True)
    (proc / str(number) / "comm").write_text(f"{name}\n")
    (proc / str(number) / "cwd").symlink_to(cwd)


def test_running_servers_are_found_wherever_they_lie(tmp_path: pathlib.Path) -> None:
    proc, data, other = tmp_path / "proc", tmp_path / "srv" / "pg", tmp_path / "other"
    for folder in (proc / "net", data / "pg_tblspc", other, tmp_path / "wal", tmp_path / "space"):
        folder.mkdir(parents=True)
    (proc / "net" / "unix").write_text(UNIX)
    (data / "PG_VERSION").touch()
    (data / "pg_wal").symlink_to(tmp_path / "wal")
    (data / "pg_tblspc" / "16384").symlink_to(tmp_path / "space")
    process(proc, 1, "systemd", data)
    process(proc, 2, "postgres", data)
    process(proc, 3, "postgres", data)
    process(proc, 4, "postgres", other)  # no data directory
    (proc / "5").mkdir()  # ended meanwhile
    seen = _caged.seen_live(proc)
    assert seen["data"] == sorted(map(str, (data, tmp_path / "wal", tmp_path / "space")))
    assert seen["sockets"] == ["/srv/run/.s.PGSQL.5433"]


def test_what_was_seen_is_hidden_from_the_copy() -> None:
    live: dict[str, t.Any] = {"data": ["/srv/pg"], "sockets": ["/srv/run/.s.PGSQL.5433", "/tmp/.s.PGSQL.5432"]}
    assert _caged.around(pathlib.Path("/var/lib/golive/drill-1"), live) == ["InaccessiblePaths=-/srv/pg", "InaccessiblePaths=-/srv/run", "PrivateTmp=yes"]
    assert _caged.around(pathlib.Path("/srv/run/golive/drill-1"), live) == ["InaccessiblePaths=-/srv/pg", "PrivateTmp=yes"], "it lies there itself"
    assert _caged.around(pathlib.Path("/var/tmp/golive/drill-1"), live) == ["InaccessiblePaths=-/srv/pg", "InaccessiblePaths=-/srv/run"]


class Asked(RunContext):
    """Says what a caged program would, and keeps what was asked, with the folders that there were."""

    def __init__(self, scratch: pathlib.Path, says: Completed) -> None:
        super().__init__({}, {}, "", 10)
        self.scratch, self.says = scratch, says
        self.asked: list[tuple[list[str], list[str]]] = []

    def run(self, argv: t.Sequence[str], **more: t.Any) -> Completed:
        self.asked.append((list(argv), [path.name for path in self.scratch.iterdir() if path.is_dir()]))
        return self.says


@pytest.fixture
def scratch(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(_caged, "USER", pwd.getpwuid(os.geteuid()).pw_name)
    return tmp_path / "scratch"


@pytest.mark.parametrize(
    ("says", "comes"),
    [
        (Completed(0, json.dumps({"verdict": "pass"}), ""), contextlib.nullcontext()),
        (Completed(1, "", "Failed to start transient service unit"), pytest.raises(CannotKnow, match="cage_failed")),
    ],
    ids=["answers", "does not"],
)
def test_what_is_run_in_the_cage_has_every_wall_and_is_ended_under_its_own_name(
    scratch: pathlib.Path, says: Completed, comes: contextlib.AbstractContextManager[t.Any]
) -> None:
    """Whether it answers or not: its unit is ended before its folder goes."""
    context, limits = Asked(scratch, says), ("MemoryMax=7M", "RuntimeMaxSec=8")
    with comes, _caged.only_one(context, scratch), _caged.folder(context, scratch, "drill") as home:
        assert _caged.run(context, home, "cage", {"memory_mb": 7}, *limits) == {"verdict": "pass"}
    (ran, there), (ended, still) = context.asked
    properties = [word.removeprefix("--property=") for word in ran if word.startswith("--property=")]
    own = [f"User={_caged.USER}", f"ReadWritePaths={home}", f"WorkingDirectory={home / 'work'}"]
    assert properties[: len(_caged.WALLS)] == list(_caged.WALLS)
    assert properties[-5:] == [*limits, *own]
    assert ended == ["systemctl", "stop", next(word for word in ran if word.startswith("--unit=")).removeprefix("--unit=")]
    assert there == still == [home.name]
    assert not home.exists()
