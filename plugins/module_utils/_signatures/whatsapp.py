# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WhatsApp Cloud API webhooks: how Meta signs them, and the message that a guest's phone makes it send.

Source: developers.facebook.com, Graph API "Webhooks: Event Notifications" (X-Hub-Signature-256) and WhatsApp "Webhooks: Payload examples".
"""

from __future__ import annotations

import hashlib
import hmac

from ansible_collections.resto.golive.plugins.module_utils._check import Json


def headers(body: bytes, secret: str) -> dict[str, str]:
    """Return the headers that prove that *body*, byte by byte, comes from who knows the app's *secret*."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


def message(*, account: str, phone: str, text: str, event_id: str, now: float) -> dict[str, Json]:
    """Return the body of one text message from *phone* to the number whose id is *account*; *now* is in epoch seconds."""
    sender = phone.lstrip("+")
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": account, "phone_number_id": account},
        "contacts": [{"profile": {"name": "golive"}, "wa_id": sender}],
        "messages": [{"from": sender, "id": event_id, "timestamp": str(int(now)), "type": "text", "text": {"body": text}}],
    }
    return {"object": "whatsapp_business_account", "entry": [{"id": account, "changes": [{"field": "messages", "value": value}]}]}
