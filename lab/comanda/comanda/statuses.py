# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses of what we sent live here. They arrive repeated and out of order, and sometimes before we know the message: that one waits."""

from __future__ import annotations

from comanda.database import Connection

# A status never goes back; a failure is the last word.
RANKS = ("accepted", "queued", "sending", "sent", "delivered", "read", "undelivered", "failed")
RAISE = """update messages set status = %(word)s where provider = %(provider)s and provider_id = %(id)s and direction = 'out'
    and array_position(%(ranks)s::text[], status) < array_position(%(ranks)s::text[], %(word)s)"""
KNOWN = "select 1 from messages where provider = %s and provider_id = %s and direction = 'out'"


async def note(connection: Connection, provider: str, provider_id: str, word: str) -> bool:
    """Raise the message's status; False if we have no such message (yet). A word that we don't know changes nothing."""
    if await (await connection.execute(KNOWN, [provider, provider_id])).fetchone() is None:
        return False
    await connection.execute(RAISE, {"word": word, "provider": provider, "id": provider_id, "ranks": list(RANKS)})
    return True
