# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of variables in docs/inventory*.md, made from the vocabulary. Run as a program it writes both pages; test_page.py compares them."""

from __future__ import annotations

import functools
import json
import pathlib
import re

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint.values import wanted
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import NO_DEFAULT, Variable

ROOT = pathlib.Path(catalogue.__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs/inventory.md", "es": ROOT / "docs/inventory.es.md"}
BEGIN, END = "<!-- variables: begin -->", "<!-- variables: end -->"
HEADS = {"en": "| variable | what | default | read for |", "es": "| variable | qué | por defecto | se lee para |"}
SYSTEM = {"en": "the whole system", "es": "todo el sistema"}
SECRET = {"en": "name of a secret, `path#key`", "es": "nombre de un secreto, `ruta#clave`"}

#: Behind the items for which nothing reads the variable yet; the page says what it means.
NOT_YET = " \\*"

#: Every item has these; the page says so once, in words.
_EVERYWHERE = ("owner", "impact", "not_applicable")


@functools.cache
def _read() -> frozenset[str]:
    """Every word of the roles, the playbooks and the doors: what they name, they read. What checks read is theirs by declaration (:func:`_readers`)."""
    rooms = [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "roles").rglob("*.j2"), *(ROOT / "playbooks").glob("*.yml")]
    doors = [path for room in ("action", "plugin_utils") for path in (ROOT / "plugins" / room).glob("*.py") if path.stem != "vocabulary"]
    return frozenset(word for path in (*rooms, *doors) for word in re.findall(r"\w+", path.read_text(encoding="utf-8")))


@functools.cache
def _readers() -> dict[str, frozenset[str]]:
    """The items of the checks whose options name a variable of the whole system or of another section (``variable``), by that variable."""
    found: dict[str, set[str]] = {}
    for check in CHECKS.values():
        for entry in check.options.values():
            if "variable" in entry:
                found.setdefault(entry["variable"], set()).update(check.items)
    return {name: frozenset(items) for name, items in found.items()}


def rows(language: str) -> str:
    """Return the table's lines: of each option the widest name, in alphabetical order."""
    lines = [HEADS[language], "|---|---|---|---|"]
    for variable in vocabulary.known().values():
        if variable.level in (variable.widest, "engine") and (variable.option not in _EVERYWHERE or variable.level == "all"):
            lines.append(_row(variable, language))
    return "\n".join(lines)


def _row(variable: Variable, language: str) -> str:
    what = SECRET[language] if variable.secret else wanted(variable.spec)[language]
    if variable.spec.get("choices"):
        what = ", ".join(f"`{choice}`" for choice in variable.spec["choices"])
    default = "" if variable.default in (NO_DEFAULT, "") else f"`{json.dumps(variable.default, ensure_ascii=False)}`"
    return f"| `{variable.name}` | {what.replace('|', '¦')} | {default} | {_for(variable, language)} |"


def _for(variable: Variable, language: str) -> str:
    """Return what *variable* is read for. Where only some of its items have a check that reads it, the others stand behind them, marked."""
    every = list(catalogue.items())
    if len(variable.items) in (0, len(every)):
        return SYSTEM[language] + (NOT_YET if variable.spec.get("later") else "")
    # What is merged over a variable is read where that one is.
    elsewhere = _readers().get(variable.name.removesuffix("_extra"), frozenset())
    known = variable.source != "vocabulary" or variable.option in _EVERYWHERE or variable.name in _read()
    read = elsewhere | frozenset(variable.items) if known and not variable.spec.get("later") else elsewhere
    told = [", ".join(item for item in every if item in read), ", ".join(item for item in every if item in variable.items and item not in read)]
    return "; ".join(filter(None, (told[0], told[1] and told[1] + NOT_YET)))


def filled(text: str, language: str) -> str:
    """Return the page with its list as the vocabulary has it now."""
    before, _separator, rest = text.partition(BEGIN)
    _old, _separator, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rows(language)}\n{END}{after}"


if __name__ == "__main__":
    for page_language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), page_language), encoding="utf-8")
