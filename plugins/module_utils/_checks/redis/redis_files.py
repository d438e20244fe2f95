# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis on this host has on disk: its configuration file, its append-only file, its room; and the memory that the kernel grants it.

Reads only. The server is found by its process, so that one in a container on this host is seen too, through ``/proc/<pid>/root``.
"""

from __future__ import annotations

import glob
import os
import pathlib
import re
import shlex
import subprocess
import typing as t

#: What the kernel calls the process (``/proc/<pid>/comm``).
PROGRAMS = frozenset({"redis-server", "valkey-server", "keydb-server"})

#: Files may include files, and a mistake may include itself.
INCLUDE_DEPTH = 8

#: Suffixes of sizes in a configuration file (redis.conf, "Note on units").
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


class NotSeen(Exception):
    """A file that should be looked at cannot be; ``str()`` says which and why."""


def find_process(process_id: int) -> int | None:
    """Return this host's pid of the server that calls itself *process_id*, or None if there is not exactly one such process.

    Inside a container the server knows the innermost of its ids only: the last of ``NSpid`` (proc(5)).
    """
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() not in PROGRAMS:
                continue
            status = (entry / "status").read_text()
        except OSError:
            continue
        ids = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [entry.name])
        if ids[-1] == str(process_id):
            found.append(int(entry.name))
    return found[0] if len(found) == 1 else None


def size(text: str) -> int | str:
    """Return a size such as ``512mb`` in bytes; what is no size comes back as it is."""
    digits = text.rstrip("bkmgBKMG")
    unit = text[len(digits) :].lower()
    return int(digits) * UNITS[unit] if digits.isdigit() and unit in UNITS else text


def read_config(root: str, path: str) -> dict[str, str]:
    """Return the directives of the configuration file *path* under *root*, included files in their places; the later line wins, as in Redis.

    ``save`` lines add up. Only last words are kept, in memory: callers pick what they need, and passwords never leave. Raises :class:`NotSeen`.
    """
    found: dict[str, str] = {}
    _read_into(found, root, path, INCLUDE_DEPTH)
    return found


def _read_into(found: dict[str, str], root: str, path: str, depth: int) -> None:
    if not path.startswith("/"):
        raise NotSeen(f"{path}: relative")
    if depth == 0:
        raise NotSeen(f"{path}: includes itself")
    try:
        text = pathlib.Path(root + path).read_text(encoding="utf-8", errors="replace")
    except OSError as problem:
        raise NotSeen(f"{path}: {problem.strerror}") from None
    for line in text.splitlines():
        name, words = _directive(line)
        if name == "include":
            for included in sorted(glob.glob(root + words[0])) or [root + words[0]]:
                _read_into(found, root, included[len(root) :], depth - 1)
        elif name == "save":
            found["save"] = " ".join(filter(None, [found.get("save", ""), *words])) if words != [""] else ""
        elif name:
            found[name] = " ".join(words)


def _directive(line: str) -> tuple[str, list[str]]:
    line = line.strip()
    if not line or line.startswith("#"):
        return "", []
    try:
        name, *words = shlex.split(line)
    except ValueError:
        name, *words = line.split()
    return name.lower(), words or [""]


def aof_written(root: str, running: t.Mapping[str, str]) -> bool:
    """Whether a whole append-only file is on disk: from Redis 7 a manifest and every file that it names, before that one file. Raises :class:`NotSeen`."""
    folder = pathlib.Path(root + running["dir"])
    name = running["appendfilename"]
    try:
        if not running["appenddirname"]:
            (folder / name).stat()
            return True
        folder = folder / running["appenddirname"]
        lines = [shlex.split(line) for line in (folder / f"{name}.manifest").read_text().splitlines()]
        files = [words[1] for words in lines if words[:1] == ["file"]]
        for file in files:
            (folder / file).stat()
        return bool(files)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, IndexError) as problem:
        raise NotSeen(f"{folder}: {getattr(problem, 'strerror', None) or problem}") from None


def shut_folders(root: str, pid: int, running: t.Mapping[str, str]) -> list[str]:
    """Return the folders that the server *pid* needs for its next snapshot or rewrite and may not write to. Raises :class:`NotSeen`.

    The kernel is asked as the server's own user, so that access control lists and read-only mounts count too; what the server has open already,
    it goes on writing, so nothing else tells before the next rewrite or the next start. A folder that is not there is :func:`aof_written`'s to tell.
    """
    folders = [running["dir"]] if running["save"] or not running["appenddirname"] else []
    if running["appendonly"] == "yes" and running["appenddirname"]:
        folders.append(f"{running['dir']}/{running['appenddirname']}")
    return [folder for folder in folders if not _may_write(root + folder, pid)]


def _may_write(folder: str, pid: int) -> bool:
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        ids = {name: [int(number) for number in numbers.split()] for name, numbers in re.findall(r"(?m)^(Uid|Gid|Groups):(.*)$", text)}
    except OSError as problem:
        # A server that has ended meanwhile is no server that may write.
        raise NotSeen(f"/proc/{pid}/status: {problem.strerror}") from None
    try:
        opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    except OSError as problem:
        raise NotSeen(f"{folder}: {problem.strerror}") from None
    user, group = ids["Uid"][1], ids["Gid"][1]
    rights: t.Any = {"user": user, "group": group, "extra_groups": ids["Groups"]} if os.geteuid() == 0 else {}
    try:
        # Through what is open already: the server's view of the files cannot be walked by everyone.
        place = f"/proc/self/fd/{opened}"
        asked = subprocess.run(["test", "-w", place, "-a", "-x", place], pass_fds=(opened,), check=False, capture_output=True, timeout=10, **rights)
    except (OSError, subprocess.SubprocessError) as problem:
        raise NotSeen(f"{folder}: {problem}") from None
    finally:
        os.close(opened)
    if asked.returncode not in (0, 1):
        raise NotSeen(f"{folder}: test ended with {asked.returncode}")
    return asked.returncode == 0


def room(root: str, folder: str) -> int:
    """Return the bytes that a process without privileges may still write to *folder*. Raises :class:`NotSeen`."""
    try:
        disk = os.statvfs(root + folder)
    except OSError as problem:
        raise NotSeen(f"{folder}: {problem.strerror}") from None
    return disk.f_bavail * disk.f_frsize


def memory_limit(pid: int) -> int | None:
    """Return the least memory limit of the control groups that *pid* lives in (systemd's MemoryMax, a container's), in bytes, or None."""
    limits = []
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers == "":
            limits += _limits("/sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
    return min(limits, default=None)


def _limits(base: str, path: str, name: str) -> list[int]:
    found = []
    for folder in (pathlib.PurePosixPath(path), *pathlib.PurePosixPath(path).parents):
        try:
            text = pathlib.Path(f"{base}{folder}", name).read_text().strip()
        except OSError:
            continue
        found += [int(text)] if text.isdigit() else []
    return found
