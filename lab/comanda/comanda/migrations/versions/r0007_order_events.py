# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel asks for the newest orders of a restaurant, closed ones too."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("create index orders_newest on orders (tenant_id, created_at desc)")


def downgrade() -> None:
    op.execute("drop index orders_newest")
