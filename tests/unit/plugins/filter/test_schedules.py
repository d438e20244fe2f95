# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules as templates ask of them: what systemd calls them, and how long nothing happens."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.resto.golive.plugins.filter.schedules import FilterModule

worst_gap_s = FilterModule().filters()["worst_gap_s"]


@pytest.mark.parametrize(("when", "days"), [("30 4 * * 0", 7), ("@daily", 1), ("0 3 1 * *", 31), ("0 2 * * mon,fri", 4)])
def test_the_longest_gap(when: str, days: int) -> None:
    assert worst_gap_s(when) == days * 86400


@pytest.mark.parametrize("when", ["", "weekly", "0 3 1 * 1", "0 3 31 2 *"])
def test_what_is_no_schedule(when: str) -> None:
    with pytest.raises(AnsibleFilterError, match="not a schedule"):
        worst_gap_s(when)
