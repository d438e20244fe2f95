# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What shuts the copy in, looked at from inside: a container grants some of systemd's properties and silently ignores others, so none is taken for granted.

Walls have systemd's own names (systemd.exec(5), systemd.resource-control(5)), which read the same in every language; ``PGDATA`` is the live cluster's data.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import socket
import typing as t

Walls = dict[str, bool]

Json = t.Any

PROC = pathlib.Path("/proc/self")
CGROUPS = pathlib.Path("/sys/fs/cgroup")

#: Where Debian and PGDG keep the live cluster's files and its socket; those of servers that run elsewhere, whoever makes the cage has seen.
DATA, SOCKETS = pathlib.Path("/var/lib/postgresql"), pathlib.Path("/run/postgresql")
TMP = pathlib.Path("/tmp")  # noqa: S108 -- looked at, not used

#: Without one of these there is a way out.
NETWORK = ("PrivateNetwork", "RestrictAddressFamilies")
#: Without all of these the copy could become somebody else, or reach the live cluster's files.
NEEDED = ("User", "NoNewPrivileges", "PGDATA")

#: Walls that a host grants together, because the same part of the kernel makes them: where one stands, another that does not was lost on the way, and is no
#: gap of the host's. What stands alone needs nothing that a kernel or a container could lack. Those of :data:`NETWORK` and :data:`NEEDED` have :func:`gaps`.
TOGETHER = (("Nice",), ("LimitCORE",), ("MemoryMax", "TasksMax"), ("PrivateTmp", "ProtectSystem"))

#: Lower than this, and orders wait for the drill; more tasks than these, and the server may run out of them.
NICE_LEAST = 10
TASKS_MOST = 200


def held(memory_mb: int, live: t.Mapping[str, Json]) -> Walls:
    """Return which walls stand around this process, each tried or read where the kernel says it.

    *live* is ``{data: folders, sockets: files, tmp: identity}`` of the running servers, and of /tmp, as seen from outside.
    """
    status, data = _status(PROC), [pathlib.Path(one) for one in live["data"]]
    return {
        "PrivateNetwork": set(interfaces(PROC)) <= {"lo"},
        "RestrictAddressFamilies": all(_no_socket(family) for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)),
        "User": os.geteuid() != 0 and int(status.get("CapEff", "1"), 16) == 0,
        "NoNewPrivileges": status.get("NoNewPrivs") == "1",
        "PGDATA": not any(os.access(path / "PG_VERSION", os.R_OK) for path in (*DATA.glob("*/*/"), *data)),
        "InaccessiblePaths": not any(_readable(path) for path in (DATA, SOCKETS, *data)) and not any(os.access(one, os.F_OK) for one in live["sockets"]),
        "PrivateTmp": identity(TMP) != live["tmp"],
        "ProtectSystem": bool(os.statvfs("/usr").f_flag & os.ST_RDONLY),
        "Nice": os.getpriority(os.PRIO_PROCESS, 0) >= NICE_LEAST,
        "MemoryMax": 0 < limit(PROC, CGROUPS, "memory", "memory.max", "memory.limit_in_bytes") <= memory_mb << 20,
        "TasksMax": 0 < limit(PROC, CGROUPS, "pids", "pids.max", "pids.max") <= TASKS_MOST,
        "LimitCORE": resource.getrlimit(resource.RLIMIT_CORE)[0] == 0,
    }


def gaps(walls: Walls) -> list[str]:
    """Return the walls without which no copy is made and that do not stand."""
    open_network = [] if any(walls[name] for name in NETWORK) else list(NETWORK)
    return open_network + [name for name in NEEDED if not walls[name]]


def lost(walls: Walls) -> list[str]:
    """Return the walls that do not stand although this host could have them."""
    return [name for kind in TOGETHER for name in kind if walls.get(name) is False and (len(kind) == 1 or any(walls.get(other) for other in kind))]


def identity(path: pathlib.Path) -> str:
    """Return what tells this folder from another of the same name."""
    seen = path.stat()
    return f"{seen.st_dev}:{seen.st_ino}"


def interfaces(proc: pathlib.Path) -> list[str]:
    """Return the network interfaces of this process."""
    lines = (proc / "net" / "dev").read_text(encoding="ascii").splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


def _no_socket(family: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_DGRAM):
            return False
    except OSError:
        return True


def _readable(path: pathlib.Path) -> bool:
    return os.access(path, os.R_OK) or os.access(path, os.X_OK)


def _status(proc: pathlib.Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in (proc / "status").read_text(encoding="utf-8").splitlines())
    return {name: value.strip() for name, _colon, value in pairs}


def limit(proc: pathlib.Path, root: pathlib.Path, controller: str, unified: str, legacy: str) -> int:
    """Return a limit of this process's control group, or 0 where it has none or nobody says it."""
    for line in (proc / "cgroup").read_text(encoding="ascii").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            file = root / path.lstrip("/") / unified
        elif controller in controllers.split(","):
            file = root / controller / path.lstrip("/") / legacy
        else:
            continue
        with contextlib.suppress(OSError, ValueError):  # "max" is no number, and no limit
            return int(file.read_text(encoding="ascii"))
    return 0
