# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema's commands live here: bring the database to this release's head, or say what is missing."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from comanda import settings

INI = Path(__file__).parent / "migrations" / "alembic.ini"


def head() -> str | None:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(Config(str(INI))).get_current_head()


def _current() -> str | None:
    with psycopg.connect(settings.database_url()) as connection:
        if connection.execute("select to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("select version_num from alembic_version").fetchone()
    return row[0] if row else None


def migrate() -> str:
    """Upgrade to head. A database that a newer release has migrated is left alone: our revisions are compatible backwards."""
    script, before = ScriptDirectory.from_config(Config(str(INI))), _current()
    known = {revision.revision for revision in script.walk_revisions()}
    if before is not None and before not in known:
        return f"nothing to migrate: the database is at {before}, ahead of this release ({head()})"
    if before == head():
        return f"nothing to migrate: the database is at {before}"
    command.upgrade(Config(str(INI)), "head")
    return f"migrated: {before or 'empty'} -> {head()}"
