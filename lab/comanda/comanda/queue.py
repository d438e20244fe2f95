# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and the door of Redis live here: the worker's heartbeat and the panel's live events. Nothing that must last is kept there."""

from __future__ import annotations

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from comanda import settings

HEARTBEAT = "comanda:worker:heartbeat"
# Three missed beats of ten seconds.
HEARTBEAT_TTL_S = 30
TIMEOUT_S = 2.0


def events(slug: str) -> str:
    """The channel of a restaurant's live events."""
    return f"comanda:events:{slug}"


def client() -> Redis:
    """For the worker. The address is public, the password a credential of its own."""
    return Redis.from_url(settings.secret("REDIS_URL"), password=settings.secret("REDIS_PASSWORD"), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


def async_client() -> AsyncRedis:
    """For the web processes."""
    return AsyncRedis.from_url(
        settings.secret("REDIS_URL"), password=settings.secret("REDIS_PASSWORD"), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
