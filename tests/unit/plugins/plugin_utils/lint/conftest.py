# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small inventories on disk, read by Ansible itself."""

from __future__ import annotations

import datetime
import pathlib
import shutil
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars

from ansible_collections.resto.golive.plugins.plugin_utils.lint import InventoryView, Mistake, Row, explain, lint

FIXTURES = pathlib.Path(__file__).with_name("fixtures")
NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)


class Shop:
    """An inventory in a directory of its own, which is also the current one: files are shown as ``shop/…``."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root / "shop"

    def copy(self, fixture: str) -> Shop:
        shutil.copytree(FIXTURES / fixture, self.root)
        return self

    def write(self, path: str, text: str) -> Shop:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return self

    def system(self, text: str) -> Shop:
        """Write *text* beside what the smallest inventory says already."""
        return self.write("group_vars/all/20_more.yml", text)

    def view(self) -> InventoryView:
        return InventoryView.load(DataLoader(), [str(self.root)])

    def lint(self, **options: t.Any) -> list[Mistake]:
        return lint(self.view(), **{"now": NOW, **options})

    def texts(self, language: str = "en", **options: t.Any) -> list[str]:
        return [mistake.text[language] for mistake in self.lint(**options)]

    def rows(self) -> list[Row]:
        return explain(self.view())


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(place: pathlib.Path) -> Shop:
    return Shop(place).copy("smallest")


@pytest.fixture
def full(place: pathlib.Path) -> Shop:
    return Shop(place).copy("full")


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Give variables as ``-e`` does: Ansible reads the command line once and keeps what it found here."""

    def give(**variables: t.Any) -> None:
        monkeypatch.setattr(load_extra_vars, "extra_vars", variables, raising=False)

    return give
