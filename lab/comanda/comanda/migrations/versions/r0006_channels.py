# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels (which restaurant a provider's account belongs to), payments by event, key generations, and the way back for test tenants."""

from __future__ import annotations

from alembic import op

from comanda.migrations.grants import by_tenant, grant

revision = "0006"
down_revision = "0005"

# Everything is added with a default or nullable: the release before goes on writing its rows.
UP = """
create table channels (
    id bigint generated always as identity primary key,
    provider text not null,
    account text not null,
    guest text,
    tenant_id bigint not null references tenants,
    unique nulls not distinct (provider, account, guest)
);
comment on column channels.guest is 'null: everybody who writes to this account; else only this phone (test guests share one account)';
create table notices (
    tenant_id bigint primary key references tenants,
    holiday_note text not null default '',
    updated_at timestamptz not null default now()
);
create table key_generations (
    generation integer primary key,
    activated_at timestamptz not null default now()
);
insert into key_generations values (1);
alter table webhook_events add column tenant_id bigint references tenants, add column cid text;
create index webhook_events_late on webhook_events (provider, received_at) where processed_at is null;
create index messages_cid on messages (cid);
create index outbox_cid on outbox (cid);
alter table orders add column due_at timestamptz, add column refunded_minor bigint not null default 0;
comment on column orders.due_at is 'taken while closed: to be prepared from this opening on';
alter table reservations add column cid text not null default '-';
alter table payments alter column order_id drop not null, add column status text not null default 'approved',
    add column payment_id text;
comment on column payments.order_id is 'null: a payment that no order of ours explains; kept for the owner to look at';

create function tenant_of_order(wanted uuid) returns bigint
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    as $$ select tenant_id from orders where id = wanted $$;
revoke execute on function tenant_of_order(uuid) from public;

create function tenant_of_refresh(wanted bytea) returns bigint
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    as $$ select tenant_id from refresh_tokens where id_hash = wanted $$;
revoke execute on function tenant_of_refresh(bytea) from public;

-- Which restaurants have something to send: the worker sees no row before it has chosen one of them.
create function outbox_due(kinds text[]) returns table (tenant bigint, slug text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    as $$ select t.id, t.slug from tenants t where exists (
        select from outbox o where o.tenant_id = t.id and o.state = 'waiting' and o.kind = any(kinds) and o.next_at <= now()) order by t.id $$;
revoke execute on function outbox_due(text[]) from public;

-- The worker listens, so that a message is sent when it is written and not at the next look.
create function outbox_wakes() returns trigger language plpgsql as $$ begin notify outbox; return null; end $$;
create trigger outbox_wakes after insert on outbox for each statement execute function outbox_wakes();

-- Checks leave rows in test restaurants and nowhere else; only there may anything be deleted.
create function forget_test(test_tenant bigint, wanted_cid text, before timestamptz) returns table (what text, gone bigint)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from tenants where id = test_tenant and is_test) then
        raise exception 'not a test restaurant' using errcode = 'insufficient_privilege';
    end if;
    foreach what in array array['payments', 'order_items', 'orders', 'reservations', 'messages', 'outbox', 'webhook_events'] loop
        execute case what
            when 'payments' then 'delete from payments p where p.tenant_id = $1 and (
                exists (select from orders o where o.id = p.order_id and ($2 is null or o.cid = $2) and ($3 is null or o.created_at < $3))
                or p.order_id is null and exists (select from webhook_events w where w.provider = p.provider and w.event_id = p.event_id
                    and ($2 is null or w.cid = $2) and ($3 is null or w.received_at < $3)))'
            when 'order_items' then 'delete from order_items i using orders o where i.order_id = o.id and o.tenant_id = $1
                and ($2 is null or o.cid = $2) and ($3 is null or o.created_at < $3)'
            when 'webhook_events' then 'delete from webhook_events where tenant_id = $1
                and ($2 is null or cid = $2) and ($3 is null or received_at < $3)'
            else format('delete from %I where tenant_id = $1 and ($2 is null or cid = $2) and ($3 is null or created_at < $3)', what)
        end using test_tenant, wanted_cid, before;
        get diagnostics gone = row_count;
        return next;
    end loop;
end $$;
revoke execute on function forget_test(bigint, text, timestamptz) from public;
"""


def upgrade() -> None:
    op.execute(UP)
    by_tenant("notices")
    grant("select", "channels")
    grant("select, insert, update", "notices")
    grant("select, insert", "key_generations")
    grant("update", "payments")
    grant("execute", "function tenant_of_order(uuid), tenant_of_refresh(bytea), outbox_due(text[]), forget_test(bigint, text, timestamptz)")


def downgrade() -> None:
    op.execute(
        """drop function forget_test(bigint, text, timestamptz), tenant_of_order(uuid), tenant_of_refresh(bytea), outbox_due(text[]);
        drop trigger outbox_wakes on outbox; drop function outbox_wakes();
        drop index messages_cid, outbox_cid, webhook_events_late;
        alter table payments drop column status, drop column payment_id;
        alter table reservations drop column cid;
        alter table orders drop column due_at, drop column refunded_minor;
        alter table webhook_events drop column tenant_id, drop column cid;
        drop table key_generations, notices, channels"""
    )
