# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders: customers, what they ordered, what they paid, and the tables they reserved."""

from __future__ import annotations

from alembic import op

from comanda.migrations.grants import by_tenant, grant

revision = "0002"
down_revision = "0001"

UP = """
create table customers (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    phone text not null,
    name text,
    created_at timestamptz not null default now(),
    unique (tenant_id, phone)
);
create table orders (
    id uuid primary key default gen_random_uuid(),
    tenant_id bigint not null references tenants,
    customer_id bigint references customers,
    channel text not null,
    state text not null default 'open' check (state in ('open', 'closed', 'cancelled')),
    note text not null default '',
    currency char(3) not null,
    total_minor bigint not null check (total_minor >= 0),
    cid text not null,
    created_at timestamptz not null default now(),
    closed_at timestamptz
);
create index orders_live on orders (tenant_id, created_at) where state = 'open';
create index orders_cid on orders (cid);
create table order_items (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    order_id uuid not null references orders on delete cascade,
    sku text not null,
    name text not null,
    quantity integer not null check (quantity > 0),
    price_minor bigint not null
);
create index order_items_order on order_items (order_id);
create table payments (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    order_id uuid not null references orders,
    provider text not null,
    event_id text not null,
    amount_minor bigint not null,
    currency char(3) not null,
    created_at timestamptz not null default now(),
    unique (provider, event_id)
);
create table reservations (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    customer_id bigint not null references customers,
    at timestamptz not null,
    people smallint not null check (people > 0),
    state text not null default 'booked' check (state in ('booked', 'seated', 'cancelled')),
    created_at timestamptz not null default now()
);
"""


def upgrade() -> None:
    op.execute(UP)
    by_tenant("customers", "orders", "order_items", "payments", "reservations")
    grant("select, insert, update", "customers, orders, reservations")
    grant("select, insert", "order_items, payments")


def downgrade() -> None:
    op.execute("drop table reservations, payments, order_items, orders, customers")
