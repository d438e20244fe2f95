# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and the door of Redis live here: the worker's heartbeat and the panel's live events. Nothing that must last is kept there."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from comanda import settings

HEARTBEAT = "comanda:worker:heartbeat"
# Three missed beats of ten seconds.
HEARTBEAT_TTL_S = 30
TIMEOUT_S = 2.0


def events(slug: str) -> str:
    """The channel of a restaurant's live events."""
    return f"comanda:events:{slug}"


# A connection that was kept while Redis restarted is dead at its next use: the second try makes a new one.
RETRIES, PAUSE_S = 2, 0.05


def _options() -> dict[str, Any]:
    """The address is public, the password a credential of its own."""
    password = settings.secret("REDIS_PASSWORD")
    return {"password": password, "socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S, "retry_on_error": [RedisConnectionError]}


def client() -> Redis:
    """For the worker."""
    return Redis.from_url(settings.secret("REDIS_URL"), retry=Retry(ConstantBackoff(PAUSE_S), RETRIES), **_options())


def async_client() -> AsyncRedis:
    """For the web processes."""
    return AsyncRedis.from_url(settings.secret("REDIS_URL"), retry=AsyncRetry(ConstantBackoff(PAUSE_S), RETRIES), **_options())
