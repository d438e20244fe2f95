# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not working lives here: asked when somebody wants to know, and kept for a moment. The panel's banner and the payment methods come in."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from redis.exceptions import RedisError

from comanda import logs, providers, settings
from comanda.database import Pool, Tenant, of_tenant

KEPT_S = 3.0
TIMEOUT_S = 2.0
# Any answer of the provider's own will do, a refusal too: we ask without a token, for nothing.
ASKED = {
    "whatsapp": ("WHATSAPP_API", "https://graph.facebook.com", "/"),
    "stripe": ("STRIPE_API", "https://api.stripe.com", "/healthcheck"),
    "mercadopago": ("MP_API", "https://api.mercadopago.com", "/"),
}
# A message that was tried in vain says the same as a provider that does not answer now.
WAITING = "select distinct kind from outbox where state = 'waiting' and attempts > 0 and kind = any('{whatsapp,twilio,mail}')"

_seen: dict[str, tuple[float, bool]] = {}


async def _answers(name: str) -> bool:
    setting, default, path = ASKED[name]
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=providers.trust()) as client:
            answer = await client.get(f"{providers.base(setting, default)}{path}")
    except (httpx.TransportError, settings.SettingError) as error:
        logs.log.warning("part is down", extra={"fields": {"part": name, "error": type(error).__name__}})
        return False
    return answer.status_code < 500


async def answers(name: str) -> bool:
    """Does this provider answer? As seen at most KEPT_S ago."""
    known = _seen.get(name)
    if known is None or time.monotonic() - known[0] > KEPT_S:
        _seen[name] = known = (time.monotonic(), await _answers(name))
    return known[1]


async def down(names: tuple[str, ...]) -> list[str]:
    """Those that don't."""
    return [name for name, up in zip(names, await asyncio.gather(*(answers(name) for name in names)), strict=True) if not up]


async def payment_methods() -> list[str]:
    """How a guest can pay: by the providers that answer, and at the counter as soon as one of them does not."""
    gone = await down(("stripe", "mercadopago"))
    online = [method for method, provider in {"card": "stripe", "mercadopago": "mercadopago"}.items() if provider not in gone]
    return online + (["counter"] if gone else [])


async def parts(pool: Pool, redis: Any, tenant: Tenant) -> list[str]:
    """All that a restaurant has to know of."""
    async with of_tenant(pool, tenant) as connection:
        tried = {row["kind"] for row in await (await connection.execute(WAITING)).fetchall()}
    try:
        await redis.ping()
    except RedisError:
        tried.add("redis")
    return sorted(tried | set(await down(("whatsapp", "stripe", "mercadopago"))))
