# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.resto.golive.plugins.module_utils import _cron

DOCUMENTATION = r"""
name: worst_gap_s
short_description: The longest time between two runs of a crontab schedule
version_added: 0.1.0
author: Resto Golive (@resto-golive)
description:
  - Takes the five fields of a crontab, or a shorthand such as C(@daily), and returns the longest time between two runs, in seconds, over four years.
  - Refuses a schedule that restricts both the day and the weekday, which cron and systemd understand differently, and one that never comes.
positional: _input
options:
  _input:
    description: The schedule.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show how long nobody rehearses
  ansible.builtin.debug:
    msg: "{{ '30 4 * * 0' | resto.golive.worst_gap_s }}"
"""

RETURN = r"""
_value:
  description: Seconds, such as V(604800) for once a week.
  type: int
"""


def worst_gap_s(expression: str) -> int:
    try:
        return _cron.worst_gap_s(str(expression))
    except _cron.BadSchedule as bad:
        raise AnsibleFilterError(f"not a schedule: {bad}") from bad


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"worst_gap_s": worst_gap_s}
