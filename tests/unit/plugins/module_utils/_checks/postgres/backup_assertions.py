# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the backup's rules ask of every judgement."""

from __future__ import annotations

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion
from ansible_collections.resto.golive.plugins.plugin_utils import texts


def bad(assertions: list[Assertion]) -> set[tuple[str, str]]:
    """Return what did not pass. No text may lack a word."""
    assert assertions
    for one in assertions:
        text = texts.render(one.code, one.params)
        assert "‹" not in text["es"] + text["en"], one.code
    return {(one.status, one.code.partition(".")[2]) for one in assertions if one.status != "pass"}
