# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who did what lives here: one row an act, in the act's own transaction. The app's role can add rows and nothing else."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb
from starlette.requests import Request

from comanda import logs
from comanda.database import Connection
from comanda.sessions import User

INSERT = """insert into audit_log (tenant_id, actor, action, object, before, after, source_ip, outcome, request_id)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


async def record(
    connection: Connection,
    *,
    tenant_id: int | None,
    actor: str,
    action: str,
    target: str,
    outcome: str,
    source_ip: str | None,
    before: Any = None,
    after: Any = None,
) -> None:
    """Write the act down; `outcome` is done, denied or failed."""
    states = [None if state is None else Jsonb(state) for state in (before, after)]
    await connection.execute(INSERT, [tenant_id, actor, action, target, *states, source_ip, outcome, logs.request_id.get()])


async def of_user(
    connection: Connection, request: Request, user: User, action: str, target: str, *, outcome: str = "done", before: Any = None, after: Any = None
) -> None:
    """The act of somebody who is logged in, where the request came from."""
    source_ip = request.client.host if request.client else None
    await record(
        connection,
        tenant_id=user.tenant.id,
        actor=user.email,
        action=action,
        target=target,
        outcome=outcome,
        source_ip=source_ip,
        before=before,
        after=after,
    )
