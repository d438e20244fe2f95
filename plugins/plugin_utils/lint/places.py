# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things in the wrong place: files that Ansible passes over in silence, keys written twice, variables set where nobody reads them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue
from ansible_collections.resto.golive.plugins.plugin_utils.lint import source
from ansible_collections.resto.golive.plugins.plugin_utils.lint.files import Definition
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake, word
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names import suggestion
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import CONTROL, InventoryView
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import Variable

#: Hosts or groups that a sentence can hold.
_FEW = 6


def files(view: InventoryView) -> t.Iterator[Mistake]:
    """Yield files that nothing reads, and keys that are written twice in one mapping."""
    for file in [*view.files.vars_files, *view.files.not_read]:
        known = sorted(view.groups) if file.kind == "group" else sorted({*view.hosts, CONTROL})
        if file.entity not in known:
            near = suggestion(file.entity, known)
            others = [name for name in known if name not in ("all", "ungrouped", CONTROL)]
            said = word("did_you_mean", suggestion=near) if near else word("groups_known", known=", ".join(others))
            yield Mistake("file_no_group" if file.kind == "group" else "file_no_host", file.shown, 0, {"file": file.shown, "suggestion": said})
    for file in view.files.not_read:
        yield Mistake("file_shadowed", file.shown, 0, {"file": file.shown, "other": file.by})
    for shown, node in [*((file.shown, file.node) for file in view.files.vars_files), *view.files.inventories]:
        for twice in source.duplicates(node):
            yield Mistake("twice", shown, twice.second, {"name": twice.name, "first": twice.first, "second": twice.second})


@dataclasses.dataclass(frozen=True)
class Readers:
    """Which of the inventory's groups stand for the catalogue's (``golive_groups``), and who is in them."""

    view: InventoryView
    mapped: t.Mapping[str, str]

    def group(self, name: str) -> str:
        return str(self.mapped.get(name, name))

    def hosts(self, variable: Variable) -> list[str]:
        return sorted({host for group in variable.groups for host in self.view.groups.get(self.group(group), ())})

    def groups(self, variable: Variable) -> list[str]:
        return sorted(self.group(group) for group in variable.groups)

    @property
    def sections(self) -> set[str]:
        """The inventory's names of the groups that carry a section's variables."""
        return {self.group(item.group) for item in catalogue.items().values()}


def place(variable: Variable, origin: Definition, hosts: t.Sequence[str], readers: Readers) -> Mistake | None:
    """Return what is wrong with *variable* being written at *origin*, which gives it to *hosts*; None if somebody reads it there."""
    if origin.kind in ("extra", "unknown") or (origin.kind, origin.entity) == ("group", "all"):
        return None
    if variable.level in ("all", "engine"):
        return Mistake("place_all", origin.file, origin.line, {"name": variable.name, "where": origin.entity})
    own = readers.groups(variable)
    if origin.kind == "group" and origin.entity in readers.sections and origin.entity not in own:
        if not set(hosts) & set(readers.hosts(variable)):
            return _elsewhere(variable, origin, hosts, readers)
        params = {"name": variable.name, "file": origin.file, "group": origin.entity, "own": ", ".join(own)}
        return Mistake("place_group", origin.file, origin.line, params)
    return None if set(hosts) & set(readers.hosts(variable)) else _elsewhere(variable, origin, hosts, readers)


def _elsewhere(variable: Variable, origin: Definition, hosts: t.Sequence[str], readers: Readers) -> Mistake | None:
    reading = readers.hosts(variable)
    if not reading:
        return None  # its group has no hosts yet: the manifest says so
    return Mistake("place", origin.file, origin.line, {"name": variable.name, "hosts": _few(hosts), "readers": _few(reading)})


def _few(names: t.Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (", …" if len(names) > _FEW else "")
