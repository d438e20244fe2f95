# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the revisions say about rights lives here: the app's role owns nothing, and sees one tenant at a time."""

from __future__ import annotations

from alembic import op
from psycopg import sql

from comanda import settings


def grant(privileges: str, table: str) -> None:
    """Let the app's role do this with the table."""
    role = sql.Identifier(settings.value("COMANDA_APP_ROLE", "comanda_app")).as_string()
    op.execute(f"grant {privileges} on {table} to {role}")


def by_tenant(*tables: str) -> None:
    """Row-level security: without `app.tenant` there are no rows at all."""
    for table in tables:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy by_tenant on {table} using (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint)")
