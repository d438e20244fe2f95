# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown is the checklist: take out what was filled in, and its own text remains."""

from __future__ import annotations

import html
import pathlib
import re
import string
import typing as t

import pytest
import yaml
from markdown_it import MarkdownIt

from ansible_collections.resto.golive.plugins.plugin_utils.report import markdown, wording
from ansible_collections.resto.golive.plugins.plugin_utils.texts import LANGUAGES

PLUGIN_UTILS = pathlib.Path(markdown.__file__).parents[1]


def emptied(text: str) -> str:
    """Return a filled-in checklist without what was filled in."""
    text = text.split("\n## ", 1)[0].split("\n", 1)[0] + "\n\n## " + text.split("\n## ", 1)[1]
    text = re.sub(r"\n\n +```.*?```\n(?=\n)", "", text, flags=re.S)
    lines = [re.sub(r"^( *- )\[x\]", r"\1[ ]", line) for line in text.splitlines() if not re.match(r" +- (?!\[)", line)]
    body, state = "\n".join(lines).split("\n## Estado\n")
    kept = [
        line.split(":")[0] + ":"
        for line in state.splitlines()
        if line.startswith("- ") and not line.startswith(("- Riesgos aceptados", "- Simulacros de restauración"))
    ]
    return re.sub(r"\n{3,}", "\n\n", body + "\n## Estado\n" + "\n".join(kept))


def test_it_is_the_checklist(report: dict[str, t.Any], fixtures: pathlib.Path) -> None:
    assert emptied(markdown.spanish(report)).strip() == (fixtures / "checklist.md").read_text(encoding="utf-8").strip()


def test_boxes_are_ticked_only_where_proven_signed_or_declared(report: dict[str, t.Any]) -> None:
    text = markdown.spanish(report)
    for item in report["items"]:
        mark = "x" if item["state"] in ("pass", "attested", "not_applicable") else " "
        assert f"- [{mark}] {item['title']['es']}\n" in text, item["id"]


@pytest.mark.parametrize(("state", "mark"), [("pass", "x"), ("attested", "x"), ("waived", " "), ("unknown", " "), ("new", " ")])
def test_a_parent_is_ticked_only_if_all_its_boxes_are(report: dict[str, t.Any], state: str, mark: str) -> None:
    for item in report["items"]:
        if item["number"].startswith("4.3."):
            item["state"] = "pass"
    next(item for item in report["items"] if item["number"] == "4.3.3")["state"] = state
    assert f"- [{mark}] Alertas mínimas:\n" in markdown.spanish(report)


def test_parents_are_the_catalogues() -> None:
    catalogue = yaml.safe_load((PLUGIN_UTILS / "catalogue.yml").read_text(encoding="utf-8"))
    assert {parent["number"]: parent["title"] for parent in catalogue["parents"]} == wording.PARENTS


def test_production_does_not_call_itself_staging(report: dict[str, t.Any]) -> None:
    report["environment"] = "prod"
    assert markdown.spanish(report).startswith("# Checklist de salida a producción\n")


def test_lines_to_paste_keep_their_white_space(report: dict[str, t.Any]) -> None:
    assert "    ```yaml\n    security_rate_limit_routes:\n      - path: api:/login   # la ruta\n        requests: 10\n" in markdown.spanish(report)


def test_a_fence_is_longer_than_those_inside() -> None:
    report_item = {
        "state": "unknown",
        "id": "a.b",
        "reason": {"code": "x", "params": {"example": "a\n````\n- [x] b"}, "text": {"es": "Pega", "en": "Paste"}},
        "fix": {},
    }
    assert markdown._notes(report_item, "es", "")[2].strip() == "`" * 7 + "yaml"


def said(node: t.Any) -> t.Iterator[dict[str, str]]:
    """Yield every text below *node*."""
    if isinstance(node, dict) and set(node) & set(LANGUAGES):
        yield node
    elif isinstance(node, (dict, list)):
        for one in node.values() if isinstance(node, dict) else node:
            yield from said(one)


@pytest.mark.parametrize("name", ["wording", "runbook"])
def test_every_word_exists_in_both_languages_with_the_same_fields(name: str) -> None:
    found = list(said(wording.load(name)))
    assert found
    for text in found:
        assert set(text) == set(LANGUAGES)
        assert all(text.values())
        fields = {language: {field for _literal, field, _spec, _conversion in string.Formatter().parse(text[language]) if field} for language in LANGUAGES}
        assert fields["es"] == fields["en"]


@pytest.mark.parametrize("host", ["- [x] done", "# done", "1. done", "> done"])
def test_a_hosts_name_cannot_begin_anything_of_its_own(report: dict[str, t.Any], host: str) -> None:
    """Its line in the list of restore drills begins with it."""
    report["restores"] = [{**report["restores"][-1], "host": host}]
    rendered = MarkdownIt("commonmark").render(markdown.english(report))
    assert f"<li><strong>{html.escape(host)}:</strong>" in rendered
