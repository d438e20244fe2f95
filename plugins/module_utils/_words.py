# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words in braces (``{cid}``), JSON pointers, and a select whose words become bound parameters. Pure.

The vocabulary that requests and observers share; see the inventory contract, section 3.2.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json

Words = t.Mapping[str, Json]

#: The same form that the inventory lint knows: ``{{`` and ``}}`` are no words.
_WORD = re.compile(r"(?<!\{)\{([a-z_][a-z0-9_]*)\}(?!\})")
#: One statement that reads: nothing after a semicolon.
_SELECT = re.compile(r"\s*(select|with)\b[^;]*;?\s*", re.IGNORECASE | re.DOTALL)


def malformed(where: str, problem: str, value: str = "") -> CannotKnow:
    """Return the error of something declared that is not of the vocabulary. *value* is a name or a key, never a secret."""
    return CannotKnow(f"request.{problem}", where=where, value=value)


def names(value: Json) -> set[str]:
    """Return the words in braces anywhere in *value*."""
    if isinstance(value, str):
        return set(_WORD.findall(value))
    if isinstance(value, t.Mapping):
        return {name for key, inner in value.items() for name in names(str(key)) | names(inner)}
    if isinstance(value, (list, tuple)):
        return {name for inner in value for name in names(inner)}
    return set()


def missing(value: Json, provided: t.Collection[str]) -> list[str]:
    """Return the words in *value* that nobody provides."""
    return sorted(names(value) - set(provided))


def fill(value: Json, words: Words, where: str = "") -> Json:
    """Return *value* with its words replaced. A text that is one word and nothing else takes over that word's type. Raises :class:`CannotKnow`."""
    if isinstance(value, str):
        whole = _WORD.fullmatch(value)
        return _word(whole[1], words, where) if whole else text(value, words, where)
    if isinstance(value, t.Mapping):
        return {text(str(key), words, where): fill(inner, words, where) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(inner, words, where) for inner in value]
    return value


def text(value: str, words: Words, where: str = "") -> str:
    """Return *value* with its words replaced, as text."""
    return _WORD.sub(lambda found: str(_word(found[1], words, where)), value)


def url(value: str, words: Words, where: str = "") -> str:
    """Return the address *value* with its words replaced, each escaped for where it stands."""
    return _WORD.sub(lambda found: urllib.parse.quote(str(_word(found[1], words, where)), safe=""), value)


def _word(name: str, words: Words, where: str) -> Json:
    if name not in words:
        raise CannotKnow("request.word_unknown", word=name, where=where, known=", ".join(sorted(words)))
    return words[name]


def select(query: str, where: str = "") -> str:
    """Return *query* as psycopg takes it: words as named parameters. Refuses what is not one select, and a word inside quotes: it would be plain text there."""
    if not _SELECT.fullmatch(query):
        raise malformed(where, "not_one_select")
    for found in _WORD.finditer(query):
        if query[: found.start()].count("'") % 2:
            raise malformed(where, "word_in_quotes", found[1])
    return _WORD.sub(r"%(\1)s", query.replace("%", "%%"))


def pointer(document: Json, path: str) -> Json:
    """Return what the JSON pointer *path* (RFC 6901) leads to. Raises :class:`LookupError`."""
    found = document
    for step in path.split("/")[1:] if path else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            if not name.isdecimal():
                raise LookupError(path)
            found = found[int(name)]
        elif isinstance(found, t.Mapping):
            found = found[name]
        else:
            raise LookupError(path)
    return found
