# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that an inventory is written in, found by Ansible's own rules: which are read, which are not, and what stands where in them."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re
import typing as t

import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.resto.golive.plugins.plugin_utils.lint import source
from ansible_collections.resto.golive.plugins.plugin_utils.variables import plain

_FOLDERS = {"group_vars": "group", "host_vars": "host"}


@dataclasses.dataclass(frozen=True)
class Definition:
    """One place where a variable is written. ``kind`` is ``group``, ``host``, ``extra`` or ``unknown``; ``entity`` is the group's or host's name."""

    file: str
    line: int
    kind: str
    entity: str
    place: source.Place | None

    def inside(self, path: source.Path) -> int:
        """Return the line of what lies at *path* in the value."""
        return self.place.inside(path).line if self.place else self.line


@dataclasses.dataclass(frozen=True)
class VarsFile:
    """A file of ``group_vars`` or ``host_vars`` that belongs to *entity*; ``by`` is what Ansible reads in its place, if anything."""

    shown: str
    kind: str
    entity: str
    node: yaml.Node | None
    by: str = ""


class Files:
    """All files of an inventory."""

    def __init__(self, loader: DataLoader, sources: t.Sequence[str]) -> None:
        self._loader = loader
        self._sources = [pathlib.Path(path) for path in sources if not ("," in path and not os.path.exists(path)) and os.path.exists(path)]
        self.vars_files: list[VarsFile] = []
        self.not_read: list[VarsFile] = []
        for base in self._bases():
            for folder, kind in _FOLDERS.items():
                self._scan(base / folder, kind)
        #: Inventory files: how they are shown, and what they hold if they are YAML.
        inventories = [path for given in self._sources for path in _inventory_files(given)]
        self.inventories: list[tuple[str, yaml.Node | None]] = [(shown(path), self._read(path)) for path in inventories]

    def _bases(self) -> list[pathlib.Path]:
        """Return the directories whose ``group_vars`` and ``host_vars`` count: beside each inventory, then beside the playbook."""
        beside = [path if path.is_dir() else path.parent for path in self._sources]
        return list(dict.fromkeys(pathlib.Path(os.path.realpath(base)) for base in (*beside, self._loader.get_basedir())))

    def _scan(self, folder: pathlib.Path, kind: str) -> None:
        if not folder.is_dir():
            return
        entities: dict[str, list[pathlib.Path]] = {}
        for path in sorted(folder.iterdir()):
            name = _entity(path, kind)
            if name:
                entities.setdefault(name, []).append(path)
        for entity, paths in entities.items():
            read = [pathlib.Path(str(found)) for found in self._loader.find_vars_files(str(folder), entity)]
            self.vars_files += [VarsFile(shown(path), kind, entity, self._read(path)) for path in read]
            used = next((path for path in paths if path in read or path.is_dir()), None)
            for path in paths:
                if path.is_file() and path not in read:
                    self.not_read.append(VarsFile(shown(path), kind, entity, None, by=f"{used.name}/" if used and used.is_dir() else used.name if used else ""))

    def _read(self, path: pathlib.Path) -> yaml.Node | None:
        if path.suffix and path.suffix not in constants.YAML_FILENAME_EXTENSIONS:
            return None
        try:
            return source.read(str(plain(self._loader.get_text_file_contents(str(path)))))
        except AnsibleError:  # encrypted, and the password is not here: Ansible could not read it either and says so
            return None

    def defined(self, name: str, kind: str, entity: str, *, in_file: bool) -> list[Definition]:
        """Return where *name* is written for *entity*, in Ansible's order: in files of ``group_vars`` and ``host_vars``, or in the inventory itself."""
        return (self._in_files if in_file else self._inline).get((kind, entity, name), [])

    @functools.cached_property
    def _in_files(self) -> dict[tuple[str, str, str], list[Definition]]:
        found: dict[tuple[str, str, str], list[Definition]] = {}
        for file in self.vars_files:
            if file.node is not None:
                _note(found, file.shown, file.kind, file.entity, file.node)
        return found

    @functools.cached_property
    def _inline(self) -> dict[tuple[str, str, str], list[Definition]]:
        found: dict[tuple[str, str, str], list[Definition]] = {}
        for file, node in self.inventories:
            for group, _raw, place in source.entries(node) if node is not None else ():
                _walk_group(found, file, str(group), place.node)
        return found

    def mentioned(self, name: str) -> tuple[str, int]:
        """Return the first line of an inventory that is no YAML where *name* is set."""
        pattern = re.compile(rf"(?:^|\s){re.escape(name)}\s*=")
        for base in self._sources:
            for path in _inventory_files(base):
                if path.suffix in ("", ".ini", ".cfg"):
                    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                        if pattern.search(line):
                            return shown(path), number
        return (shown(self._sources[0]), 0) if self._sources else ("-i", 0)


def _note(found: dict[tuple[str, str, str], list[Definition]], file: str, kind: str, entity: str, node: yaml.Node) -> None:
    written: dict[str, Definition] = {}
    for key, _raw, place in source.entries(node):
        written.setdefault(str(key), Definition(file, place.line, kind, entity, place))
    for name, definition in written.items():
        found.setdefault((kind, entity, name), []).append(definition)


def _walk_group(found: dict[tuple[str, str, str], list[Definition]], file: str, group: str, node: yaml.Node) -> None:
    parts = {key: place.node for key, _raw, place in source.entries(node)}
    if "vars" in parts:
        _note(found, file, "group", group, parts["vars"])
    for host, _raw, place in source.entries(parts["hosts"]) if "hosts" in parts else ():
        _note(found, file, "host", str(host), place.node)
    for child, _raw, place in source.entries(parts["children"]) if "children" in parts else ():
        _walk_group(found, file, str(child), place.node)


#: Endings of notes and copies, which nobody takes for the end of a host's name.
_NOTES = frozenset({".md", ".rst", ".txt", ".bak", ".orig", ".old", ".disabled", ".j2"})


def _entity(path: pathlib.Path, kind: str) -> str | None:
    """Return the group or host that a path of ``group_vars`` or ``host_vars`` is for; None for what Ansible never looks at."""
    if path.name.startswith(".") or path.name.endswith("~"):
        return None
    if path.is_dir():
        return path.name
    if path.suffix in constants.YAML_FILENAME_EXTENSIONS:
        return path.stem
    return path.name if not path.suffix or (kind == "host" and path.suffix not in _NOTES) else None


def _inventory_files(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of an inventory source; in a directory ``group_vars`` and what Ansible ignores are left out."""
    if not path.is_dir():
        return [path]
    ignored = tuple(constants.INVENTORY_IGNORE_EXTS)
    entries = [entry for entry in sorted(path.iterdir()) if entry.name not in _FOLDERS and not entry.name.startswith(".") and not entry.name.endswith(ignored)]
    return [file for entry in entries for file in _inventory_files(entry)]


def shown(path: pathlib.Path) -> str:
    """Return *path* as people read it: from the current directory if it is below that. A link keeps its own name, the one in the inventory."""
    whole = pathlib.Path(os.path.realpath(path.parent)) / path.name
    here = pathlib.Path(os.path.realpath("."))
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)
