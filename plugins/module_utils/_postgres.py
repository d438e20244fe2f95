# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One read-only session with a PostgreSQL server, with deadlines, whose every refusal has a name.

Checks of the section ``postgres`` come in by :func:`connect` and declare :data:`CONNECTION` among their options. Works with psycopg 3.1 (Debian 12) and later.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options

#: How long a connection may take, and each statement after it, in seconds.
CONNECT_S = 5
STATEMENT_S = 10

#: The directory of Debian's sockets, where a session needs no password: the OS user is the role (peer, as initdb and Debian set it up).
SOCKETS = "/var/run/postgresql"

#: Options that every check of the section shares: one server, said once, as ``postgres_host``, ``postgres_port``, …
CONNECTION: dict[str, dict[str, t.Any]] = {
    "host": {"type": "str", "default": SOCKETS, "widest": "section", "example": "postgres_host: 127.0.0.1   # left out: the local socket, as postgres"},
    "port": {"type": "int", "default": 5432, "widest": "section", "example": "postgres_port: 5432"},
    "database": {"type": "str", "required": True, "widest": "section", "example": "postgres_database: comanda"},
    "user": {"type": "str", "default": "postgres", "widest": "section", "example": "postgres_user: golive"},
    "password": {"type": "str", "secret": True, "widest": "section", "example": 'postgres_password: "api#PGPASSWORD"'},
}

#: What the server's SQLSTATE means (PostgreSQL documentation, appendix A): code, and status.
STATES: dict[str, tuple[str, str]] = {
    "28000": ("postgres.login_refused", "error"),
    "28P01": ("postgres.password_wrong", "error"),
    "3D000": ("postgres.database_missing", "error"),
    "53300": ("postgres.connections_exhausted", "error"),
    "57P03": ("postgres.not_ready", "unreachable"),
    "57014": ("postgres.statement_timeout", "error"),
    "42501": ("postgres.no_permission", "error"),
    "42P01": ("postgres.relation_missing", "error"),
    "57P01": ("postgres.closed", "unreachable"),
}

#: What a refusal without a SQLSTATE says: it never got as far as a session, so the words are all there is;
#: a server that speaks another language is told as it speaks.
WORDS: tuple[tuple[str, str, str], ...] = (
    ("password authentication failed", "postgres.password_wrong", "error"),
    ("no password supplied", "postgres.password_missing", "error"),
    ("authentication failed", "postgres.login_refused", "error"),
    ("no pg_hba.conf entry", "postgres.not_let_in", "error"),
    ("does not exist", "postgres.database_missing", "error"),
    ("too many c", "postgres.connections_exhausted", "error"),
    ("remaining connection slots", "postgres.connections_exhausted", "error"),
    ("starting up", "postgres.not_ready", "unreachable"),
    ("shutting down", "postgres.not_ready", "unreachable"),
    ("in recovery mode", "postgres.not_ready", "unreachable"),
    ("timeout expired", "postgres.no_answer", "unreachable"),
    ("timed out", "postgres.no_answer", "unreachable"),
    ("connection refused", "postgres.refused", "unreachable"),
    ("no such file or directory", "postgres.refused", "unreachable"),
    ("permission denied", "postgres.refused", "unreachable"),
    ("could not translate host name", "postgres.name_unknown", "unreachable"),
    ("failed to resolve host", "postgres.name_unknown", "unreachable"),
    # The C library's own words, which are all that psycopg 3.2 repeats (Debian 13).
    ("name or service not known", "postgres.name_unknown", "unreachable"),
    ("temporary failure in name resolution", "postgres.name_unknown", "unreachable"),
    ("no address associated with hostname", "postgres.name_unknown", "unreachable"),
    ("closed", "postgres.closed", "unreachable"),
)


def refusal(problem: BaseException, where: str, user: str, database: str) -> CannotKnow:
    """Return what *problem* means to the team. The server's own words are repeated only where nothing better is known: they may quote a statement."""
    named = {"where": where, "user": user, "database": database}
    state = getattr(problem, "sqlstate", None)
    words = " ".join(str(problem).split())
    if state in STATES:
        code, status = STATES[state]
        return CannotKnow(code, status, **named, message=words[:200])
    lowered = words.lower()
    for pattern, code, status in WORDS:
        if pattern in lowered:
            return CannotKnow(code, status, **named, message=words[:200])
    return CannotKnow("postgres.odd_answer", error=type(problem).__name__, **named, message=words[:200])


class Session:
    """A read-only transaction. Every method raises :class:`CannotKnow` with a code of its own for each way to be refused."""

    def __init__(self, connection: t.Any, errors: tuple[type[Exception], ...], where: str, user: str, database: str) -> None:
        self._connection = connection
        self._errors = errors
        self._named = (where, user, database)

    @property
    def version(self) -> int:
        """The server's version as it counts them: 150018 is 15.18."""
        return int(self._connection.info.server_version)

    def rows(self, sql: t.Any, parameters: t.Any = None) -> list[dict[str, Json]]:
        """Return the rows of one query, each by column name. *parameters* are bound; identifiers are composed with ``psycopg.sql``."""
        try:
            return [dict(row) for row in self._connection.execute(sql, parameters).fetchall()]
        except self._errors as problem:
            # The transaction is spoilt: what comes after this must be able to ask again.
            with contextlib.suppress(*self._errors):
                self._connection.rollback()
            raise refusal(problem, *self._named) from None

    def anew(self) -> None:
        """End the snapshot: what is asked next sees what is there then."""
        with contextlib.suppress(*self._errors):
            self._connection.rollback()

    @property
    def over(self) -> bool:
        """Whether the server has ended the session."""
        return bool(self._connection.closed or self._connection.broken)

    def row(self, sql: t.Any, parameters: t.Any = None) -> dict[str, Json]:
        """Return the one row of a query. None, or several, is an odd answer."""
        found = self.rows(sql, parameters)
        if len(found) != 1:
            where, user, database = self._named
            raise CannotKnow("postgres.odd_answer", error=f"{len(found)} rows", where=where, user=user, database=database, message="")
        return found[0]

    def value(self, sql: t.Any, parameters: t.Any = None) -> Json:
        """Return the one value of the one row of a query."""
        return next(iter(self.row(sql, parameters).values()))


class Writer:
    """A session that may write, each statement its own transaction. For drills, which make what they change and take it away again."""

    def __init__(self, connection: t.Any, errors: tuple[type[Exception], ...], where: str, user: str, database: str) -> None:
        self._connection = connection
        self._errors = errors
        self._named = (where, user, database)

    def run(self, sql: t.Any) -> None:
        """Run one or several statements. Raises :class:`CannotKnow`."""
        try:
            self._connection.execute(sql)
        except self._errors as problem:
            raise refusal(problem, *self._named) from None


@contextlib.contextmanager
def connect(
    options: Options, secrets: t.Mapping[str, str], *, database: str | None = None, statement_s: float = STATEMENT_S, application: str = "golive"
) -> t.Iterator[Session]:
    """Lend a :class:`Session` for the length of a ``with``: read-only, in one snapshot, every statement under *statement_s*.

    On the local socket the OS user must be the role, or be mapped to it: a check that says nothing else declares ``runs_as = "postgres"``.
    """
    settings = f"-c default_transaction_read_only=on -c statement_timeout={int(statement_s * 1000)} -c lock_timeout=2000"
    with _opened(options, secrets, database, application, settings) as (connection, errors, named):
        import psycopg

        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield Session(connection, errors, *named)


@contextlib.contextmanager
def writing(options: Options, secrets: t.Mapping[str, str], database: str, application: str) -> t.Iterator[Writer]:
    """Lend a :class:`Writer` in *database* for the length of a ``with``."""
    with _opened(options, secrets, database, application, "-c statement_timeout=60000") as (connection, errors, named):
        connection.autocommit = True
        yield Writer(connection, errors, *named)


_Opened = tuple[t.Any, tuple[type[Exception], ...], tuple[str, str, str]]


@contextlib.contextmanager
def _opened(options: Options, secrets: t.Mapping[str, str], database: str | None, application: str, settings: str) -> t.Iterator[_Opened]:
    try:
        import psycopg
        import psycopg.rows
    except ImportError:
        raise CannotKnow("common.library_missing", library="psycopg", package="python3-psycopg") from None
    host, port, user = options["host"], options["port"], options["user"]
    name = database or options["database"]
    where = f"{host}:{port}"
    errors: tuple[type[Exception], ...] = (psycopg.Error, OSError, ValueError, UnicodeError)
    try:
        connection = psycopg.connect(
            host=host,
            port=port,
            user=user,
            password=secrets.get("password") or None,
            dbname=name,
            connect_timeout=CONNECT_S,
            application_name=application,
            options=settings,
            row_factory=psycopg.rows.dict_row,
        )
    except errors as problem:
        raise refusal(problem, where, user, name) from None
    try:
        yield connection, errors, (where, user, name)
    finally:
        with contextlib.suppress(*errors):
            connection.close()
