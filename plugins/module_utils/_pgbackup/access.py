# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backup's role may do, and no more: read everything (past row level security), watch, and write its canary. Run as a superuser of the server."""

from __future__ import annotations

import typing as t

import psycopg

from . import manifest, programs
from .programs import Failed

Json = t.Any

#: (is it so, what makes it so), in this order, in the database ``postgres``. pg_authid holds the hashes without which logins would not come back.
CLUSTER: tuple[tuple[str, str], ...] = (
    ("select to_regrole('golive_backup') is not null", "create role golive_backup login bypassrls"),
    (
        "select exists (select from pg_roles where rolname = 'golive_backup' and rolcanlogin and rolbypassrls and not rolsuper)",
        "alter role golive_backup login bypassrls nosuperuser",
    ),
    (
        "select exists (select from pg_roles r where rolname = 'golive_backup' and pg_has_role(r.oid, 'pg_read_all_data', 'usage'))",
        "grant pg_read_all_data to golive_backup",
    ),
    (
        "select exists (select from pg_roles r where rolname = 'golive_backup' and pg_has_role(r.oid, 'pg_monitor', 'usage'))",
        "grant pg_monitor to golive_backup",
    ),
    (
        "select exists (select from pg_roles r where rolname = 'golive_backup' and has_table_privilege(r.oid, 'pg_catalog.pg_authid', 'select'))",
        "grant select on pg_catalog.pg_authid to golive_backup",
    ),
)

#: The same in the shop's database: a table of the backup's own, in a schema of its own, that no migration tool looks into.
DATABASE: tuple[tuple[str, str], ...] = (
    ("select to_regnamespace('golive') is not null", "create schema golive authorization golive_backup"),
    ("select to_regclass('golive.canary') is not null", "create table golive.canary (at timestamptz not null, nonce text not null)"),
    (
        "select coalesce((select pg_get_userbyid(relowner) = 'golive_backup' from pg_class where oid = to_regclass('golive.canary')), false)",
        "alter table golive.canary owner to golive_backup",
    ),
)


def settle(config: t.Mapping[str, Json], *, apply: bool) -> list[str]:
    """Return the statements that are missing; with *apply* they have been executed. Raises :class:`Failed`."""
    at = config["connection"]
    done: list[str] = []
    for database, wanted in (("postgres", CLUSTER), (str(config["database"]), DATABASE)):
        try:
            with psycopg.connect(
                host=at["host"],
                port=at["port"],
                user="postgres",
                dbname=database,
                connect_timeout=10,
                application_name="golive-access",
                options=programs.SESSION,
            ) as session:
                for question, statement in wanted:
                    if next(iter(manifest.row(session, question).values())):
                        continue
                    done.append(statement)
                    if apply:
                        session.execute(statement.encode())
        except psycopg.Error as problem:
            raise Failed("access", programs.last_words(str(problem))) from None
    return done
