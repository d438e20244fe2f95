# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as the lint sees it: the values that Ansible uses, beside the files that they were written in."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.resto.golive.plugins.plugin_utils.lint.files import Definition, Files
from ansible_collections.resto.golive.plugins.plugin_utils.variables import plain

CONTROL = "localhost"
EXTRA = Definition("-e", 0, "extra", "", None)

#: What Ansible itself adds to every host's variables.
MAGIC = frozenset(
    {
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "play_hosts",
        "playbook_dir",
        "role_name",
        "role_names",
        "role_path",
        "vars",
    }
)


class Unresolved(Exception):
    """A value is a template that cannot be resolved here; its items say so when they are audited."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """A variable as a host has it: the raw value and where it was written."""

    host: str
    name: str
    raw: t.Any
    origin: Definition


class InventoryView:
    """Every host's variables, with the place of each. Nothing is contacted; templates are resolved only when asked for."""

    def __init__(self, loader: DataLoader, inventory: InventoryManager, variables: VariableManager, sources: t.Iterable[str]) -> None:
        self._loader = loader
        self._inventory = inventory
        self._variables = variables
        self._seen: dict[str, dict[str, t.Any]] = {}
        # Without it a template could not look at another host, as it can in a play.
        HostVars(inventory, variables, loader)
        self.hosts: list[str] = sorted(str(host) for host in inventory.hosts)
        groups = sorted(inventory.groups.items())
        self.groups: dict[str, list[str]] = {str(name): sorted(str(host.name) for host in group.get_hosts()) for name, group in groups}
        self.extra: dict[str, t.Any] = dict(variables.extra_vars)
        self.files = Files(loader, [str(source) for source in sources])

    @classmethod
    def load(cls, loader: DataLoader, sources: t.Sequence[str]) -> InventoryView:
        """Read the inventory at *sources* once more, whole, whatever ``--limit`` says. In a task they are ``task_vars["ansible_inventory_sources"]``."""
        inventory = InventoryManager(loader=loader, sources=list(sources))
        return cls(loader, inventory, VariableManager(loader=loader, inventory=inventory), sources)

    @property
    def home(self) -> Definition:
        """Where to point when something is missing altogether: the first file of the group ``all``, else the inventory itself."""
        everywhere = [file for file in self.files.vars_files if file.kind == "group" and file.entity == "all"]
        shown = everywhere[0].shown if everywhere else next((shown for shown, _node in self.files.inventories), "-i")
        return Definition(shown, 1, "group", "all", None)

    def settings(self, host: str) -> dict[str, Setting]:
        """Return everything that the inventory and the command line set for *host*, by name."""
        return self._settings[host]

    @functools.cached_property
    def _settings(self) -> dict[str, dict[str, Setting]]:
        # The control node is there even if nobody wrote it down; what holds for the whole system is read on it.
        return {host: dict(self._of(host)) for host in dict.fromkeys([*self.hosts, CONTROL])}

    def _of(self, name: str) -> t.Iterator[tuple[str, Setting]]:
        host = self._inventory.get_host(name)
        if host is None:
            return
        for key, raw in self._vars_of(name).items():
            if key not in MAGIC and not key.startswith("ansible_") and raw is not None:
                yield key, Setting(name, key, raw, EXTRA if key in self.extra else self._origin(host, key))

    def _vars_of(self, name: str) -> dict[str, t.Any]:
        if name not in self._seen:
            self._seen[name] = self._variables.get_vars(host=self._inventory.get_host(name))
        return self._seen[name]

    def _origin(self, host: t.Any, name: str) -> Definition:
        """Return where the value that wins was written; Ansible's order: inline, files of all, inline of groups, files of groups, the host's own."""
        groups = [str(group.name) for group in sorted(host.get_groups(), key=lambda group: (group.depth, group.priority, group.name)) if group.name != "all"]
        layers = (
            ("group", ["all"], False),
            ("group", groups, False),
            ("group", ["all"], True),
            ("group", groups, True),
            ("host", [str(host.name)], False),
            ("host", [str(host.name)], True),
        )
        for kind, entities, in_file in reversed(layers):
            for entity in reversed(entities):
                found = self.files.defined(name, kind, entity, in_file=in_file)
                if found:
                    return found[-1]
        return self._elsewhere(host, name, groups)

    def _elsewhere(self, host: t.Any, name: str, groups: list[str]) -> Definition:
        """Return the place of what no YAML file defines: an INI inventory, a script, a plugin."""
        kind, entity = "unknown", ""
        if name in host.vars:
            kind, entity = "host", str(host.name)
        else:
            owners = [group for group in ("all", *groups) if name in self._inventory.groups[group].vars]
            if owners:
                kind, entity = "group", owners[-1]
        shown, line = self.files.mentioned(name)
        return Definition(shown, line, kind, entity, None)

    def resolved(self, setting: Setting) -> t.Any:
        """Return the value with its templates resolved, keys as YAML saw them. Raises :class:`Unresolved`."""
        if not templated(setting.raw):
            return bare(setting.raw)
        try:
            return bare(Templar(loader=self._loader, variables=self._vars_of(setting.host)).template(setting.raw))
        except (AnsibleError, KeyError) as error:
            raise Unresolved(setting.name) from error


def templated(value: t.Any) -> bool:
    """Say whether anything in *value* has to be resolved: a template, or a value that ansible-vault encrypted."""
    if isinstance(value, t.Mapping):
        return any(templated(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(templated(item) for item in value)
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return value is not None and not isinstance(value, (bool, int, float)) and not hasattr(value, "isoformat")


def bare(value: t.Any) -> t.Any:
    """Return *value* without Ansible's tags, its keys and dates as YAML saw them: what was eaten must still be seen."""
    if isinstance(value, t.Mapping):
        return {(plain(key) if not hasattr(key, "isoformat") else key): bare(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare(item) for item in value]
    return value if hasattr(value, "isoformat") else plain(value)
