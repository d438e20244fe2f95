# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said twice is said alike: registry and routing, options and their documentation, role defaults and their specs, codes and their texts."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
import string
import typing as t

import pytest
import yaml

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, texts, vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.vocabulary import NO_DEFAULT

ROOT = pathlib.Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
CHECK_FILES = sorted((PLUGINS / "module_utils" / "_checks").glob("*/*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
#: Codes that are put together at run time start with one of these; their texts are found by the tests of their own check.
CODE = re.compile(r"^[a-z_]+\.[a-z0-9_]+$")


def loaded(path: pathlib.Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
def test_a_check_names_items_that_exist_and_where_it_looks_from(check: type[Check]) -> None:
    assert check.items
    assert set(check.items) <= set(catalogue.items())
    assert check.vantage in {"probe", "control", *(item.group for item in catalogue.items().values())}
    assert check.impact in {"passive", "active", "disruptive"}
    assert check.proven_by in {"each", "staging"}


def test_every_check_class_is_registered() -> None:
    defined = {match for path in CHECK_FILES for match in re.findall(r"^class (\w+)\(Check\)", path.read_text(), re.M)}
    assert defined == {check.__name__ for check in CHECKS.values()}


def test_routing_is_what_the_registry_says() -> None:
    runtime = loaded(ROOT / "meta" / "runtime.yml")
    assert runtime["plugin_routing"]["modules"] == {name: {"action_plugin": "resto.golive.audit"} for name in sorted(CHECKS)}
    assert runtime["action_groups"]["checks"] == sorted([*CHECKS, "audit"])


def test_the_oldest_core_is_said_alike() -> None:
    assert loaded(ROOT / "meta" / "runtime.yml")["requires_ansible"] == ">=2.19.0"
    assert {loaded(path)["galaxy_info"]["min_ansible_version"] for path in (ROOT / "roles").glob("*/meta/main.yml")} == {"2.19"}


def test_an_execution_environment_gets_nothing_that_this_checkout_does_not_have() -> None:
    environment = loaded(ROOT / "meta" / "execution-environment.yml")
    assert all((ROOT / path).is_file() for path in environment["dependencies"].values())
    wanted, ours = ((ROOT / path).read_text().splitlines() for path in (environment["dependencies"]["python"], "requirements.txt"))
    assert {line for line in wanted if not line.startswith("#")} <= set(ours)


def documented_options(module: str) -> dict[str, dict[str, t.Any]]:
    """Return the options of a module and of the fragments it extends; what the module says of an option itself goes first, as in Ansible."""
    said = yaml.safe_load(importlib.import_module(f"ansible_collections.resto.golive.plugins.modules.{module}").DOCUMENTATION)
    options = said.get("options", {})
    for fragment in said["extends_documentation_fragment"]:
        name, _dot, section = fragment.removeprefix("resto.golive.").partition(".")
        shared = importlib.import_module(f"ansible_collections.resto.golive.plugins.doc_fragments.{name}").ModuleDocFragment
        for option, text in yaml.safe_load(getattr(shared, section.upper() or "DOCUMENTATION"))["options"].items():
            options[option] = {**text, **options.get(option, {})}
    return options


@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
def test_a_module_documents_the_options_of_its_check(check: type[Check]) -> None:
    documented = documented_options(check.name)
    assert set(documented) == set(check.options) | {"fix", "target"}
    for name, option in check.options.items():
        for key in ("type", "default", "required", "choices", "elements"):
            assert documented[name].get(key) == (option.get(key) or documented[name].get(key)), (name, key)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_role_defaults_are_what_their_specs_say(role: pathlib.Path) -> None:
    defaults = loaded(role / "defaults" / "main.yml") or {}
    options = loaded(role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {})
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_whoever_sets_a_role_s_option_is_not_told_that_there_is_no_such_variable(role: pathlib.Path) -> None:
    specs = loaded(role / "meta" / "argument_specs.yml")["argument_specs"].values()
    options = {name: option for spec in specs for name, option in spec.get("options", {}).items()}
    known = vocabulary.known()
    assert not options.keys() - known.keys()
    for name, option in options.items():
        assert known[name].default in (NO_DEFAULT, option.get("default", known[name].default)), name


def codes_in(path: pathlib.Path) -> set[str]:
    return {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_in_use_has_its_text() -> None:
    stems = {path.stem for path in (PLUGINS / "plugin_utils" / "messages").glob("*.yml")}
    used = {code for path in PLUGINS.rglob("*.py") for code in codes_in(path) if CODE.match(code) and code.partition(".")[0] in stems - {"lint"}}
    assert used - set(texts.texts()) - set(catalogue.items()) == {"gitleaks.toml"}  # a file's name


@pytest.mark.parametrize("code", sorted(texts.texts()))
def test_every_text_stands_in_both_languages_with_the_same_words(code: str) -> None:
    text = texts.texts()[code]
    fields = {language: {field[1] for field in string.Formatter().parse(text[language]) if field[1]} for language in texts.LANGUAGES}
    assert set(text) == set(texts.LANGUAGES)
    assert fields["es"] == fields["en"]
    assert text["es"].strip()
    assert text["en"].strip()


@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
def test_every_item_with_a_check_has_its_pages(check: type[Check]) -> None:
    for item in check.items:
        for name in (f"{item}.md", f"{item}.es.md"):
            assert (ROOT / "docs" / "items" / name).stat().st_size > 500


@pytest.mark.parametrize("ignored", sorted((ROOT / "tests" / "sanity").glob("ignore-*.txt")), ids=lambda path: path.stem)
def test_what_sanity_ignores_has_its_reason(ignored: pathlib.Path) -> None:
    lines = ignored.read_text(encoding="utf-8").splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"\S+ \S+ # \S.*", line)] == []


README = {language: (ROOT / name).read_text(encoding="utf-8") for language, name in {"en": "README.md", "es": "README.es.md"}.items()}


def code_blocks(text: str) -> list[str]:
    """Return what stands in code blocks, without the comments beside commands."""
    return [re.sub(r" +# .*$", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", text, re.M)]


def links(text: str, image: str = "") -> list[str]:
    """Return what *text* links to (or, with ``!``, shows), a page in Spanish under the name of its English one."""
    return [target.replace(".es.md", ".md") for target in re.findall(rf"{image or '(?<!!)'}\[[^]]*\]\((docs/[^)]*)\)", text)]


@pytest.mark.parametrize("said", [code_blocks, links, lambda text: links(text, "!"), lambda text: text.count("\n## "), lambda text: text.count("\n| ")])
def test_both_readmes_say_the_same(said: t.Callable[[str], t.Any]) -> None:
    """The same commands and output, links, images, chapters and rows of tables."""
    assert said(README["es"]) == said(README["en"])
    assert said(README["en"])


def test_a_readme_links_to_what_is_there_and_to_its_own_language() -> None:
    linked = {language: re.findall(r"\]\((docs/[^)#]*)\)", text) for language, text in README.items()}
    assert [target for targets in linked.values() for target in targets if not (ROOT / target).exists()] == []
    assert [target for target in linked["es"] if (ROOT / target).with_suffix(".es.md").is_file()] == []


def test_the_artefact_version_is_said_once() -> None:
    from ansible_collections.resto.golive.plugins.plugin_utils import engine

    assert loaded(ROOT / "galaxy.yml")["version"] == engine.COLLECTION_VERSION


def test_the_changelog_tells_of_every_module_and_plugin() -> None:
    release = loaded(ROOT / "changelogs" / "changelog.yaml")["releases"][loaded(ROOT / "galaxy.yml")["version"]]
    told = {"modules": release["modules"], **release["plugins"]}
    # A file of filters may hold several; each has a page of its own.
    for folder, pages in {"modules": "*.py", "callback": "*.py", "filter": "*.yml", "lookup": "*.py"}.items():
        assert {entry["name"] for entry in told[folder]} == {path.stem for path in (PLUGINS / folder).glob(pages)}, folder
    shown = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")
    assert not [entry["name"] for entries in told.values() for entry in entries if f"* resto.golive.{entry['name']} - " not in shown]
