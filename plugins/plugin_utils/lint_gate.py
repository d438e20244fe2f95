# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between preflight and the lint: the inventory as Ansible has it goes in, what must be told comes out."""

from __future__ import annotations

import typing as t

from ansible.parsing.dataloader import DataLoader

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, engine, secret_store
from ansible_collections.resto.golive.plugins.plugin_utils.lint import InventoryView, Mistake, explain, lint


def view(loader: DataLoader, variables: t.Mapping[str, t.Any]) -> InventoryView:
    return InventoryView.load(loader, list(variables["ansible_inventory_sources"]))


def mistakes(seen: InventoryView, variables: t.Mapping[str, t.Any]) -> list[Mistake]:
    """Return every mistake; the secret store is asked for names only, and a store that does not answer is the audit's business."""
    control = engine.control_variables(variables)
    store = control.get("environment_secrets_store", None)

    def names(path: str) -> set[str] | None:
        try:
            return set(secret_store.keys_of(path, store, lambda name: control.get(name, None)))
        except secret_store.NoSuchPath:
            return set()
        except secret_store.SecretError:
            return None

    return lint(seen, secret_names=names)


def told(found: t.Sequence[Mistake]) -> str:
    """Return the mistakes as a person reads them, Spanish first."""
    lines = [f"{mistake.text['es']}\n    {mistake.text['en']}" for mistake in found]
    return "\n".join([f"El inventario tiene {len(found)} errores / the inventory has {len(found)} mistakes:", *lines])


def explained(seen: InventoryView) -> str:
    """Return what ``-t inventory`` shows: variable, value, where from, read for which items."""
    return "\n".join(f"{row.variable} = {row.value}  [{row.origin['es']}]  {_readers(row.items)}" for row in explain(seen))


def _readers(items: t.Sequence[str]) -> str:
    return "todos / all" if len(items) == len(catalogue.items()) else ", ".join(items) or "golive"
