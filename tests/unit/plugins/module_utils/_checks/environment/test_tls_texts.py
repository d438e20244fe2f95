# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every code that a TLS check can say has its text in both languages, with the same fields, and no text is left over."""

from __future__ import annotations

import pathlib
import re
import string

import pytest
import yaml

import ansible_collections.resto.golive.plugins.module_utils._checks.environment as home

CHECKS = ["tls_certificate", "tls_renewal", "tls_renewal_drill"]
ROOT = pathlib.Path(__file__).parents[6]


def fields(text: str) -> set[str]:
    return {field[1] for field in string.Formatter().parse(text) if field[1]}


@pytest.mark.parametrize("check", CHECKS)
def test_texts_and_codes_agree(check: str) -> None:
    texts = yaml.safe_load((ROOT / "plugins" / "plugin_utils" / "messages" / f"{check}.yml").read_text(encoding="utf-8"))
    folder = pathlib.Path(next(iter(home.__path__)))
    source = "".join(path.read_text(encoding="utf-8") for path in [*folder.glob("*.py"), folder.parents[1] / "_tls.py"])
    for code, text in texts.items():
        assert set(text) == {"es", "en"}, code
        assert fields(text["es"]) == fields(text["en"]), code
        assert re.search(rf'["."]{code}"', source), f"nothing says {check}.{code}"
    said = set(re.findall(rf'"{check}\.(\w+)"', source))
    assert said <= set(texts)
