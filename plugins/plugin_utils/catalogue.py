# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: the 40 items of the checklist, as data. Their ids are for ever."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load

Text = dict[str, str]  # {"es": …, "en": …}

SEVERITIES = ("low", "medium", "high", "critical")


@dataclasses.dataclass(frozen=True)
class Item:
    """One box of the checklist. ``max_age_h`` is in hours; ``group`` is the inventory group that carries its variables."""

    id: str
    number: str
    title: Text
    why: Text
    fix: Text
    severity: str
    waivable: bool
    group: str
    max_age_h: float
    release_bound: bool
    attestation: bool

    @property
    def section(self) -> str:
        return self.id.partition(".")[0]

    @property
    def prefix(self) -> str:
        """Start of the names of its variables: ``environment_tls`` for ``environment.tls``."""
        return self.id.replace(".", "_")


@functools.cache
def _data() -> dict[str, t.Any]:
    path = pathlib.Path(__file__).with_name("catalogue.yml")
    return t.cast("dict[str, t.Any]", yaml_load(path.read_text(encoding="utf-8")))


@functools.cache
def items() -> dict[str, Item]:
    """Return all items by id, in the checklist's order."""
    fields = [field.name for field in dataclasses.fields(Item)]
    return {entry["id"]: Item(**{name: entry[name] for name in fields}) for entry in _data()["items"]}


@functools.cache
def sections() -> dict[str, Text]:
    """Return the sections' titles by section id, in the checklist's order."""
    return {entry["id"]: entry["title"] for entry in _data()["sections"]}
