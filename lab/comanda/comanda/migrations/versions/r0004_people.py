# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People: users, their sessions and tokens, and the log of what they did, which the app's role can only add to."""

from __future__ import annotations

from alembic import op

from comanda.migrations.grants import by_tenant, grant

revision = "0004"
down_revision = "0003"

UP = """
create table users (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants,
    email text not null unique,
    role text not null check (role in ('owner', 'employee')),
    password_hash text not null,
    created_at timestamptz not null default now()
);
create table sessions (
    id_hash bytea primary key,
    tenant_id bigint not null references tenants,
    user_id bigint not null references users on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create table refresh_tokens (
    id_hash bytea primary key,
    tenant_id bigint not null references tenants,
    user_id bigint not null references users on delete cascade,
    family uuid not null,
    used_at timestamptz,
    revoked_at timestamptz,
    expires_at timestamptz not null
);
create index refresh_tokens_family on refresh_tokens (family);
create table audit_log (
    id bigint generated always as identity primary key,
    tenant_id bigint references tenants,
    actor text not null,
    action text not null,
    object text not null,
    before jsonb,
    after jsonb,
    at timestamptz not null default now(),
    source_ip inet,
    outcome text not null check (outcome in ('done', 'denied', 'failed')),
    request_id text not null
);
create index audit_log_request on audit_log (request_id);
"""


def upgrade() -> None:
    op.execute(UP)
    by_tenant("refresh_tokens")
    # Who logs in has no tenant yet: users and sessions are found by their own unguessable or unique keys, before the tenant is known.
    grant("select, insert, update", "users, refresh_tokens")
    grant("select, insert, delete", "sessions")
    grant("insert", "audit_log")
    # Readiness and /version ask at which revision the schema is.
    grant("select", "alembic_version")


def downgrade() -> None:
    op.execute("drop table audit_log, refresh_tokens, sessions, users")
