# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary is one table: no two options under one name, none said twice, nothing in it that cannot be read."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, secret_store, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint.formats import _FORMS, _PATTERNS
from ansible_collections.resto.golive.plugins.plugin_utils.lint.values import _TAKES

KNOWN = vocabulary.known()
ROOT = pathlib.Path(catalogue.__file__).resolve().parents[2]


def specs(spec: vocabulary.Spec) -> t.Iterator[vocabulary.Spec]:
    yield spec
    for inner in (*spec.get("keys", {}).values(), *spec.get("or", ()), *(spec[key] for key in ("elements", "values") if key in spec)):
        yield from specs(inner)


def test_no_option_is_said_by_the_vocabulary_and_by_a_check() -> None:
    assert vocabulary.duplicates() == []


def test_every_option_of_every_check_is_known_under_all_its_names() -> None:
    items = catalogue.items()
    for check in CHECKS.values():
        for option, declared in check.options.items():
            if "variable" in declared:  # another's: said where it belongs
                assert declared["variable"] in KNOWN
                continue
            for item in check.items:
                for name in vocabulary.names(items[item], option, declared.get("widest", "item")):
                    assert item in KNOWN[name].items


@pytest.mark.parametrize("variable", KNOWN.values(), ids=lambda variable: variable.name)
def test_specs_are_whole(variable: vocabulary.Variable) -> None:
    for spec in specs(variable.spec):
        assert "or" in spec or spec["type"] in _TAKES
        assert spec.get("format") in {None, *_FORMS, *_PATTERNS}
        assert set(spec.get("wanted", {"es": "", "en": ""})) == {"es", "en"}
        assert not {*spec.get("required", ()), *spec.get("one_of", ())} - set(spec.get("keys", ()))


def test_all_forty_items_have_an_owner_and_a_way_out() -> None:
    for item in catalogue.items().values():
        assert {f"{item.prefix}_owner", f"{item.prefix}_not_applicable", f"{item.prefix}_impact"} <= set(KNOWN)
    assert KNOWN["golive_owner"].items == tuple(catalogue.items())


def test_what_no_program_reads_says_so() -> None:
    """A variable of the whole system is named where it is read; the others are marked in the page."""
    programs = [path for place in ("plugins", "roles", "playbooks") for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".yml", ".j2")]
    # Who only talks about it does not read it, and the lint reads all of them.
    silent = ("messages", "scaffold", "doc_fragments", "modules", "lint")
    text = "\n".join(path.read_text() for path in programs if path.name != "vocabulary.yml" and not set(silent) & set(path.relative_to(ROOT).parts))
    asked_by_the_lint = {"golive_foreign", "golive_people"}
    engine = {name: variable for name, variable in KNOWN.items() if variable.level == "engine" and not name.endswith("_extra")}
    unread = {name for name in engine if not re.search(rf"\b{name}\b", text)} - asked_by_the_lint
    assert unread == {name for name, variable in engine.items() if variable.spec.get("later")}


@pytest.mark.parametrize("kind", KNOWN["environment_secrets_store"].spec["keys"]["kind"]["choices"])
def test_a_store_that_the_lint_takes_can_be_read(kind: str) -> None:
    with pytest.raises(secret_store.SecretError) as refused:
        secret_store.keys_of("api", {"kind": kind}, lambda _name: None)
    assert "not supported" not in str(refused.value)


class Audit(Check):
    name = "audit_trail"
    items = ("security.audit",)
    vantage = "app"
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "table": {"type": "str"},
        "deadline_s": {"type": "float", "default": 5.0, "widest": "all"},
        "password": {"type": "str", "secret": True},
        "rows": {"type": "list", "elements": "dict", "options": {"id": {"type": "int", "required": True}}},
    }


def test_a_check_wins_over_the_vocabulary() -> None:
    data = vocabulary._data()
    table = vocabulary.merge(data, {"audit_trail": Audit})
    assert table["security_audit_table"].source == "audit_trail"
    assert vocabulary.duplicates(data, {"audit_trail": Audit}) == ["security_audit_table"]
    assert [table[name].level for name in ("security_audit_deadline_s", "security_deadline_s", "golive_deadline_s")] == ["item", "section", "all"]
    assert table["security_audit_password"].secret
    assert table["security_audit_rows"].spec["elements"]["required"] == ["id"]


def test_two_options_under_one_name_are_refused() -> None:
    class Section(Check):
        name = "other"
        items = ("security.secret_scan",)
        options: t.ClassVar[dict[str, dict[str, t.Any]]] = {"audit_deadline_s": {"type": "float", "widest": "section"}}

    with pytest.raises(vocabulary.Clash, match="security_audit_deadline_s"):
        vocabulary.merge(vocabulary._data(), {"audit_trail": Audit, "other": Section})
