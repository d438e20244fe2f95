# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text that a check, the verdict or the lint can say, in Spanish and English, by code."""

from __future__ import annotations

import functools
import pathlib
import typing as t

from ansible.module_utils.common.yaml import yaml_load

LANGUAGES = ("es", "en")


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """Return all texts by code: ``<file>.<key>`` of ``messages/<file>.yml``."""
    found = {}
    for path in sorted(pathlib.Path(__file__).with_name("messages").glob("*.yml")):
        for key, text in (yaml_load(path.read_text(encoding="utf-8")) or {}).items():
            found[f"{path.stem}.{key}"] = text
    return found


def render(code: str, params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the text of *code* in every language. An unknown code, or a parameter that is missing, still says what it has."""
    text = texts().get(code)
    if text is None:
        return {language: f"{code} {dict(params)}" for language in LANGUAGES}
    return {language: text[language].format_map(_Lenient(params)) for language in LANGUAGES}


class _Lenient(dict[str, t.Any]):
    """Parameters of a text; a host's answer may lack some, and a report must not fail over it."""

    def __missing__(self, key: str) -> str:
        return f"‹{key}›"
