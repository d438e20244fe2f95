# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twilio's Messages resource (api.twilio.com, 2010-04-01)."""

from __future__ import annotations

import email.utils
import re
import secrets
import typing as t

from providers.call import Answer, Call, token_is
from providers.webhooks import Event, Hook, form, twilio

MESSAGES = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages\.json")
MESSAGE = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages/((?:SM|MM)[0-9a-f]{32})\.json")
ACCOUNT = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})\.json")


def error(status: int, code: int, message: str) -> Answer:
    return Answer(status, {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status})


class Twilio:
    """``settings``: ``token``, and those of the webhook that is told messages' statuses where a call names no ``StatusCallback``."""

    def __init__(self, settings: t.Mapping[str, t.Any]) -> None:
        self._token = settings.get("token")
        self._hook = Hook(settings, twilio)
        self._messages: dict[str, dict[str, t.Any]] = {}

    def answer(self, call: Call) -> Answer:
        found = MESSAGES.fullmatch(call.path) or MESSAGE.fullmatch(call.path) or ACCOUNT.fullmatch(call.path)
        if not found:
            return error(404, 20404, f"The requested resource {call.path} was not found")
        user, password = call.basic
        if user != found[1] or not token_is(password, self._token):
            return error(401, 20003, "Authenticate")
        if MESSAGES.fullmatch(call.path) and call.method == "POST":
            return self._message(found[1], call.form())
        if MESSAGE.fullmatch(call.path):
            message = self._messages.get(found[2])
            return Answer(200, message) if message else error(404, 20404, f"The requested resource {call.path} was not found")
        return Answer(200, {"sid": found[1], "friendly_name": "Comanda", "status": "active", "type": "Full"})

    def _message(self, account: str, sent: dict[str, str]) -> Answer:
        for name, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
            if not sent.get(name):
                return error(400, code, f"A '{name}' is required.")
        callback = sent.get("StatusCallback", "")
        if not self._hook.may_be(callback):
            return error(400, 21609, "StatusCallback: only the server of the configured webhook is called from here")
        sid, now = f"SM{secrets.token_hex(16)}", email.utils.formatdate()
        message = {
            "sid": sid,
            "account_sid": account,
            "to": sent["To"],
            "from": sent["From"],
            "body": sent["Body"],
            "status": "queued",
            "direction": "outbound-api",
            "num_segments": "1",
            "date_created": now,
            "date_updated": now,
            "date_sent": None,
            "error_code": None,
            "error_message": None,
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
        }
        self._messages[sid] = message
        return Answer(201, message, events=self._status(message, "sent", callback) + self._status(message, "delivered", callback))

    def _status(self, message: dict[str, t.Any], word: str, url: str) -> tuple[Event, ...]:
        ids = {"MessageSid": message["sid"], "SmsSid": message["sid"], "MessageStatus": word, "SmsStatus": word}
        return self._hook.event(form(**ids, AccountSid=message["account_sid"], From=message["from"], To=message["to"], ApiVersion="2010-04-01"), url)
