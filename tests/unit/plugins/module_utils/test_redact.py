# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redaction: what was told, and what looks like a secret, is gone from every depth; what is innocent stays."""

from __future__ import annotations

import base64
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.resto.golive.plugins.module_utils._redact import MARK, SHORTEST, scrub

plain = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@given(plain, st.text(alphabet="abcdefgh!#/", min_size=SHORTEST, max_size=20))
def test_a_known_secret_is_gone_from_keys_and_values(value: object, secret: str) -> None:
    hidden = {"outer": [value, {f"key {secret}": f"before{secret}after"}]}
    assert secret not in json.dumps(scrub(hidden, [secret]), ensure_ascii=False).replace(MARK, "")


def test_a_secret_that_is_a_number_is_gone_as_one_too() -> None:
    assert scrub({"pin": 48151, "port": 5432, "rate": 4815.1, "on": True}, ["48151", "4815.1", "True"]) == {"pin": MARK, "port": 5432, "rate": MARK, "on": True}


def segment() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(12)).decode().rstrip("=")


@pytest.mark.parametrize(
    "made",
    [
        "eyJ" + ".".join(segment() for _part in range(3)),
        "sk_" + "live_" + secrets.token_hex(12),
        "hvs." + secrets.token_hex(12),
        "ghp" + "_" + secrets.token_hex(18),
        "-----BEGIN " + "PRIVATE KEY-----\n" + segment() + "\n-----END " + "PRIVATE KEY-----",
    ],
    ids=["jwt", "stripe", "vault", "github", "pem"],
)
def test_what_looks_like_a_secret_is_gone_untold(made: str) -> None:
    assert made not in scrub(f"log line with {made} in it")


def test_a_password_in_a_url_is_gone_and_its_host_stays() -> None:
    shown = scrub("postgres://app:" + "hunter2two" + "@db1:5432/comanda")
    assert "hunter2two" not in shown
    assert "@db1:5432/comanda" in shown


@pytest.mark.parametrize("innocent", ["https://api.comanda.test:443/healthz", "redis.persistence", "sha256:4be1", 3, None, True, "10:30"])
def test_what_is_innocent_stays(innocent: object) -> None:
    assert scrub(innocent, ["abc"]) == innocent
