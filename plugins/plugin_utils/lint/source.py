# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML files as people wrote them: where each key stands, what was written there before YAML read it, and what is written twice.

Ansible keeps origins too, since 2.19, but only in private classes, not for keys nor for booleans, and it has forgotten what was written.
"""

from __future__ import annotations

import dataclasses
import typing as t

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML without libyaml: slower, the same marks
    from yaml import SafeLoader as Loader  # type: ignore[assignment]  # another class, the same interface

Path = tuple[t.Any, ...]


@dataclasses.dataclass(frozen=True)
class Duplicate:
    name: str
    first: int
    second: int


@dataclasses.dataclass(frozen=True)
class Place:
    """A value in a file. ``line`` is that of its key, counted from 1."""

    line: int
    node: yaml.Node

    @property
    def raw(self) -> str | None:
        """What was written, if it is a scalar without quotes: ``1.10`` where YAML saw 1.1."""
        return str(self.node.value) if isinstance(self.node, yaml.ScalarNode) and not self.node.style else None

    def inside(self, path: Path) -> Place:
        """Return the place of what lies at *path* in this value, or the nearest around it."""
        here = self
        for step in path:
            nearer = here._step(step)
            if nearer is None:
                return Place(here.line, yaml.MappingNode("", []))
            here = nearer
        return here

    def _step(self, step: t.Any) -> Place | None:
        if isinstance(self.node, yaml.SequenceNode) and isinstance(step, int) and step < len(self.node.value):
            entry = self.node.value[step]
            return Place(entry.start_mark.line + 1, entry)
        return next((place for key, _raw, place in entries(self.node) if key == step and type(key) is type(step)), None)

    def raw_key(self, key: t.Any) -> str | None:
        """Return what was written where YAML saw *key*."""
        return next((raw for seen, raw, _place in entries(self.node) if seen == key and type(seen) is type(key)), None)


def entries(node: yaml.Node) -> list[tuple[t.Any, str, Place]]:
    """Return ``(key, what was written, place of the value)`` of a mapping, the last of equal keys first, as YAML believes the last."""
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(scalar(key), str(key.value), Place(key.start_mark.line + 1, value)) for key, value in reversed(node.value) if isinstance(key, yaml.ScalarNode)]


def scalar(node: yaml.ScalarNode) -> t.Any:
    """Return what YAML 1.1, which Ansible speaks, makes of a key."""
    if node.tag == "tag:yaml.org,2002:str" or node.style:
        return str(node.value)
    try:
        return yaml.safe_load(node.value)
    except yaml.YAMLError:
        return str(node.value)


def read(text: str) -> yaml.Node | None:
    """Return the first document of *text*; None where it is no YAML (Ansible says so itself, or reads it as something else)."""
    try:
        return next(yaml.compose_all(text, Loader), None)
    except yaml.YAMLError:
        return None


def duplicates(node: yaml.Node | None, path: str = "") -> t.Iterator[Duplicate]:
    """Yield every key that is written twice in one mapping, at any depth."""
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            yield from duplicates(entry, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = f"{path}.{key.value}" if path else str(key.value)
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if name in seen:
                yield Duplicate(name, seen[name], line)
            seen[name] = line
        yield from duplicates(value, name)
