# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of one drill in one run, for whoever has only an exit code and one line. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import texts
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import key_of, newest_by_key

Json = t.Any
Row = t.Mapping[str, Json]

#: Words for an observation's status; one that is not here says that the drill could not be finished.
WORDS = {"fail": "FAIL", "warn": "FAIL", "pass": "PASS"}
UNFINISHED, NOT_RUN = "INCONCLUSIVE", "NOT RUN"
#: Worst first.
ORDER = ("FAIL", UNFINISHED, NOT_RUN, "PASS")


def outcome(check: str, manifest: t.Sequence[Row], rows: t.Sequence[Row]) -> tuple[bool, str]:
    """Return whether *check* passed on everything that *manifest* asks of it, by the *rows* of this very run, and the worst of it in one line."""
    asked = [row for row in manifest if row["check"] == check]
    seen = newest_by_key(row for row in rows if row["row"] == "observation" and row["check"] == check)
    told = [_told(row, seen.get(key_of(row))) for row in asked]
    word, host, text = min(told, key=lambda one: ORDER.index(one[0]), default=(NOT_RUN, "", texts.render("verdict.drill_nobody", {"check": check})))
    where = " · ".join(part for part in (host, f"+{len(told) - 1}" if len(told) > 1 else "") if part)
    said = " / ".join(" ".join(text[language].split()) for language in texts.LANGUAGES)
    return word == "PASS", f"{check}: {word} · {where + ' · ' if where else ''}{said}"


def _told(row: Row, seen: Row | None) -> tuple[str, str, dict[str, str]]:
    host = str(row["target"]["host"])
    if row.get("problem"):
        return NOT_RUN, host, texts.render(row["problem"]["code"], row["problem"]["params"])
    if seen is None:
        return NOT_RUN, host, texts.render("verdict.drill_not_run", {"host": host})
    return WORDS.get(seen["status"], UNFINISHED), host, texts.render(seen["reason"]["code"], seen["reason"]["params"])
