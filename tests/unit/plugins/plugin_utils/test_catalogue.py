# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue holds the checklist: its 40 boxes, in its order, in its words, and what must never be waived."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue

ROOT = pathlib.Path(catalogue.__file__).resolve().parents[2]
DATA: dict[str, t.Any] = yaml.safe_load((ROOT / "plugins/plugin_utils/catalogue.yml").read_text(encoding="utf-8"))
ITEMS: list[dict[str, t.Any]] = DATA["items"]

FIELDS = {
    "id",
    "number",
    "title",
    "why",
    "fix",
    "severity",
    "waivable",
    "group",
    "max_age_h",
    "release_bound",
    "attestation",
}
NEVER_WAIVABLE = {
    "environment.tls",
    "integrations.webhooks",
    "operations.roles",
    "postgres.backups",
    "postgres.restore",
    "security.secret_scan",
}


class Box(t.NamedTuple):
    number: str
    title: str


def boxes_of_the_checklist() -> tuple[list[Box], list[Box], list[Box]]:
    """Return the sections, the parents and the leaves of docs/checklist.md, numbered as they stand."""
    sections: list[Box] = []
    parents: list[Box] = []
    leaves: list[Box] = []
    count = [0, 0, 0]
    lines = (ROOT / "docs/checklist.md").read_text(encoding="utf-8").splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if heading := re.match(r"## (\d+)\) (.+)$", line):
            count = [int(heading[1]), 0, 0]
            sections.append(Box(heading[1], heading[2]))
        elif box := re.match(r"( *)- \[ \] (.+)$", line):
            depth = 2 if box[1] else 1
            count[depth] += 1
            count[depth + 1 :] = [0] * (2 - depth)
            number = ".".join(str(part) for part in count[: depth + 1])
            if after.startswith("  - [ ]") and depth == 1:
                parents.append(Box(number, box[2].removesuffix(":")))
            else:
                leaves.append(Box(number, box[2]))
    return sections, parents, leaves


def test_the_checklist_has_forty_boxes() -> None:
    assert len(boxes_of_the_checklist()[2]) == 40


def test_items_are_the_boxes_in_order_and_in_their_own_words() -> None:
    assert [Box(entry["number"], entry["title"]["es"]) for entry in ITEMS] == boxes_of_the_checklist()[2]


def test_sections_and_parents_are_those_of_the_checklist() -> None:
    sections, parents, _leaves = boxes_of_the_checklist()
    assert [Box(entry["number"], entry["title"]["es"]) for entry in DATA["sections"]] == sections
    assert [Box(entry["number"], entry["title"]["es"]) for entry in DATA["parents"]] == parents


def test_ids_are_unique_and_belong_to_the_section_of_their_number() -> None:
    numbers = {entry["id"]: entry["number"] for entry in DATA["sections"]}
    ids = [entry["id"] for entry in ITEMS]
    assert len(set(ids)) == len(ids)
    for entry in ITEMS:
        assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", entry["id"])
        assert entry["number"].split(".")[0] == numbers[entry["id"].split(".")[0]]


def test_every_third_level_number_has_its_parent() -> None:
    parents = {entry["number"] for entry in DATA["parents"]}
    assert {entry["number"].rpartition(".")[0] for entry in ITEMS if entry["number"].count(".") == 2} == parents


@pytest.mark.parametrize("entry", ITEMS, ids=lambda entry: entry["id"])
def test_entry_is_whole(entry: dict[str, t.Any]) -> None:
    assert set(entry) == FIELDS
    for field in ("title", "why", "fix"):
        assert set(entry[field]) == {"es", "en"}
        assert all(text.strip() == text and text for text in entry[field].values())
    for field in ("why", "fix"):
        assert all(text.endswith(".") for text in entry[field].values())
        assert entry[field]["es"] != entry[field]["en"]
    assert entry["severity"] in catalogue.SEVERITIES
    assert entry["group"] in ("app", "edge", "monitoring", "postgres", "redis")
    assert 0 < entry["max_age_h"] <= 2160
    assert all(isinstance(entry[field], bool) for field in ("waivable", "release_bound", "attestation"))


def test_what_must_never_be_waived() -> None:
    assert {entry["id"] for entry in ITEMS if not entry["waivable"]} == NEVER_WAIVABLE


def test_what_cannot_be_waived_is_critical() -> None:
    assert {entry["severity"] for entry in ITEMS if not entry["waivable"]} == {"critical"}


def test_the_loader_gives_them_all_in_order() -> None:
    assert list(catalogue.items()) == [entry["id"] for entry in ITEMS]
    assert list(catalogue.sections()) == [entry["id"] for entry in DATA["sections"]]
