# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of variables in docs/inventory*.md, made from the vocabulary. Run as a program it writes both pages; test_page.py compares them."""

from __future__ import annotations

import functools
import json
import pathlib
import re

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint.values import wanted
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import NO_DEFAULT, Variable

ROOT = pathlib.Path(catalogue.__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs/inventory.md", "es": ROOT / "docs/inventory.es.md"}
BEGIN, END = "<!-- variables: begin -->", "<!-- variables: end -->"
HEADS = {"en": "| variable | what | default | read for |", "es": "| variable | qué | por defecto | se lee para |"}
SYSTEM = {"en": "the whole system", "es": "todo el sistema"}
SECRET = {"en": "name of a secret, `path#key`", "es": "nombre de un secreto, `ruta#clave`"}

#: Every item has these; the page says so once, in words.
_EVERYWHERE = ("owner", "impact", "not_applicable")


@functools.cache
def _read() -> frozenset[str]:
    """Every word of the roles, the playbooks and the doors: what they name, they read. What checks read is theirs by declaration."""
    rooms = [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "roles").rglob("*.j2"), *(ROOT / "playbooks").glob("*.yml")]
    doors = [path for room in ("action", "plugin_utils") for path in (ROOT / "plugins" / room).glob("*.py") if path.stem != "vocabulary"]
    return frozenset(word for path in (*rooms, *doors) for word in re.findall(r"\w+", path.read_text(encoding="utf-8")))


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
    items = catalogue.items()
    readers = SYSTEM[language] if len(variable.items) in (0, len(items)) else ", ".join(variable.items)
    later = variable.items and variable.source == "vocabulary" and variable.option not in _EVERYWHERE and variable.name not in _read()
    not_yet = " \\*" if later or variable.spec.get("later") else ""
    return f"| `{variable.name}` | {what.replace('|', '¦')} | {default} | {readers}{not_yet} |"


def filled(text: str, language: str) -> str:
    """Return the page with its list as the vocabulary has it now."""
    before, _separator, rest = text.partition(BEGIN)
    _old, _separator, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rows(language)}\n{END}{after}"


if __name__ == "__main__":
    for page_language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), page_language), encoding="utf-8")
