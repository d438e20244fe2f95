# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of crontab schedules; each is documented in the file of its name."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.resto.golive.plugins.module_utils import _cron

Answer = t.TypeVar("Answer")


def _of_schedule(ask: t.Callable[[str], Answer]) -> t.Callable[[str], Answer]:
    """Return *ask* as a filter, which fails in Ansible's way."""

    @functools.wraps(ask)
    def filtered(expression: str) -> Answer:
        try:
            return ask(str(expression))
        except _cron.BadSchedule as bad:
            raise AnsibleFilterError(f"not a schedule: {bad}") from bad

    return filtered


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"on_calendar": _of_schedule(_cron.on_calendar), "worst_gap_s": _of_schedule(_cron.worst_gap_s)}
