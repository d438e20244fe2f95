# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in lives here: passwords, invitations and roles. The panel and the tokens come in."""

from __future__ import annotations

from functools import cache
from typing import Any

from psycopg.rows import DictRow

from comanda import passwords
from comanda.database import Connection

# RFC 5321: a mailbox has at most 254 letters; anything longer is cut before it is written down.
LONGEST_EMAIL = 254
FIND = "select u.id, u.tenant_id, u.email, u.role, u.password_hash, t.slug from users u join tenants t on t.id = u.tenant_id where u.email = %s"


@cache
def nobody() -> str:
    """The password of a user we don't have: compared all the same, so that time does not tell who exists."""
    return passwords.keep("")


async def find(connection: Connection, email: str) -> DictRow | None:
    """The user of that name."""
    return await (await connection.execute(FIND, [email])).fetchone()


def right(password: str, user: dict[str, Any] | None) -> bool:
    """Is it the user's password? Slow on purpose: run it in a thread."""
    return passwords.matches(password, user["password_hash"] if user else nobody()) and user is not None
