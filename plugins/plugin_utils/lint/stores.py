# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret store, asked for names only: whatever the inventory calls by name must be there."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import Setting

#: Returns the names of the keys at a path of the store: an empty set where there is none, None where the store cannot be asked.
SecretNames = t.Callable[[str], "set[str] | None"]

#: ``(where it is called, path#key, file, line)``
Called = tuple[str, str, str, int]


def required(values: t.Mapping[str, t.Any], settings: t.Mapping[str, Setting]) -> t.Iterator[Called]:
    """Yield what `environment_secrets_required` asks for: ``<process>#<NAME>``, unless `environment_secrets_path` or the name itself says otherwise."""
    wanted = values.get("environment_secrets_required")
    layout = str(values.get("environment_secrets_path", "{process}"))
    if not isinstance(wanted, dict):
        return
    origin = settings["environment_secrets_required"].origin
    for process, names in wanted.items():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            full = str(name) if "#" in str(name) else f"{layout.replace('{process}', str(process))}#{name}"
            yield f"environment_secrets_required.{process}[{index}]", full, origin.file, origin.inside((process, index))


def unknown(called: t.Iterable[Called], names_at: SecretNames, store: t.Any) -> t.Iterator[Mistake]:
    """Yield the names that the store does not have. Each path is asked once; a store that cannot be asked says nothing here (its item will)."""
    answers: dict[str, set[str] | None] = {}
    for place, name, file, line in called:
        path, _separator, key = name.partition("#")
        if path not in answers:
            answers[path] = names_at(path)
        have = answers[path]
        if have is None or key in have:
            continue
        where = _store(store, path)
        if have:
            yield Mistake("secret_unknown", file, line, {"name": place, "store": where, "key": key, "keys": ", ".join(sorted(have))})
        else:
            yield Mistake("secret_empty", file, line, {"name": place, "store": where, "key": key})


def _store(store: t.Any, path: str) -> str:
    """Return a store's path as people know it: ``openbao comanda/api``."""
    known = store if isinstance(store, dict) else {}
    place = f"{known['mount']}/{path}" if known.get("mount") else path
    return f"{known['kind']} {place}" if known.get("kind") else place
