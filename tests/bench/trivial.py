# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reads as checks, one class each, as the engine knows checks. Only the bench's overlay of the collection has them (``overlay.py``)."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.bench import reads


class _Read(Check):
    kind: t.ClassVar[str]
    subject: t.ClassVar[str]
    right: t.ClassVar[object]

    def observe(self, ctx: Context) -> dict[str, Json]:
        # The first of a kind reads the table that all of the kind are looked up in; the others wait for it.
        ctx.shared(f"bench:{self.kind}", lambda: reads.look(self.kind, self.subject))
        return {"seen": reads.look(self.kind, self.subject)}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        status = "pass" if seen["seen"] == self.right else "fail"
        return [Assertion(status, "verdict.passed", {"count": 1}, expected=self.right, observed=seen["seen"], source=f"{self.kind} {self.subject}")]


def _checks(stem: str, group: str, item: str, listed: t.Iterable[tuple[str, str, object]]) -> dict[str, type[Check]]:
    return {
        f"{stem}_{number:02}": type(
            f"{stem}_{number:02}",
            (_Read,),
            {"name": f"{stem}_{number:02}", "items": (item,), "vantage": group, "kind": kind, "subject": subject, "right": right},
        )
        for number, (kind, subject, right) in enumerate(listed, 1)
    }


CHECKS: dict[str, type[Check]] = {
    **_checks("everywhere", "lab", reads.EVERYWHERE_TAG, reads.EVERYWHERE),
    **_checks("web_server", "edge", reads.WEB_SERVER_TAG, reads.WEB_SERVER),
}

#: A host looks a class up in the file that defines it.
globals().update(CHECKS)
