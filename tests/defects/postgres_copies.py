# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoil the lab's backups in one way, or give back what was spoiled. Runs on the database's host as the job's own user, with the installed job's program.

Usage: python3 - WHAT. The originals lie in SAVED meanwhile; a wrong copy in the second place is told by the end of its id.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import shutil
import sys
import tempfile
import typing as t

from golive_pgbackup import files, offsite

CONFIG = json.loads(pathlib.Path("/etc/golive/backup.json").read_text(encoding="utf-8"))
DIRECTORY = pathlib.Path(CONFIG["directory"])
SAVED = pathlib.Path("/var/lib/golive_backup/spoilt")
ASIDE = pathlib.Path("/var/lib/golive_backup/aside")
WRONG = "dddddddd"
OLD = "eeeeeeee"

Body = dict[str, t.Any]


def newest() -> pathlib.Path:
    return DIRECTORY / files.listed(DIRECTORY)[0]


def save(path: pathlib.Path) -> pathlib.Path:
    """Keep a file's original, unless an earlier run did."""
    kept = SAVED / path.relative_to(DIRECTORY)
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        shutil.copy2(path, kept)
    return path


def flip_local() -> None:
    flip(save(largest(newest())))


def largest(folder: pathlib.Path) -> pathlib.Path:
    return max((folder / "dump").glob("*.dat*"), key=lambda path: path.stat().st_size)


def flip(path: pathlib.Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def edit_local() -> None:
    path = save(newest() / files.MANIFEST)
    made = json.loads(path.read_text(encoding="utf-8"))
    made["tables"][table(made)]["rows"] += 1
    path.write_text(json.dumps(made), encoding="utf-8")


def shrink() -> None:
    """Have the history tell of as many runs before as the median is taken of, ten times as large: also where it is a long one."""
    path = save(DIRECTORY / files.HISTORY)
    lines = path.read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    earlier = [{**last, "id": f"{last['id'][:-8]}0000000{number}", "archive_bytes": last["archive_bytes"] * 10} for number in range(7)]
    path.write_text("\n".join([*lines[:-1], *map(json.dumps, earlier), lines[-1]]) + "\n", encoding="utf-8")


def age() -> None:
    """Have the newest backup here be two days old, as after a weekend in which the job made none."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
    name = f"{at:%Y%m%dT%H%M%SZ}-{OLD}"
    shutil.copytree(newest(), DIRECTORY / name)
    reseal(DIRECTORY / name, {"id": name, "at": at.isoformat()})
    ASIDE.mkdir(exist_ok=True)
    for other in files.listed(DIRECTORY):
        if other != name:
            shutil.move(DIRECTORY / other, ASIDE / other)


def reseal(folder: pathlib.Path, changes: Body) -> None:
    made = {**files.read_manifest(folder), **changes}
    del made["seal"]
    (folder / files.MANIFEST).write_text(json.dumps({**made, "seal": files.seal(made)}), encoding="utf-8")


def table(made: Body) -> str:
    """Return the longest table that no policy cuts short: what is missing of one that a policy does has a name of its own."""
    free = [name for name, kept in made["tables"].items() if not kept["row_security"]]
    return max(free, key=lambda name: made["tables"][name]["rows"])


def a_row_more(folder: pathlib.Path, made: Body) -> None:
    made["tables"][table(made)]["rows"] += 1


def another_answer(folder: pathlib.Path, made: Body) -> None:
    made["invariants"][min(made["invariants"])] = [["0", "0"]]


def no_role(folder: pathlib.Path, made: Body) -> None:
    path = folder / "globals.sql"
    owner = made["database"]["owner"]
    path.write_text("".join(line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if owner not in line), encoding="utf-8")


def another_major(folder: pathlib.Path, made: Body) -> None:
    made["server_version"] = 990000


def store(change: t.Callable[[pathlib.Path, Body], None]) -> None:
    """Carry a copy there that is newer than all others, whole, sealed, and wrong."""
    with tempfile.TemporaryDirectory() as place:
        name = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{WRONG}"
        folder = pathlib.Path(place) / name
        shutil.copytree(newest(), folder)
        made = files.read_manifest(folder)
        del made["seal"]
        made["id"] = name
        change(folder, made)
        made["files"] = files.described(folder)
        (folder / files.MANIFEST).write_text(json.dumps({**made, "seal": files.seal(made)}), encoding="utf-8")
        offsite.send({**CONFIG, "directory": place}, name, made)


def back() -> None:
    """Give everything back; what was never spoiled stays."""
    for kept in [path for path in SAVED.rglob("*") if path.is_file()]:
        place = DIRECTORY / kept.relative_to(SAVED)
        if place.parent.is_dir():
            shutil.copy2(kept, place)
    shutil.rmtree(SAVED, ignore_errors=True)
    for kept in ASIDE.glob("*"):
        shutil.move(kept, DIRECTORY / kept.name)
    for name in files.listed(DIRECTORY):
        if name.endswith(OLD):
            shutil.rmtree(DIRECTORY / name)
    wrong = [one["snapshot"] for one in offsite.stored(CONFIG) if one["id"].endswith(WRONG)]
    if wrong:
        offsite.restic(CONFIG, "forget", *wrong)


DO: dict[str, t.Callable[[], None]] = {
    "flip_local": flip_local,
    "edit_local": edit_local,
    "shrink": shrink,
    "age": age,
    "a_row_more": lambda: store(a_row_more),
    "another_answer": lambda: store(another_answer),
    "no_role": lambda: store(no_role),
    "another_major": lambda: store(another_major),
    "back": back,
}

os.umask(0o077)
DO[sys.argv[1]]()
