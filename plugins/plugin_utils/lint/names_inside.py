# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says once and others refer to: requests, logins, tenants, providers, domains, words in braces."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue

#: Words that the engine itself provides (inventory contract, section 3.2), and those of logins and of the secret store's layout.
ENGINE_WORDS = frozenset(
    {
        *("cid", "cids", "before", "event_id", "tenant", "zone", "phone", "user", "password", "totp", "token", "refresh_token", "csrf"),
        *("at", "now", "release", "previous", "backup_at", "process"),
    }
)

#: Where the names of each kind come from: the variables whose keys they are, and what is always there.
_KEYS_OF: dict[str, tuple[str, ...]] = {
    "request": ("golive_requests", "golive_requests_extra"),
    "login": ("golive_logins", "golive_logins_extra"),
    "tenant": ("golive_tenants",),
    "provider": ("integrations_providers", "integrations_providers_extra"),
    "service": ("golive_services", "golive_services_extra"),
    "domain": ("golive_domains",),
}
_ALWAYS: dict[str, tuple[str, ...]] = {"login": ("anonymous",)}
#: Dependencies that can be cut without being a provider.
_STORES = ("postgres", "redis")

_WORD = re.compile(r"(?<!\{)\{([a-z_][a-z0-9_]*)\}(?!\})")
_ALIAS = re.compile(r"\bas\s+([a-z_][a-z0-9_]*)", re.IGNORECASE)


class NamesInside:
    """The names that *values* (variable → value, as the whole system has them) provide."""

    def __init__(self, values: t.Mapping[str, t.Any]) -> None:
        self._values = values
        self.of: dict[str, list[str]] = {kind: sorted({*self._keys(*variables), *_ALWAYS.get(kind, ())}) for kind, variables in _KEYS_OF.items()}
        self.of["item"] = list(catalogue.items())
        self.of["role"] = sorted(self._roles())
        self.of["dependency"] = sorted({*self.of["provider"], *_STORES})
        self.words = sorted(ENGINE_WORDS | set(_saved(dict(values))))

    def declared(self, kind: str) -> bool:
        """Say whether names of *kind* are declared at all; services and processes are also found by discovery."""
        return kind in self.of and not (kind == "service" and not self.of[kind])

    def _keys(self, *variables: str) -> set[str]:
        return {str(key) for variable in variables for key in self._mapping(variable) if not str(key).startswith("x_")}

    def _mapping(self, variable: str) -> t.Mapping[t.Any, t.Any]:
        value = self._values.get(variable)
        return value if isinstance(value, t.Mapping) else {}

    def _roles(self) -> set[str]:
        logins = {**self._mapping("golive_logins"), **self._mapping("golive_logins_extra")}
        return {"anonymous"} | {str(login.get("role", name)) for name, login in logins.items() if isinstance(login, t.Mapping)}


def words(text: str) -> list[str]:
    """Return the words in braces in *text*."""
    return _WORD.findall(text)


def _saved(value: t.Any) -> t.Iterator[str]:
    """Yield what `save` names and what a select calls its columns, anywhere in *value*."""
    if isinstance(value, t.Mapping):
        for key, inner in value.items():
            if key == "save" and isinstance(inner, t.Mapping):
                yield from (str(name) for name in inner)
            if key == "sql" and isinstance(inner, str):
                yield from _ALIAS.findall(inner)
            yield from _saved(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _saved(inner)
