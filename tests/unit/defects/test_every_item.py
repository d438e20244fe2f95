# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every item that a check proves can be broken in at least three ways, and each way can be read."""

from __future__ import annotations

import pathlib
import sys

import pytest

DEFECTS = pathlib.Path(__file__).parents[2] / "defects"
sys.path.insert(0, str(DEFECTS))

from trial import Defect

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils.texts import texts

LEAST = 3
PROVEN = sorted({item for check in CHECKS.values() for item in check.items})


@pytest.mark.parametrize("item", PROVEN)
def test_each_item_with_a_check_can_be_broken(item: str) -> None:
    found = [Defect.read(path) for path in sorted((DEFECTS / item).glob("*.yml"))]
    assert len(found) >= LEAST
    assert len({defect.name for defect in found}) == len(found)
    assert {defect.reason for defect in found} <= texts().keys(), "a reason that no check gives can never be seen"


def test_nothing_is_broken_that_no_check_looks_at() -> None:
    defects = [Defect.read(path) for path in sorted(DEFECTS.glob("*/*.yml"))]
    assert {item for defect in defects for item in defect.items} <= set(PROVEN)
    assert {path.name for path in DEFECTS.iterdir() if path.is_dir() and not path.name.startswith("__")} == set(PROVEN)
