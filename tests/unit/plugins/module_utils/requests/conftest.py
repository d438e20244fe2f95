# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One shop for a whole module of tests, new state for each test."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import shop as shops


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    return shops.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def shop() -> shops.Shop:
    return shops.Shop()


@pytest.fixture
def port(shop: shops.Shop, certificate: tuple[pathlib.Path, pathlib.Path]) -> t.Iterator[int]:
    with shops.serving(shop, certificate[1]) as port:
        yield port


@pytest.fixture
def options(port: int, certificate: tuple[pathlib.Path, pathlib.Path]) -> dict[str, t.Any]:
    return shops.options(port, certificate[0])
