# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that sign API tokens live here: generations of one master key, so that rotation needs no secret and stores none.

Generation n is derived from JWT_KEY (HKDF-SHA256, RFC 5869); the database knows only which one is current and since when. JWKS lists the
current and the next one, and those before as long as a token signed by them may live. A JWT_KEY that leaked is replaced in the store.
"""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import psycopg
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import ECKey
from psycopg.rows import dict_row

from comanda import settings
from comanda.database import Connection

ALGORITHM = "ES256"
TOKEN_LIFE = timedelta(seconds=900)
# How long a reader may keep the JWKS, as its Cache-Control says.
JWKS_CACHE = timedelta(seconds=60)
# The order of P-256 (FIPS 186-4, D.1.2.3); 48 bytes of derived key make the remainder's bias negligible.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATIONS = "select generation, activated_at from key_generations order by generation desc limit 10"


@cache
def key(generation: int) -> ECKey:
    """One generation's key, private part included."""
    master = settings.secret("JWT_KEY").encode()
    derived = HKDF(hashes.SHA256(), 48, salt=None, info=f"comanda token key {generation}".encode()).derive(master)
    private = ec.derive_private_key(int.from_bytes(derived) % (ORDER - 1) + 1, ec.SECP256R1())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = ECKey.import_key(pem, {"use": "sig", "alg": ALGORITHM})
    made.ensure_kid()
    return made


async def generations(connection: Connection) -> list[int]:
    """Those whose signatures hold, the current one first; one that was replaced holds while its tokens may live."""
    rows = await (await connection.execute(GENERATIONS)).fetchall()
    now, held, replaced_at = datetime.now(UTC), [], None
    for row in rows:
        if replaced_at is None or now < replaced_at + TOKEN_LIFE + JWKS_CACHE:
            held.append(row["generation"])
        replaced_at = row["activated_at"]
    return held


def jwks(held: list[int]) -> dict[str, Any]:
    """The public half of those that hold and of the next one, which readers so know before it signs."""
    return {"keys": [key(generation).as_dict(private=False) for generation in [*held, held[0] + 1]]}


def rotate() -> str:
    """The next generation becomes the current one; who did it is written down."""
    with psycopg.connect(settings.database_url(), row_factory=dict_row) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('comanda keys rotate'))")
        row = connection.execute("insert into key_generations select max(generation) + 1 from key_generations returning generation").fetchone()
        made = row["generation"] if row else 0
        who, request_id = os.environ.get("SUDO_USER") or getpass.getuser(), os.environ.get("COMANDA_REQUEST_ID") or str(uuid4())
        connection.execute(
            """insert into audit_log (tenant_id, actor, action, object, before, after, outcome, request_id)
            values (null, %s, 'rotate_keys', 'token_keys', jsonb_build_object('generation', %s::int), jsonb_build_object('generation', %s::int), 'done', %s)""",
            [who, made - 1, made, request_id],
        )
    return f"rotated: generation {made} signs from now on"
