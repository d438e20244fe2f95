# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each renderer makes of the sample, byte for byte. After a change on purpose: GOLIVE_UPDATE_GOLDEN=1 pytest, and read the diff."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._redact import scrub
from ansible_collections.resto.golive.plugins.plugin_utils.report import RENDERERS, terminal

EVERYTHING = {
    **RENDERERS,
    "terminal.es.txt": lambda report: terminal.summary_text(report, "es", "reports/staging/latest"),
    "terminal.en.txt": lambda report: terminal.summary_text(report, "en", "reports/staging/latest"),
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_golden(name: str, report: dict[str, t.Any], fixtures: pathlib.Path) -> None:
    golden = fixtures / "golden" / name
    made = EVERYTHING[name](scrub(report))
    if os.environ.get("GOLIVE_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")
