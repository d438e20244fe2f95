# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.resto.golive.plugins.module_utils import _cron

DOCUMENTATION = r"""
name: on_calendar
short_description: A crontab schedule as systemd writes it
version_added: 0.1.0
author: Resto Golive (@resto-golive)
description:
  - Turns the five fields of a crontab, or a shorthand such as C(@daily), into a calendar event of a systemd timer.
  - Refuses a schedule that restricts both the day and the weekday, which cron and systemd understand differently.
positional: _input
options:
  _input:
    description: The schedule.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show when it runs
  ansible.builtin.debug:
    msg: "{{ '0 2 * * 0' | resto.golive.on_calendar }}"
"""

RETURN = r"""
_value:
  description: The calendar event, such as V(Sun *-*-* 02:00:00).
  type: str
"""


def on_calendar(expression: str) -> str:
    try:
        return _cron.on_calendar(str(expression))
    except _cron.BadSchedule as bad:
        raise AnsibleFilterError(f"not a schedule: {bad}") from bad


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"on_calendar": on_calendar}
