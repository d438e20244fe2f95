# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the inventory, as the engine asks for them: one by one, by name, on a host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.plugin_utils.catalogue import Item

MISSING: t.Any = object()


class BrokenVariable(Exception):
    """A variable is there and cannot be resolved; ``name`` and ``message`` say which and why."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name)
        self.name = name
        self.message = message


class HostVariables:
    """The variables of one host, templated when asked for. A broken one is its own problem, not its host's."""

    def __init__(self, hostvars: t.Mapping[str, t.Any], host: str) -> None:
        self.host = host
        self._values = hostvars[host]

    def get(self, name: str, default: t.Any = MISSING) -> t.Any:
        """Return the value of *name*, or *default*. Raises :class:`BrokenVariable`."""
        if name not in self._values:
            return default
        try:
            return plain(self._values[name])
        except (AnsibleError, KeyError) as error:
            raise BrokenVariable(name, str(error).splitlines()[0][:300]) from error


def plain(value: t.Any) -> t.Any:
    """Return *value* as plain Python containers and scalars: Ansible hands out lazy containers and tagged strings."""
    if isinstance(value, t.Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value if value is None else str(value)


def names(item: Item, option: str, widest: str) -> list[str]:
    """Return the variables that may supply *option* of *item*, narrowest first."""
    chain = [f"{item.prefix}_{option}", f"{item.section}_{option}", f"golive_{option}"]
    return chain[: {"item": 1, "section": 2, "all": 3}[widest]]


def resolve(check: type[Check], item: Item, variables: HostVariables) -> dict[str, t.Any]:
    """Return the options of *check* that the inventory declares, raw. Raises :class:`BrokenVariable`."""
    found = {}
    for option, declared in check.options.items():
        chain = [declared["variable"]] if "variable" in declared else names(item, option, declared.get("widest", "item"))
        for name in chain:
            value = variables.get(name)
            if value is not MISSING:
                found[option] = _with_extra(name, value, variables)
                break
    return found


def _with_extra(name: str, value: t.Any, variables: HostVariables) -> t.Any:
    """Return *value* with ``<name>_extra`` merged over it, one level deep, where it is a dictionary and there is one."""
    extra = variables.get(f"{name}_extra")
    return {**value, **extra} if isinstance(value, dict) and isinstance(extra, dict) else value


def owner(item: Item, variables: HostVariables) -> str | None:
    """Return who answers for *item*."""
    for name in (f"{item.prefix}_owner", f"{item.section}_owner", "golive_owner"):
        value = variables.get(name)
        if value is not MISSING:
            return str(value)
    return None
