# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `-t inventory` shows: every variable, its value, where it comes from and what reads it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, variables, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint import names
from ansible_collections.resto.golive.plugins.plugin_utils.lint.formats import SECRET_VALUE
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Row, Text, sensitive, word
from ansible_collections.resto.golive.plugins.plugin_utils.lint.run import Whole
from ansible_collections.resto.golive.plugins.plugin_utils.lint.values import shown
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import InventoryView, Setting
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import NO_DEFAULT, Variable

#: Characters of a value that are shown.
LONG = 60


def explain(view: InventoryView) -> list[Row]:
    """Return every variable that is set, then the defaults of what is not, then what is not ours."""
    whole = Whole(view)
    have = set(whole.one_of_each)
    rows = [_row(whole, variable, setting) for variable, setting in whole.distinct()]
    for variable in vocabulary.known().values():
        if variable.default is not NO_DEFAULT and variable.level in (variable.widest, "engine") and not _supplied(variable, have):
            rows.append(Row(variable.name, short(variable.name, variable.default), "default", word("row_default"), variable.items, ()))
    strangers = sorted(name for name in have if names.judge(name, vocabulary.known(), whole.foreign) is names.FOREIGN)
    rows += [Row(name, "", "foreign", word("row_foreign"), (), tuple(whole.hosts_of(name))) for name in strangers]
    return rows


def _supplied(variable: Variable, have: set[str]) -> bool:
    """Say whether the inventory gives every reader of *variable* a value, by its own or by a narrower name."""
    if variable.name in have or not variable.items:
        return variable.name in have
    items = catalogue.items()
    return all(set(variables.names(items[item], variable.option, variable.widest)) & have for item in variable.items)


def _row(whole: Whole, variable: Variable, setting: Setting) -> Row:
    value = short(variable.name, whole.resolve(setting), secret=variable.secret)
    return Row(variable.name, value, "set", _where(setting), variable.items, tuple(whole.hosts_with(setting)))


def _where(setting: Setting) -> Text:
    origin = setting.origin
    if origin.kind == "extra":
        return word("row_extra")
    if not origin.line:
        return word("row_dynamic")
    place = f"{origin.file}:{origin.line}"
    return {"es": place, "en": place}


def short(name: str, value: t.Any, *, secret: bool = False) -> str:
    """Return *value* as a line can show it: what may be a secret is not shown, names in the store are."""
    if isinstance(value, (bool, int, float)):
        text = shown(value)
    else:
        text = value if isinstance(value, str) else json.dumps(_hidden(value), ensure_ascii=False, default=str)
    if SECRET_VALUE.search(text) or ((secret or sensitive(name)) and not _is_name(text)):
        return "…"
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _hidden(value: t.Any) -> t.Any:
    """Return *value* without what stands under a key that says it is secret, unless it is a name in the store."""
    if isinstance(value, dict):
        return {str(key): "…" if sensitive(str(key)) and isinstance(inner, str) and not _is_name(inner) else _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return "…" if isinstance(value, str) and SECRET_VALUE.search(value) else value


def _is_name(text: str) -> bool:
    return "#" in text and not text.startswith("#") and " " not in text
