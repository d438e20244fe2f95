# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers that are a select: bound parameters, one statement, a session that can only read, five seconds. Runs on the host that reaches the database."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _postgres, _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._watch import Found
from ansible_collections.resto.golive.plugins.module_utils._words import Words

#: Deadline of one statement, in seconds (inventory contract, section 3.2).
STATEMENT_S = 5
#: Rows that are kept at most: an observer counts a few, not a table.
ROWS = 1000


class Reader:
    """A session that can only read. Not for several threads at once."""

    def __init__(self, options: Options, secrets: t.Mapping[str, str]) -> None:
        """*options* are those of ``_postgres.CONNECTION``."""
        self._options = options
        self._secrets = secrets
        self._stack = contextlib.ExitStack()
        self._session: _postgres.Session | None = None

    def rows(self, query: str, words: Words, where: str = "") -> list[dict[str, Json]]:
        """Return what *query* selects now, with its words bound. Raises ``CannotKnow``."""
        statement = _words.select(query, where)
        for word in _words.missing(query, words):
            raise CannotKnow("request.word_unknown", word=word, where=where, known=", ".join(sorted(words)))
        if self._session is None or self._session.over:
            self.close()
            self._session = self._stack.enter_context(_postgres.connect(self._options, self._secrets, statement_s=STATEMENT_S))
        try:
            found = self._session.rows(statement, {name: words[name] for name in _words.names(query)})
        finally:
            self._session.anew()
        return [{name: _plain(value) for name, value in row.items()} for row in found[:ROWS]]

    def look(self, observer: Observer) -> t.Callable[[Words], Found]:
        """Return the look of an observer of the kind ``sql``."""

        def look(words: Words) -> Found:
            rows = self.rows(observer.subject, words, observer.where)
            text = _words.text(observer.contains or observer.absent, words, observer.where)
            rows = [row for row in rows if not text or any(text in str(value) for value in row.values())]
            return Found(len(rows), rows)

        return look

    def close(self) -> None:
        self._stack.close()
        self._session = None


def _plain(value: t.Any) -> Json:
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value if isinstance(value, (bool, int, float, str, list, dict)) or value is None else str(value)
