# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's entrance: connects as the schema's owner and runs the revisions, all in one transaction."""

from __future__ import annotations

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

from comanda import settings

# A migration that cannot have its locks gives up instead of queueing the guests behind it.
OPTIONS = "-c timezone=UTC -c lock_timeout=5000"

engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(settings.database_url(), options=OPTIONS), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
