# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup on disk: ``<directory>/<id>/`` with ``manifest.json``, ``globals.sql``, ``schema.sql`` and ``dump/``.

It is finished when it has its final name, and not before.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import typing as t

Json = t.Any

MANIFEST = "manifest.json"

#: What the manifest's figures mean. 1: a table's hash was the sum of its rows' texts' hashes.
SCHEMA = 2

PARTIAL = ".partial-"
HISTORY = "history.jsonl"
LOCK = "lock"

#: ``20261124T130501Z-3fa9c1d2``: when its snapshot was taken (UTC), and a word that makes it the only one.
ID = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")


#: What :func:`read_manifest` raises where there is none, or none that can be read: it may be cut short, or be no manifest at all.
BROKEN = (OSError, ValueError, KeyError, AttributeError)


def sha256(path: pathlib.Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def described(folder: pathlib.Path) -> dict[str, dict[str, Json]]:
    """Return digest and size of every file of a backup but the manifest, by its path inside."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)): {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths}


def read_manifest(folder: pathlib.Path) -> dict[str, Json]:
    """Return the manifest of the backup in *folder*. Raises one of :data:`BROKEN`."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    body = {key: value for key, value in manifest.items() if key != "seal"}
    if manifest.get("seal") != seal(body):
        raise ValueError("the manifest was changed after it was written")
    return t.cast("dict[str, Json]", manifest)


def seal(body: t.Mapping[str, Json]) -> str:
    """Return the manifest's own digest: it guards the files, this guards it against accidents (not against who can rewrite both)."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def damage(folder: pathlib.Path, manifest: t.Mapping[str, Json], *, digests: bool = True) -> list[dict[str, Json]]:
    """Return what is wrong with the files, each as ``{code, name, wanted, found}``: missing, truncated, changed, or one that nobody wrote down."""
    told: list[dict[str, Json]] = []
    for name, wanted in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            told.append({"code": "member_missing", "name": name, "wanted": wanted["bytes"], "found": None})
            continue
        size = path.stat().st_size
        if size != wanted["bytes"]:
            code = "member_truncated" if size < wanted["bytes"] else "member_changed"
            told.append({"code": code, "name": name, "wanted": wanted["bytes"], "found": size})
        elif digests and sha256(path) != wanted["sha256"]:
            told.append({"code": "member_changed", "name": name, "wanted": wanted["sha256"], "found": "another digest"})
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST}
    told += [{"code": "member_extra", "name": name, "wanted": None, "found": name} for name in sorted(present - set(manifest["files"]))]
    return told


def publish(path: pathlib.Path, text: str) -> None:
    """Write a file that everybody may read: whole, then under its name."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    os.replace(fresh, path)


def roles_in(globals_sql: str) -> set[str]:
    """Return the roles that a file of ``pg_dumpall --globals-only`` makes."""
    found = re.findall(r'^CREATE ROLE (?:"((?:[^"]|"")+)"|(\S+));$', globals_sql, re.M)
    return {quoted.replace('""', '"') or plain for quoted, plain in found}


def listed(directory: pathlib.Path) -> list[str]:
    """Return the ids of the finished backups in *directory*, newest first."""
    return sorted((path.name for path in directory.iterdir() if ID.match(path.name)), reverse=True) if directory.is_dir() else []


def remember(directory: pathlib.Path, line: t.Mapping[str, Json], keep: int = 400) -> None:
    """Add one attempt to the history; the oldest go."""
    path = directory / HISTORY
    lines = [*history_lines(path)[-keep + 1 :], json.dumps(line, sort_keys=True, default=str)]
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(fresh, path)


def history_lines(path: pathlib.Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return []


def history(directory: pathlib.Path) -> list[dict[str, Json]]:
    """Return the attempts, oldest first. A line cut short by a full disk is left out."""
    found = []
    for line in history_lines(directory / HISTORY):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def settle(folder: pathlib.Path) -> None:
    """Have the kernel write *folder* and what is in it to the disk."""
    for path in [folder, *folder.rglob("*")]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
