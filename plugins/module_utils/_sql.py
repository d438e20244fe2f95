# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers that are a select: bound parameters, one statement, a session that can only read, five seconds. Runs on the host that reaches the database."""

from __future__ import annotations

import datetime
import decimal
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._watch import Found
from ansible_collections.resto.golive.plugins.module_utils._words import Words

#: Deadline of one statement, in seconds (inventory contract, section 3.2).
STATEMENT_S = 5
CONNECT_S = 5
#: Rows that are read at most: an observer counts a few, not a table.
ROWS = 1000


class Reader:
    """A session that can only read. Not for several threads at once."""

    def __init__(self, connection: t.Mapping[str, Json], password: str | None = None) -> None:
        """*connection* has ``host port user database`` where they are declared; without a host it is the local socket."""
        self._asked = {name: connection.get(key) for name, key in (("host", "host"), ("port", "port"), ("user", "user"), ("dbname", "database"))}
        self._password = password
        self._open: t.Any = None

    def rows(self, query: str, words: Words, where: str = "") -> list[dict[str, Json]]:
        """Return what *query* selects, with its words bound. Raises ``CannotKnow``."""
        try:
            import psycopg
            import psycopg.rows
        except ImportError:
            raise CannotKnow("common.library_missing", library="psycopg", package="python3-psycopg") from None
        statement = _words.select(query, where)
        for word in _words.missing(query, words):
            raise CannotKnow("request.word_unknown", word=word, where=where, known=", ".join(sorted(words)))
        try:
            if self._open is None or self._open.closed:
                given = {name: value for name, value in self._asked.items() if value is not None}
                self._open = psycopg.connect(**given, password=self._password, connect_timeout=CONNECT_S, application_name="resto.golive")
                self._open.read_only = True
            with self._open.cursor(row_factory=psycopg.rows.dict_row) as cursor:
                cursor.execute(f"set local statement_timeout = '{STATEMENT_S}s'")
                cursor.execute(statement, {name: words[name] for name in _words.names(query)})
                return [{name: _plain(value) for name, value in row.items()} for row in cursor.fetchmany(ROWS)]
        except psycopg.errors.QueryCanceled:
            raise CannotKnow("observer.sql_timeout", where=where, seconds=STATEMENT_S) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise CannotKnow("observer.sql_denied", where=where, message=str(error.diag.message_primary)) from None
        except psycopg.errors.Error as error:
            primary = error.diag.message_primary
            if primary is None:  # no word from a server: there was no session; psycopg's own words name the address, never the password
                self.close()
                raise CannotKnow("observer.sql_connection", "unreachable", where=where, message=" ".join(str(error).split())[:200]) from None
            raise CannotKnow("observer.sql_refused", where=where, message=primary[:200]) from None
        finally:
            if self._open is not None and not self._open.closed:
                self._open.rollback()

    def look(self, observer: Observer) -> t.Callable[[Words], Found]:
        """Return the look of an observer of the kind ``sql``."""

        def look(words: Words) -> Found:
            rows = self.rows(observer.subject, words, observer.where)
            text = _words.text(observer.contains or observer.absent, words, observer.where)
            rows = [row for row in rows if not text or any(text in str(value) for value in row.values())]
            return Found(len(rows), rows)

        return look

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _plain(value: t.Any) -> Json:
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value if isinstance(value, (bool, int, float, str, list, dict)) or value is None else str(value)
