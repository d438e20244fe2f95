# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which walls stand, and without which no copy is made; the limits of both kinds of control groups."""

from __future__ import annotations

import os
import pathlib
import socket
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import walls

NOTHING: dict[str, t.Any] = {"data": [], "sockets": [], "tmp": ""}
ALL = dict.fromkeys(walls.held(1024, NOTHING), True)


@pytest.mark.parametrize(
    ("absent", "gaps"),
    [
        ((), []),
        (("PrivateNetwork",), []),
        (("RestrictAddressFamilies",), []),
        (("PrivateNetwork", "RestrictAddressFamilies"), ["PrivateNetwork", "RestrictAddressFamilies"]),
        (("User",), ["User"]),
        (("NoNewPrivileges",), ["NoNewPrivileges"]),
        (("PGDATA",), ["PGDATA"]),
        (("InaccessiblePaths", "PrivateTmp", "ProtectSystem", "Nice", "MemoryMax", "TasksMax", "LimitCORE"), []),
    ],
)
def test_without_which_walls_there_is_no_copy(absent: tuple[str, ...], gaps: list[str]) -> None:
    assert walls.gaps({**ALL, **dict.fromkeys(absent, False)}) == gaps


#: What systemd 252 gives in a container of the lab, on cgroup v1 and without CAP_SYS_ADMIN.
CONTAINER = ("PrivateNetwork", "InaccessiblePaths", "PrivateTmp", "ProtectSystem", "MemoryMax", "TasksMax")


@pytest.mark.parametrize(
    ("absent", "lost"),
    [
        ((), []),
        (CONTAINER, []),
        (("MemoryMax", "TasksMax"), []),
        (("PrivateTmp", "ProtectSystem", "InaccessiblePaths"), []),
        (("PrivateNetwork",), []),
        (("MemoryMax",), ["MemoryMax"]),
        (("TasksMax",), ["TasksMax"]),
        (("PrivateTmp",), ["PrivateTmp"]),
        (("ProtectSystem",), ["ProtectSystem"]),
        ((*CONTAINER, "Nice", "LimitCORE"), ["Nice", "LimitCORE"]),
    ],
)
def test_what_a_host_could_have_given_was_lost(absent: tuple[str, ...], lost: list[str]) -> None:
    assert walls.lost({**ALL, **dict.fromkeys(absent, False)}) == lost


def test_a_process_that_nobody_shut_in_has_no_walls_of_a_network() -> None:
    """This one: it has sockets, and more than one interface wherever it can reach another machine."""
    seen = walls.held(1024, NOTHING)
    assert not seen["RestrictAddressFamilies"]
    assert seen["PrivateNetwork"] is (sorted(name for _number, name in socket.if_nameindex()) == ["lo"])
    assert seen["Nice"] is (os.getpriority(os.PRIO_PROCESS, 0) >= 10)


def test_a_cluster_that_lies_elsewhere_is_looked_for_there(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walls, "DATA", tmp_path / "none")
    monkeypatch.setattr(walls, "SOCKETS", tmp_path / "none")
    data, place = tmp_path / "pg", tmp_path / ".s.PGSQL.5432"
    live = {"data": [str(data)], "sockets": [str(place)], "tmp": walls.identity(walls.TMP)}

    def standing() -> tuple[bool, ...]:
        seen = walls.held(1024, live)
        return seen["PGDATA"], seen["InaccessiblePaths"], seen["PrivateTmp"]

    assert standing() == (True, True, False)
    place.touch()
    assert standing() == (True, False, False)
    place.unlink()
    data.mkdir()
    assert standing() == (True, False, False)
    (data / "PG_VERSION").touch()
    assert standing() == (False, False, False)
    assert walls.gaps({**ALL, "PGDATA": False}) == ["PGDATA"]


DEV = "Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n"


def test_interfaces(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "dev").write_text(DEV)
    assert walls.interfaces(tmp_path) == ["lo", "eth0"]


@pytest.mark.parametrize(
    ("line", "place", "content", "wanted"),
    [
        ("0::/golive.slice", "golive.slice/memory.max", "1048576\n", 1048576),
        ("0::/golive.slice", "golive.slice/memory.max", "max\n", 0),
        ("0::/golive.slice", "elsewhere/memory.max", "1\n", 0),
        ("7:cpuset,memory:/x", "memory/x/memory.limit_in_bytes", "42\n", 42),
        ("7:pids:/x", "memory/x/memory.limit_in_bytes", "42\n", 0),
    ],
)
def test_a_limit_that_nobody_says_is_none(tmp_path: pathlib.Path, line: str, place: str, content: str, wanted: int) -> None:
    (tmp_path / "cgroup").write_text(f"{line}\n")
    file = tmp_path / "root" / place
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert walls.limit(tmp_path, tmp_path / "root", "memory", "memory.max", "memory.limit_in_bytes") == wanted
