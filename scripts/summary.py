# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a run came to in a screenful: verdict, blockers, where the report lies. Reads golive.json and nothing else."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import typing as t

WORDS = {
    "en": {"verdict": "Verdict", "of": "of", "proven": "proven", "blockers": "Blockers", "report": "Report"},
    "es": {"verdict": "Veredicto", "of": "de", "proven": "comprobados", "blockers": "Bloqueos", "report": "Informe"},
}
PROVEN = ("pass", "attested", "not_applicable")


def summary(report: dict[str, t.Any], language: str) -> list[str]:
    """Return the lines to print."""
    words = WORDS[language]
    proven = sum(report["summary"].get(state, 0) for state in PROVEN)
    lines = ["", f"{words['verdict']}: {report['verdict']}  ({proven} {words['of']} {len(report['items'])} {words['proven']})"]
    if report["blockers"] or report["problems"]:
        lines.append(f"{words['blockers']}:")
    lines += [f"  ! {problem['text'][language]}" for problem in report["problems"]]
    lines += [f"  {blocker['number']:<6}{blocker['title'][language]}: {blocker['reason']['text'][language]}" for blocker in report["blockers"]]
    return lines


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    language = "es" if os.environ.get("LANG", "").startswith("es") else "en"
    for line in summary(json.loads(path.read_text(encoding="utf-8")), language):
        print(line)
    print(f"{WORDS[language]['report']}: {path.parent / 'golive.html'}")


if __name__ == "__main__":
    main()
