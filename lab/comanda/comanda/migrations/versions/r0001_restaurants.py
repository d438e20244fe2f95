# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restaurants: tenants, their hours and their menu."""

from __future__ import annotations

from alembic import op

from comanda.migrations.grants import by_tenant, grant

revision = "0001"
down_revision = None

UP = """
create table tenants (
    id bigint generated always as identity primary key,
    slug text not null unique,
    name text not null,
    zone text not null,
    currency char(3) not null,
    is_test boolean not null default false,
    created_at timestamptz not null default now()
);
create table business_hours (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    weekday smallint not null check (weekday between 0 and 6),
    opens time not null,
    closes time not null,
    unique (tenant_id, weekday, opens)
);
comment on column business_hours.closes is 'at or before opens: on the next day';
create table special_days (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    day date not null,
    opens time,
    closes time,
    check ((opens is null) = (closes is null)),
    unique nulls not distinct (tenant_id, day, opens)
);
comment on column special_days.opens is 'null: closed that day';
create table menu_items (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    sku text not null,
    name text not null,
    price_minor bigint not null check (price_minor >= 0),
    available boolean not null default true,
    unique (tenant_id, sku)
);
"""


def upgrade() -> None:
    op.execute(UP)
    by_tenant("business_hours", "special_days", "menu_items")
    grant("select", "tenants, menu_items")
    grant("select, insert, update, delete", "business_hours, special_days")


def downgrade() -> None:
    op.execute("drop table menu_items, special_days, business_hours, tenants")
