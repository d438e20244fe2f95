# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary: every variable that the inventory may hold, from ``vocabulary.yml``, the check classes and the catalogue. Pure data."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue
from ansible_collections.resto.golive.plugins.plugin_utils.variables import names

Spec = dict[str, t.Any]
Data = t.Mapping[str, t.Any]

#: The option of an item whose variable is called like the item itself (``integrations_retries``).
SELF = "self"
#: Where a variable stands in the chain that looks for an option's value.
LEVELS = ("item", "section", "all")
NO_DEFAULT: t.Any = object()


@dataclasses.dataclass(frozen=True)
class Variable:
    """One name that the inventory may set.

    ``option`` and ``level`` (``item``, ``section``, ``all`` or ``engine``) say which link of which chain it is; ``items`` are those that read it
    (none: the engine does); ``source`` is the check that declares it, or ``vocabulary``. ``spec`` is complete: shapes are filled in.
    """

    name: str
    option: str
    level: str
    widest: str
    items: tuple[str, ...]
    spec: Spec
    source: str

    @property
    def default(self) -> t.Any:
        return self.spec.get("default", NO_DEFAULT)

    @property
    def secret(self) -> bool:
        return bool(self.spec.get("format") == "secret")

    @property
    def groups(self) -> frozenset[str]:
        """The inventory groups, by the catalogue's names, on whose hosts it is read."""
        return frozenset(catalogue.items()[item].group for item in self.items)


class Clash(Exception):
    """Two different options resolve to one name, or two checks want different types of one option."""


@functools.cache
def known() -> dict[str, Variable]:
    """Return every variable by its name. What a check class declares wins over the vocabulary's own."""
    return merge(_data(), CHECKS)


def merge(data: Data, checks: t.Mapping[str, type[Check]]) -> dict[str, Variable]:
    """Return what *data* (``vocabulary.yml``) and *checks* declare together, by name, in order. Raises :class:`Clash`."""
    shapes = _Shapes(data["shapes"])
    table: dict[str, Variable] = {}
    declared = _of_checks(data, checks, shapes)
    for variable in declared:
        _add(table, variable)
    taken = set(table)
    for variable in _of_vocabulary(data, shapes):
        if variable.name not in taken:
            _add(table, variable)
    return dict(sorted(table.items()))


def duplicates(data: Data | None = None, checks: t.Mapping[str, type[Check]] | None = None) -> list[str]:
    """Return the names that the vocabulary says although a check class says them: they must leave ``vocabulary.yml``."""
    data = _data() if data is None else data
    shapes = _Shapes(data["shapes"])
    by_checks = {variable.name for variable in _of_checks(data, CHECKS if checks is None else checks, shapes)}
    return sorted(by_checks & {variable.name for variable in _of_vocabulary(data, shapes)})


@functools.cache
def _data() -> Data:
    return t.cast("Data", yaml_load(pathlib.Path(__file__).with_name("vocabulary.yml").read_text(encoding="utf-8")))


class _Shapes:
    """Fills the names of shapes in, so that whoever walks a spec finds everything in it."""

    def __init__(self, shapes: t.Mapping[str, t.Any]) -> None:
        self._shapes = shapes

    def fill(self, spec: str | Spec) -> Spec:
        if isinstance(spec, str):
            return self.fill(self._shapes[spec])
        if "shape" in spec:
            spec = {**self.fill(spec["shape"]), **{key: value for key, value in spec.items() if key != "shape"}}
        filled = dict(spec)
        for key in ("elements", "values"):
            if key in filled:
                filled[key] = self.fill(filled[key])
        if "keys" in filled:
            filled["keys"] = {name: self.fill(inner) for name, inner in filled["keys"].items()}
        if "or" in filled:
            filled["or"] = [self.fill(inner) for inner in filled["or"]]
        return filled


#: Types of argument specs in the words of ours. Whatever else they know (``jsonarg``, ``bytes``, …) is not looked into.
_TYPES = {"str": "str", "path": "str", "int": "int", "float": "number", "bool": "bool", "list": "list", "dict": "dict"}


def from_argument_spec(option: Data) -> Spec:
    """Return an argument spec's entry as a spec of ours."""
    spec: Spec = {"type": _TYPES.get(option.get("type", "str"), "any")}
    for key in ("choices", "widest", "example"):
        if option.get(key):
            spec[key] = option[key]
    if option.get("default") is not None:
        spec["default"] = option["default"]
    if option.get("secret"):
        spec["format"] = "secret"
    inner: Spec | None = None
    if option.get("options"):
        inner = {"type": "dict", "keys": {name: from_argument_spec(entry) for name, entry in option["options"].items()}}
        inner["required"] = [name for name, entry in option["options"].items() if entry.get("required")]
    if spec["type"] == "dict":
        spec.update(inner or {"values": {"type": "any"}})
    elif spec["type"] == "list":
        spec["elements"] = inner or {"type": _TYPES.get(option.get("elements", "raw"), "any")}
    return spec


def _of_checks(data: Data, checks: t.Mapping[str, type[Check]], shapes: _Shapes) -> t.Iterator[Variable]:
    items = catalogue.items()
    for check in checks.values():
        for option, entry in check.options.items():
            if "variable" in entry:
                continue  # another's variable: its spec stands where it is declared
            for item in check.items:
                for variable in _chain(items[item], option, from_argument_spec(entry), check.name):
                    shape = data["refine"].get(variable.name)
                    yield dataclasses.replace(variable, spec={**variable.spec, **shapes.fill(shape)}) if shape else variable


def _of_vocabulary(data: Data, shapes: _Shapes) -> t.Iterator[Variable]:
    for item in catalogue.items().values():
        own = data["items"].get(item.id, {})
        shared = {option: spec for option, spec in data["sections"].get(item.section, {}).items() if item.id in _only(spec, item.id)}
        for widest, options in (("item", own), ("section", shared), ("all", data["every_item"])):
            for option, spec in options.items():
                filled = shapes.fill(spec)
                filled.setdefault("widest", widest)
                for variable in _chain(item, option, filled, "vocabulary"):
                    yield from _with_extra(variable)
    for name, spec in data["engine"].items():
        yield from _with_extra(Variable(name, name.removeprefix("golive_"), "engine", "all", (), shapes.fill(spec), "vocabulary"))


def _only(spec: t.Any, item: str) -> t.Collection[str]:
    return t.cast("list[str]", spec.get("only", [item])) if isinstance(spec, dict) else [item]


def _chain(item: catalogue.Item, option: str, spec: Spec, source: str) -> t.Iterator[Variable]:
    """Yield the variables that may supply *option* of *item*, narrowest first."""
    widest = spec.get("widest", "item")
    chain = [item.prefix] if option == SELF else names(item, option, widest)
    narrowest = LEVELS.index(spec.get("narrowest", "item"))
    for level, name in list(zip(LEVELS, chain, strict=False))[narrowest:]:
        yield Variable(name, option, level, widest, (item.id,), spec, source)


def _with_extra(variable: Variable) -> t.Iterator[Variable]:
    """Yield *variable* and, where its values are merged, the one that is merged over it; of a shared one only the widest has it."""
    yield variable
    if variable.spec.get("extra") and variable.level in (variable.widest, "engine"):
        yield dataclasses.replace(variable, name=f"{variable.name}_extra", option=f"{variable.option}_extra")


def _add(table: dict[str, Variable], variable: Variable) -> None:
    """Add *variable*, or its items where the same option is there already for another item or check."""
    there = table.setdefault(variable.name, variable)
    if there is variable:
        return
    if (there.option, there.level, there.spec.get("type")) != (variable.option, variable.level, variable.spec.get("type")):
        raise Clash(f"{variable.name}: {there.source} {there.items} {there.option} and {variable.source} {variable.items} {variable.option}")
    table[variable.name] = dataclasses.replace(there, items=tuple(dict.fromkeys((*there.items, *variable.items))))
