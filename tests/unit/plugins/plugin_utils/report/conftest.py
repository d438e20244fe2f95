# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample report: 40 boxes in every state, with hostile strings in its evidence."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


@pytest.fixture
def fixtures() -> pathlib.Path:
    return FIXTURES


@pytest.fixture
def report() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((FIXTURES / "golive.json").read_text(encoding="utf-8")))
