# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: the outbox that the worker empties, what came in and went out, and the webhook events already seen."""

from __future__ import annotations

from alembic import op

from comanda.migrations.grants import by_tenant, grant

revision = "0003"
down_revision = "0002"

UP = """
create table outbox (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    kind text not null,
    body jsonb not null,
    cid text not null,
    trace_id text not null,
    idempotency_key uuid not null default gen_random_uuid() unique,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'dead')),
    attempts smallint not null default 0,
    next_at timestamptz not null default now(),
    last_error text,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
create index outbox_due on outbox (tenant_id, next_at) where state = 'waiting';
create table messages (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    customer_id bigint references customers,
    direction text not null check (direction in ('in', 'out')),
    provider text not null,
    provider_id text not null,
    body text not null,
    status text not null default 'accepted',
    cid text not null,
    created_at timestamptz not null default now(),
    unique (provider, provider_id)
);
create table webhook_events (
    id bigint generated always as identity primary key,
    provider text not null,
    event_id text not null,
    body jsonb not null,
    received_at timestamptz not null default now(),
    processed_at timestamptz,
    unique (provider, event_id)
);
-- The depth is a number about all tenants, which the app's role cannot see by row; it may see this number.
create function outbox_depth() returns table (state text, depth bigint)
    language sql stable security definer set search_path = pg_catalog, public
    as $$ select s.state, count(o.id) from (values ('waiting'), ('dead')) s (state) left join outbox o on o.state = s.state group by s.state $$;
revoke execute on function outbox_depth() from public;
"""


def upgrade() -> None:
    op.execute(UP)
    by_tenant("outbox", "messages")
    grant("select, insert, update", "outbox, messages, webhook_events")
    grant("execute", "function outbox_depth()")


def downgrade() -> None:
    op.execute("drop function outbox_depth(); drop table webhook_events, messages, outbox")
