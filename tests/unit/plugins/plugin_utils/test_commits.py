# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures and git, on real repositories: what the last commit does not have as it is used does not count, and who committed what counts is told."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.resto.golive.plugins.plugin_utils import commits, signatures
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import InventoryView

ANA = "  - item: operations.support\n    by: ana@comanda.example\n    statement: |\n      10:00-00:00\n\n"
LUIS = "  - item: postgres.restore\n    by: luis@comanda.example\n"
FILE = "group_vars/all/90_decisions.yml"


class Shop:
    """An inventory in a git work tree of its own."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.write("hosts.yml", "all: {hosts: {h1: }}\n")

    def write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments: str, author: str = "ana") -> str:
        who = {f"GIT_{role}_{field}": f"{author}@comanda.example" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        argv = ["git", "-C", str(self.home), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    def commit(self, author: str = "ana") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Decide", author=author)
        return self.git("rev-parse", "HEAD")

    def records(self, name: str = "golive_attestations") -> list[dict[str, str]]:
        return commits.records(InventoryView.load(DataLoader(), [str(self.home)])).get(name, [])

    def states(self) -> list[str]:
        return [record["state"] for record in self.records()]


@pytest.fixture
def bare_shop(tmp_path: pathlib.Path) -> Shop:
    return Shop(tmp_path / "shop")


@pytest.fixture
def shop(bare_shop: Shop) -> Shop:
    bare_shop.git("init", "--quiet")
    bare_shop.write(FILE, f"---\ngolive_attestations:\n{ANA}")
    bare_shop.commit()
    return bare_shop


DECLARED = "redis_not_applicable:\n  reason: none here\n  by: ana\n  approver: luis\n"


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (DECLARED, ["committed"]),
        (DECLARED.replace("none here", "none anywhere"), ["uncommitted"]),
        (f"# moved\nother: 1\n{DECLARED}", ["committed"]),
        (DECLARED.replace("none here", "'{{ why }}'"), ["template"]),
        ("redis_not_applicable: '{{ declared }}'\n", []),
        ("other: 1\n", []),
    ],
)
def test_a_declaration_counts_as_the_last_commit_has_it(shop: Shop, text: str, states: list[str]) -> None:
    name = "redis_not_applicable"
    shop.write("group_vars/all/redis.yml", DECLARED)
    shop.commit("luis")
    shop.write("group_vars/all/redis.yml", text)
    shop.write("host_vars/h1.yml", DECLARED)
    view = InventoryView.load(DataLoader(), [str(shop.home)])
    assert [record["state"] for record in commits.records(view, "localhost", [name]).get(name, [])] == states
    assert [record["state"] for record in commits.records(view, "h1", [name])[name]] == ["uncommitted"], "the host's own stands above it"


def test_who_committed_a_signature_is_told(shop: Shop) -> None:
    first = shop.git("rev-parse", "HEAD")
    shop.write(FILE, f"---\ngolive_attestations:\n{ANA}{LUIS}")
    second = shop.commit("luis")
    (ana, luis) = shop.records()
    assert (ana["state"], ana["by"], ana["commit"]) == ("committed", "ana@comanda.example", first)
    assert (luis["state"], luis["by"], luis["commit"]) == ("committed", "luis@comanda.example", second)
    assert luis["at"].endswith("Z")


def test_who_changed_one_line_of_it_last_is_who_signed(shop: Shop) -> None:
    shop.write(FILE, f"---\ngolive_attestations:\n{ANA.replace('10:00', '11:00')}{LUIS}")
    shop.commit("luis")
    assert [record["by"] for record in shop.records()] == ["luis@comanda.example"] * 2


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (f"---\ngolive_attestations:\n{ANA}", ["committed"]),
        (f"# a note\n---\ngolive_attestations:\n\n{LUIS}{ANA}", ["uncommitted", "committed"]),
        (f"---\ngolive_attestations:\n{ANA}{LUIS}", ["committed", "uncommitted"]),
        (f"---\ngolive_attestations:\n{ANA.replace('10:00', '11:00')}", ["uncommitted"]),
        (f"---\ngolive_attestations:\n{ANA}    role: lead\n", ["uncommitted"]),
        ("---\ngolive_attestations:\n  - {item: operations.support, by: '{{ owner }}', statement: s}\n", ["template"]),
        ("---\ngolive_attestations: '{{ signed }}'\nsigned: []\n", []),
    ],
)
def test_what_the_last_commit_does_not_have_as_it_is_used(shop: Shop, text: str, states: list[str]) -> None:
    shop.write(FILE, text)
    assert shop.states() == states
    shop.git("add", "--all")
    assert shop.states() == states, "what is only staged is not committed"


def test_lines_that_were_committed_under_another_name_do_not_count(shop: Shop) -> None:
    shop.write(FILE, f"---\ngolive_drafts:\n{ANA}")
    shop.commit()
    shop.write(FILE, f"---\ngolive_attestations:\n{ANA}")
    assert shop.states() == ["uncommitted"]


def test_an_entry_that_hangs_on_an_anchor_counts_as_what_it_says(shop: Shop) -> None:
    shop.write(FILE, "---\nbase: &base {item: a.b, by: ana}\ngolive_attestations:\n  - *base\n  - {<<: *base, by: luis}\n")
    shop.commit()
    assert shop.states() == ["committed", "committed"]
    shop.write(FILE, "---\nbase: &base {item: a.c, by: ana}\ngolive_attestations:\n  - *base\n  - {<<: *base, by: luis}\n")
    assert shop.states() == ["uncommitted", "uncommitted"]


def test_a_file_that_git_does_not_know_or_was_told_to_leave_out(shop: Shop) -> None:
    shop.git("rm", "--quiet", "--cached", FILE)
    shop.git("commit", "--quiet", "--message", "Forget it")
    assert shop.states() == ["uncommitted"]
    shop.write(".gitignore", f"{FILE}\n")
    (record,) = shop.records()
    assert (record["state"], pathlib.Path(record["file"]).name) == ("ignored", "90_decisions.yml")


def test_a_repository_without_a_commit(bare_shop: Shop) -> None:
    bare_shop.git("init", "--quiet")
    bare_shop.write(FILE, f"---\ngolive_attestations:\n{ANA}")
    assert bare_shop.states() == ["uncommitted"]


def test_an_inventory_outside_git_has_no_record_and_counts(bare_shop: Shop) -> None:
    bare_shop.write(FILE, f"---\ngolive_attestations:\n{ANA}")
    assert bare_shop.records() == [{"state": "no_git"}]


def test_a_link_is_followed_to_the_file_that_is_committed(shop: Shop) -> None:
    shop.write("common.yml", f"---\ngolive_attestations:\n{ANA}")
    (shop.home / FILE).unlink()
    (shop.home / FILE).symlink_to("../../common.yml")
    shop.commit()
    assert shop.states() == ["committed"]
    shop.write("common.yml", f"---\ngolive_attestations:\n{ANA}{LUIS}")
    assert shop.states() == ["committed", "uncommitted"]


def test_signatures_in_an_ini_inventory_count_with_the_whole_file(shop: Shop) -> None:
    (shop.home / FILE).unlink()
    (shop.home / "hosts.yml").unlink()
    line = "[all:vars]\ngolive_attestations=[{'item': 'a.b'}]\n"
    shop.write("hosts.ini", f"h1\n{line}")
    shop.commit()
    assert shop.states() == ["committed"]
    shop.write("hosts.ini", f"h1\nh2\n{line}")
    assert shop.states() == ["uncommitted"]


@pytest.mark.parametrize(("path", "problem"), [("/nonexistent", "git is not installed on the control node"), (None, "fatal: not a git repository")])
def test_git_that_gives_no_answer_is_not_no_git(shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str | None, problem: str) -> None:
    if path:
        monkeypatch.setenv("PATH", path)
    else:
        (shop.home / ".git" / "HEAD").unlink()
    (record,) = shop.records()
    assert record["state"] == "unreadable"
    assert record["problem"].startswith(problem)


def test_another_repository_in_the_environment_is_not_asked(shop: Shop, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Shop(tmp_path / "other")
    other.git("init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other.home / ".git"))
    assert shop.states() == ["committed"]


@pytest.mark.parametrize("state", ["uncommitted", "ignored", "template", "unreadable"])
def test_only_a_declaration_excuses_what_git_does_not_have(state: str) -> None:
    record: dict[str, t.Any] = {"state": state, "file": "f"}
    flaw = signatures.record_flaw({"recorded": record})
    assert flaw is not None
    assert flaw[1] == {"file": "f"}
    excused = signatures.excused({"golive_waivers": [record, {"state": "committed", "by": "ana"}]})
    assert excused == {"golive_waivers": [{"state": "excused", "was": state, "file": "f"}, {"state": "committed", "by": "ana"}]}
    assert signatures.record_flaw({"recorded": excused["golive_waivers"][0]}) is None


def test_an_entry_without_a_record_does_not_count_whatever_it_says_of_itself() -> None:
    entries = signatures.with_records([{"item": "a", "recorded": {"state": "committed"}}, "odd", {"item": "b"}, {"item": "c"}], [{"state": "uncommitted"}, {}])
    assert [entry["recorded"] for entry in entries] == [{"state": "uncommitted"}, {}, {}]
    assert all(signatures.record_flaw(entry) for entry in entries)
    assert signatures.with_records("{{ broken }}", []) == []
