# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the database in a cage, seen from outside: one at a time, in a folder of its own that goes again, run as a user without rights.

What runs inside is ``_pgbackup/cage``. The restore drill and the migration rehearsal come in.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import re
import secrets
import shutil
import sys
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import walls

#: Who runs the copy: a user without a login anywhere, who may not read the live cluster's files.
USER = "golive_drill"

#: Nothing is removed that does not hold this file and is not named so, right below the scratch folder.
MARKER = ".golive-drill"
NAME = re.compile(r"^(drill|rehearsal)-[0-9a-f]{12}$")

#: systemd.exec(5), systemd.resource-control(5). A container may ignore some of them, so AF_UNIX alone stands beside the private network; the copy looks
#: itself which hold (``_pgbackup/walls``).
WALLS = (
    "PrivateNetwork=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "IPAddressDeny=any",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "InaccessiblePaths=-/var/lib/postgresql",
    "InaccessiblePaths=-/run/postgresql",
    "Nice=19",
    "IOSchedulingClass=idle",
    "CPUWeight=20",
    "IOWeight=10",
    "MemorySwapMax=0",
    "TasksMax=200",
    "OOMPolicy=kill",
    "LimitCORE=0",
)

#: Folders that PrivateTmp replaces.
TEMPORARY = (walls.TMP, pathlib.Path("/var/tmp"))  # noqa: S108 -- named, not used

#: A PostgreSQL socket in /proc/net/unix.
SOCKET = re.compile(r" (/\S*/\.s\.PGSQL\.\d+)$", re.M)


@contextlib.contextmanager
def only_one(ctx: Context, scratch: pathlib.Path) -> t.Iterator[None]:
    """Keep every other copy out of *scratch*, and remove what killed ones left there. Raises :class:`CannotKnow`."""
    scratch.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (scratch / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotKnow("postgres.drill_running", scratch=str(scratch)) from None
        for left in sorted(path for path in scratch.iterdir() if NAME.match(path.name)):
            end(ctx, left, scratch)
        yield


@contextlib.contextmanager
def folder(ctx: Context, scratch: pathlib.Path, kind: str) -> t.Iterator[pathlib.Path]:
    """Lend a new folder; then end what still runs in it and remove it. Inside :func:`only_one`. Raises :class:`CannotKnow`."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise CannotKnow("common.user_missing", user=USER) from None
    home = scratch / f"{kind}-{secrets.token_hex(6)}"
    make(home, 0o711)
    (home / MARKER).touch()
    try:
        yield home
    finally:
        end(ctx, home, scratch)


def end(ctx: Context, home: pathlib.Path, scratch: pathlib.Path) -> None:
    """End what runs in a copy's folder and remove it, if it is one: a real folder with our marker, right below the scratch folder.

    One that was killed before it had its marker left an empty folder, in which nothing runs and nothing can be lost.
    """
    if home.is_symlink() or home.parent != scratch or not NAME.match(home.name):
        raise CannotKnow("postgres.not_ours", path=str(home))
    if not (home / MARKER).is_file():
        if not home.is_dir() or any(home.iterdir()):
            raise CannotKnow("postgres.not_ours", path=str(home))
        home.rmdir()
        return
    ctx.run(["systemctl", "stop", unit(home)], ok=None)
    # The marker last: who is killed in the middle of this leaves a folder that the next one knows.
    for path in [path for path in home.iterdir() if path.name != MARKER]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(home)


def unit(home: pathlib.Path) -> str:
    return f"golive-{home.name}.service"


def run(ctx: Context, home: pathlib.Path, verb: str, plan: t.Mapping[str, Json], *limits: str) -> dict[str, Json]:
    """Run *verb* of ``_pgbackup`` in the cage, on the backup in ``home/backup``, and return its answer. Raises :class:`CannotKnow`."""
    work = home / "work"
    make(work, 0o700, USER)
    live = seen_live()
    order = readable(home / "plan.json", json.dumps({"home": str(work), "backup": str(home / "backup"), "live": live, **plan}).encode())
    program = readable(home / "golive_pgbackup.pyz", _ship.archive())
    standing = (*WALLS, *around(home, live), *limits, f"User={USER}", f"ReadWritePaths={home}", f"WorkingDirectory={work}")
    properties = [f"--property={one}" for one in standing]
    argv = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={unit(home)}", *properties]
    done = ctx.run([*argv, sys.executable, "-I", str(program), verb, str(order)], cwd="/", ok=None)
    try:
        return t.cast("dict[str, Json]", json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["-"])[-1]
        raise CannotKnow("postgres.cage_failed", rc=done.rc, message=last[:300]) from None


def seen_live(proc: pathlib.Path = pathlib.Path("/proc")) -> dict[str, Json]:
    """Return where the servers that run here have their files and sockets, wherever somebody put them, and which folder /tmp is out here.

    A server's working directory is its data directory; tablespaces and WAL may lie elsewhere.
    """
    data: set[pathlib.Path] = set()
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            here = (process / "cwd").readlink() if (process / "comm").read_text() == "postgres\n" else None
            if here and (here / "PG_VERSION").is_file():
                data |= {here, *(path.resolve() for path in (here / "pg_wal", *(here / "pg_tblspc").iterdir()) if path.is_symlink())}
    sockets = set(SOCKET.findall((proc / "net" / "unix").read_text(errors="replace")))
    return {"data": sorted(map(str, data)), "sockets": sorted(sockets), "tmp": walls.identity(walls.TMP)}


def around(home: pathlib.Path, live: t.Mapping[str, Json]) -> list[str]:
    """Return the walls that depend on where things lie. What the copy's own folder lies in cannot be hidden from it: then it says which wall is missing."""
    hidden = {*map(pathlib.Path, live["data"]), *(pathlib.Path(one).parent.resolve() for one in live["sockets"])} - set(TEMPORARY)
    found = [f"InaccessiblePaths=-{path}" for path in sorted(hidden) if not home.is_relative_to(path)]
    return found + ([] if any(home.is_relative_to(path) for path in TEMPORARY) else ["PrivateTmp=yes"])


def make(path: pathlib.Path, mode: int, user: str | None = None) -> None:
    """Make a folder with exactly this mode, whatever the umask."""
    path.mkdir()
    path.chmod(mode)
    if user:
        shutil.chown(path, user, user)


def readable(path: pathlib.Path, content: bytes) -> pathlib.Path:
    """Write a file that every user may read, whatever the umask: there is no secret in it."""
    path.write_bytes(content)
    path.chmod(0o644)
    return path


def hand_over(backup: pathlib.Path) -> None:
    """Give a folder to the cage's user; a link in it stays what it is, and what it leads to stays whose it was."""
    found = pwd.getpwnam(USER)
    for path, _folders, names in os.walk(backup):
        for name in (".", *names):
            os.lchown(pathlib.Path(path) / name, found.pw_uid, found.pw_gid)
