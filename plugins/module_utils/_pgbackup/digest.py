# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row as one number: an SQL expression that differs, but for chance, wherever pg_dump would write another row. Only :mod:`manifest` comes in.

Each column has a hash of its own, begun with a number made of the column's name, so that a text that moved to another column is told. A row's number mixes
them anew: a plain sum of them, such as ``hash_record_extended`` makes, would stay the same where two rows swap one column's values.
"""

from __future__ import annotations

import hashlib
import typing as t

from psycopg import sql

#: PostgreSQL's own types whose hash function takes all of the value. Others do not: ``hash_numeric`` takes neither sign nor scale, and -0.0 is 0.0.
NATIVE = {
    "bool": "hashint4extended({column}::int4, {seed})",
    "int2": "hashint2extended({column}, {seed})",
    "int4": "hashint4extended({column}, {seed})",
    # hashint8extended lays one half over the other: 1 and 2 ^ 32 have the same hash. As a seed all of it counts.
    "int8": "hashint4extended({word}, {column})",
    "oid": "hashoidextended({column}, {seed})",
    "uuid": "uuid_hash_extended({column}, {seed})",
    "text": 'hashtextextended({column} collate "C", {seed})',
    "varchar": 'hashtextextended({column} collate "C", {seed})',
    # The function of bytea itself cannot be called.
    "bytea": "hash_array_extended(array[{column}], {seed})",
}

#: Types whose cast to text is their output function: what pg_dump writes.
WRITTEN = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "float4", "float8", "json", "jsonb")

#: All others, together: a row is written with their output functions, which a cast of their own need not do (char(n) loses its blanks, citext may too).
TEXT = 'hashtextextended({column}::text collate "C", {seed})'


def of_row(columns: t.Iterable[tuple[str, str]]) -> sql.Composable:
    """Return the expression, a bigint, for the *columns* of a table: their names, and their types where those are PostgreSQL's own."""
    known = dict.fromkeys(WRITTEN, TEXT) | NATIVE
    parts, others = [], []
    for name, kind in columns:
        if kind in known:
            parts.append(_part(known[kind], sql.Identifier(name), name))
        else:
            others.append(name)
    if others:
        together = sql.SQL("(row({}))").format(sql.SQL(", ").join(map(sql.Identifier, others)))
        parts.append(_part(TEXT, together, "\n".join(others)))
    # A seed of 64 bits is mixed in whole, and 0 into it.
    return sql.SQL("hashint4extended(0, {})").format(_together(parts)) if parts else sql.SQL("0::bigint")


def _part(expression: str, column: sql.Composable, name: str) -> sql.Composable:
    """Return the hash of one column; where it is null, that is its seed."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1
    words = sql.SQL(t.cast("t.Any", f"coalesce({expression}, {{seed}})"))
    return words.format(column=column, seed=sql.Literal(number), word=sql.Literal(number & 0x7FFFFFFF))


def _together(parts: t.Sequence[sql.Composable]) -> sql.Composable:
    """Return the parts, one laid over the other. By halves: a table may have 1600 columns, and a server's stack has an end."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return sql.SQL("({} # {})").format(_together(parts[:half]), _together(parts[half:]))
