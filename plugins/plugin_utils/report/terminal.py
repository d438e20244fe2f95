# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary that stays on the screen: verdict, counts, the first blockers and whose they are. Plain text; the callback and the verdict's task come in."""

from __future__ import annotations

import itertools
import textwrap

from ansible_collections.resto.golive.plugins.plugin_utils.report import model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import MEANINGS, STATES, VERDICTS

#: A phone-sized SSH window still shows lines this wide; more blockers than these are counted, and are all in the report.
WIDTH = 100
BLOCKERS = 10


def summary_text(report: model.Report, language: str, path: str | None = None) -> str:
    """Return the summary of *report*; *path* is where its files are, if they were written."""
    name = str(report["verdict"])
    release = model.line(report.get("release")) or model.label("unknown_release", language)
    lines = [
        f"{model.label('verdict', language)}: {model.word(VERDICTS, name, language)} · {model.line(report['environment'])} · {release}",
        model.word(MEANINGS, name, language),
    ]
    lines += [model.label(note, language) for note, holds in (("check_mode", report["run"].get("check_mode")), ("partial", model.is_partial(report))) if holds]
    found = [f"{model.word(STATES, state, language)} {count}" for state, count in model.counts(report).items() if count]
    lines += ["", *_wrapped(f"{model.label('boxes', language)}: {len(report['items'])} · " + " · ".join(found), "")]
    if report["problems"]:
        lines += ["", f"{model.label('problems', language)}:"]
        for problem in report["problems"]:
            lines += _wrapped(model.say(problem["text"], language), "  ! ")
    lines += _blockers(report, language)
    if path is not None:
        lines += ["", f"{model.label('report', language)}: {model.line(path)}"]
    return "\n".join(lines) + "\n"


def _blockers(report: model.Report, language: str) -> list[str]:
    blockers = model.blockers(report)
    if not blockers:
        return []
    nobody = model.label("no_owner", language)
    lines = ["", f"{model.label('blockers', language)} ({len(blockers)}):"]
    # Neighbours that wait for the same thing say it once.
    for (reason, example), alike in itertools.groupby(blockers[:BLOCKERS], key=lambda one: (model.reason_of(one, language), model.example_of(one))):
        for blocker in alike:
            owner = model.line(blocker.get("owner")) or nobody
            head = f"{model.line(blocker['number'])} {model.say(blocker['title'], language)} — {model.word(STATES, blocker['state'], language)} — {owner}"
            lines += _wrapped(head, "  * ")
        lines += _wrapped(reason, "      ") + [f"        {pasted}" for pasted in example.splitlines()]
    if len(blockers) > BLOCKERS:
        lines.append(f"  … {len(blockers) - BLOCKERS} {model.label('more', language)}")
    owners = " · ".join(f"{name or nobody} {count}" for name, count in model.owners(blockers))
    return [*lines, *_wrapped(f"{model.label('blockers_of', language)}: {owners}", "  ")]


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False, break_on_hyphens=False)
