# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox lives here: what the world must be told is written down with the act itself, and the worker tells it. All processes come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from comanda import logs
from comanda.database import Connection

PUT = "insert into outbox (tenant_id, kind, body, cid, trace_id) values (%s, %s, %s, %s, %s)"


async def put(connection: Connection, tenant_id: int, kind: str, body: Mapping[str, Any], cid: str) -> None:
    """One message to send; it exists if and only if the transaction at hand is committed."""
    await connection.execute(PUT, [tenant_id, kind, Jsonb(dict(body)), cid, logs.trace_id.get()])
