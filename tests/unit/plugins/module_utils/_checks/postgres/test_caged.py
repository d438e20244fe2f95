# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cage's maker sees that servers lie, and which walls follow from it. The /proc is made by hand; a real server's: ``test_postgres_restore``."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged

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
