# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint: all mistakes of an inventory at once, in one order, before the first host is touched."""

from __future__ import annotations

import datetime
import fnmatch
import json
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint import names, people, places, stores
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names_inside import NamesInside
from ansible_collections.resto.golive.plugins.plugin_utils.lint.values import ValueLint
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import CONTROL, InventoryView, Setting, Unresolved, templated
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import Variable


class Whole:
    """The inventory and the vocabulary together."""

    def __init__(self, view: InventoryView) -> None:
        self.view = view
        self.known = vocabulary.known()
        self._by_name: dict[str, list[Setting]] = {}
        for host in dict.fromkeys([*view.hosts, CONTROL]):
            for name, setting in view.settings(host).items():
                self._by_name.setdefault(name, []).append(setting)
        #: One setting of each variable, and the values of those that are ours: what is said once holds for the whole system.
        self.one_of_each = {name: settings[0] for name, settings in sorted(self._by_name.items())}
        self.everywhere = {name: self.resolve(setting) for name, setting in self.one_of_each.items() if name in self.known}
        self._inside = NamesInside(self.everywhere)
        mapped = self.everywhere.get("golive_groups")
        self._readers = places.Readers(view, mapped if isinstance(mapped, dict) else {})

    def resolve(self, setting: Setting) -> t.Any:
        """Return the value of *setting*; None where its template cannot be resolved here."""
        try:
            return self.view.resolved(setting)
        except Unresolved:
            return None

    def foreign(self, name: str) -> bool:
        patterns = self.everywhere.get("golive_foreign")
        return any(fnmatch.fnmatchcase(name, str(pattern)) for pattern in (patterns if isinstance(patterns, list) else ()))

    def hosts_of(self, name: str) -> list[str]:
        return [setting.host for setting in self._by_name[name] if setting.host in self.view.hosts]

    def hosts_with(self, setting: Setting) -> list[str]:
        """Return the hosts that have *setting* from the same place."""
        return [other.host for other in self._by_name[setting.name] if other.origin == setting.origin and other.host in self.view.hosts]

    def each(self, name: str) -> list[Setting]:
        """Return the settings of *name*, one for each place where it is written, or one a host where a template may differ."""
        found: dict[tuple[str, ...], Setting] = {}
        for setting in self._by_name.get(name, ()):
            key = (setting.origin.file, str(setting.origin.line), setting.host if templated(setting.raw) else "")
            found.setdefault(key, setting)
        return list(found.values())

    def distinct(self) -> t.Iterator[tuple[Variable, Setting]]:
        for name in self.one_of_each:
            if name in self.known:
                for setting in self.each(name):
                    yield self.known[name], setting

    def of_item(self, item: catalogue.Item) -> t.Mapping[str, Setting]:
        """Return what the first host of the item's group has; where there is none, what holds everywhere."""
        hosts = self.view.groups.get(self._readers.group(item.group)) or [CONTROL]
        return self.view.settings(hosts[0])

    def slips(self) -> t.Iterator[Mistake]:
        for name in self.one_of_each:
            slip = names.judge(name, self.known, self.foreign)
            if slip is not None and slip is not names.FOREIGN:
                for setting in self.each(name):
                    yield Mistake(slip.code, setting.origin.file, setting.origin.line, slip.params)

    def values(self, variable: Variable, setting: Setting, called: list[stores.Called]) -> list[Mistake]:
        try:
            value = self.view.resolved(setting)
        except Unresolved:
            return []
        if value is None:
            return []
        look = ValueLint(self._inside, setting.origin, setting.name, templated(setting.raw))
        look.look(value, variable.spec)
        called += [(place, name, setting.origin.file, line) for place, name, line in look.secrets]
        return look.mistakes

    def misplaced(self) -> t.Iterator[Mistake]:
        for name, settings in sorted(self._by_name.items()):
            if name not in self.known or name in people.SIGNED:  # where signatures may stand is told by their own rule
                continue
            hosts: dict[tuple[str, int], list[Setting]] = {}
            for setting in settings:
                hosts.setdefault((setting.origin.file, setting.origin.line), []).append(setting)
            for same in hosts.values():
                mistake = places.place(self.known[name], same[0].origin, [setting.host for setting in same], self._readers)
                if mistake is not None:
                    yield mistake


def lint(view: InventoryView, *, now: datetime.datetime | None = None, secret_names: stores.SecretNames | None = None) -> list[Mistake]:
    """Return every mistake of the inventory, sorted by file and line.

    *secret_names* asks the store for the names of the keys at a path (never for values); without it nothing is asked. *now* must know its zone.
    """
    whole = Whole(view)
    mistakes = [*places.files(view), *whole.slips()]
    called: list[stores.Called] = []
    for variable, setting in whole.distinct():
        mistakes += whole.values(variable, setting, called)
    mistakes += whole.misplaced()
    mistakes += people.owners(whole.of_item, whole.resolve, view.home)
    for name in people.SIGNED:
        for setting in whole.each(name):
            mistakes += people.signatures(setting, whole.resolve(setting), now or datetime.datetime.now(datetime.UTC))
    if secret_names is not None:
        called += stores.required(whole.everywhere, whole.one_of_each)
        mistakes += stores.unknown(dict.fromkeys(called), secret_names, whole.everywhere.get("environment_secrets_store"))
    return sorted({json.dumps(mistake.as_dict(), sort_keys=True): mistake for mistake in mistakes}.values(), key=lambda mistake: mistake.order)
