# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small world for all tests: the servers, comanda migrated and seeded, and its api, panel and worker running."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from servers import ROOT, Mail, Postgres, Process, Provider, Redis

API, ADMIN = "https://api.comanda.test", "https://admin.comanda.test"
USERS = [
    {"email": "owner@a.test", "role": "owner", "restaurant": "test-bogota", "password": "one"},
    {"email": "employee@a.test", "role": "employee", "restaurant": "test-bogota", "password": "two"},
    {"email": "owner@b.test", "role": "owner", "restaurant": "test-madrid", "password": "three"},
]
PASSWORDS = {user["email"]: user["password"] for user in USERS}
SECRETS = {
    "SESSION_KEY": "session",
    "WHATSAPP_APP_SECRET": "app secret",
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "WHATSAPP_TOKEN": "graph token",
    "TWILIO_AUTH_TOKEN": "twilio token",
    "STRIPE_WEBHOOK_SECRET": "stripe secret",
    "MP_WEBHOOK_SECRET": "mp secret",
    "MP_ACCESS_TOKEN": "mp token",
    "SMTP_PASSWORD": "smtp",
    "REDIS_PASSWORD": "r",
}
PHONE, ACCOUNT = "+570000000001", "100000000000001"


class World:
    """All that runs."""

    def __init__(self) -> None:
        self.postgres, self.redis, self.provider, self.mail = Postgres(), Redis(), Provider(), Mail()
        url = f"http://127.0.0.1:{self.provider.port}"
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.environment = {
            **SECRETS,
            "JWT_KEY": pem.decode(),
            "DATABASE_URL": self.postgres.url("comanda_app"),
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "COMANDA_API_ORIGIN": API,
            "COMANDA_ADMIN_ORIGIN": ADMIN,
            "COMANDA_ORIGINS": f"{ADMIN} https://www.comanda.test",
            **dict.fromkeys(("WHATSAPP_API", "TWILIO_API", "STRIPE_API", "MP_API"), url),
            "SMTP_URL": f"smtp://127.0.0.1:{self.mail.controller.port}",
        }
        self.browsers: dict[str, httpx.Client] = {}
        self.command("migrate")
        self.command("seed", TEST_USERS=json.dumps(USERS))
        self.api, self.panel, self.worker = (Process(name, self.environment) for name in ("api", "panel", "worker"))

    def command(self, *words: str, **more: str) -> str:
        code = f"import sys; from comanda.cli import main; sys.exit(main({list(words)!r}))"
        owner = {"DATABASE_URL": self.postgres.url("comanda_owner")} if words[0] in ("migrate", "seed") else {}
        variables = {**os.environ, **self.environment, **owner, **more, "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-c", code], check=True, env=variables, stdout=subprocess.PIPE, text=True).stdout.strip()

    def whatsapp(self, *values: dict[str, Any]) -> httpx.Response:
        """Post a signed body with these values, each an entry of its own."""
        entries = [{"id": "1", "changes": [{"field": "messages", "value": {"metadata": {"phone_number_id": ACCOUNT}, **value}}]} for value in values]
        raw = json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode()
        signature = hmac.new(SECRETS["WHATSAPP_APP_SECRET"].encode(), raw, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        return self.api.client.post("/webhooks/whatsapp", content=raw, headers=headers)

    def token(self, user: str = "owner@a.test") -> dict[str, str]:
        """The header of who is logged in to the API."""
        answer = self.api.client.post("/v1/token", json={"email": user, "password": PASSWORDS[user]})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def log_in(self, user: str) -> httpx.Client:
        """A browser, logged in to the panel: cookies by hand, because `__Host-` ones go over TLS alone."""
        base = self.panel.client.base_url
        csrf = httpx.get(f"{base}/login").cookies["csrf"]
        form = {"email": user, "password": PASSWORDS[user]}
        answer = httpx.post(f"{base}/login", data=form, headers={"Cookie": f"csrf={csrf}", "X-CSRF-Token": csrf})
        assert answer.status_code == 303, answer.text
        cookies = dict(answer.cookies)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "X-CSRF-Token": cookies["csrf"]}
        return httpx.Client(base_url=base, headers=headers, timeout=20)

    def browser(self, user: str) -> httpx.Client:
        """The same browser for all tests; it is closed with the world."""
        if user not in self.browsers:
            self.browsers[user] = self.log_in(user)
        return self.browsers[user]

    def end(self) -> None:
        for browser in self.browsers.values():
            browser.close()
        for process in (self.worker, self.panel, self.api):
            process.end()
        self.mail.controller.stop()
        self.provider.stop()
        self.redis.stop()
        self.postgres.end()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


@pytest.fixture
def cid() -> str:
    """One id for all of a test's traces."""
    return f"golive-{uuid4()}"


def text(body: str, *, sender: str = PHONE, at: float | None = None, message_id: str | None = None) -> dict[str, Any]:
    """The value of a change with one message."""
    found = {
        "from": sender.lstrip("+"),
        "id": message_id or f"wamid.{uuid4()}",
        "timestamp": str(int(at or time.time())),
        "type": "text",
        "text": {"body": body},
    }
    return {"messaging_product": "whatsapp", "messages": [found]}
