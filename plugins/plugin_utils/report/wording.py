# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of report and runbook that no item brings with it, in Spanish and English: ``wording.yml``, ``runbook.yml``. Every renderer may come in."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load

Text = dict[str, str]  # {"es": …, "en": …}
Table = dict[str, Text]


def load(name: str) -> dict[str, t.Any]:
    """Return the words of a file beside this one."""
    return t.cast("dict[str, t.Any]", yaml_load(pathlib.Path(__file__).with_name(f"{name}.yml").read_text(encoding="utf-8")))


_WORDS = load("wording")

PARENTS: Table = _WORDS["parents"]
STATES: Table = _WORDS["states"]
SEVERITIES: Table = _WORDS["severities"]
STATUSES: Table = _WORDS["statuses"]
PHASES: Table = _WORDS["phases"]
MODES: Table = _WORDS["modes"]
SIGNED: Table = _WORDS["signed"]
RECORDS: Table = _WORDS["records"]
VERDICTS: Table = _WORDS["verdicts"]
MEANINGS: Table = _WORDS["meanings"]
TITLES: Table = _WORDS["titles"]
LABELS: Table = _WORDS["labels"]
UNITS: list[dict[str, t.Any]] = _WORDS["units"]
AGO: Text = _WORDS["ago"]
AHEAD: Text = _WORDS["ahead"]

#: Only these are ticked.
TICKED = frozenset({"pass", "attested", "not_applicable"})
