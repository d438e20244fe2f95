# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restic's keys, as its design document has them: AES-256-CTR, then Poly1305-AES over the ciphertext, with keys that scrypt makes of a password.

The numbers of scrypt stand beside each key, so every restic opens a cheap one. Its own are so dear that opening one takes half a second of a core, every time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import typing as t

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

CHEAP = {"N": 2, "r": 8, "p": 1}

#: The bits that Poly1305 wants clear: restic refuses a master key that has them.
MASK = bytes.fromhex("ffffff0ffcffff0ffcffff0ffcffff0f")


class Keys(t.NamedTuple):
    encrypt: bytes
    k: bytes
    r: bytes

    @classmethod
    def of(cls, material: bytes) -> Keys:
        """Cut 64 bytes into keys."""
        return cls(material[:32], material[32:48], bytes(one & other for one, other in zip(material[48:], MASK, strict=True)))

    @classmethod
    def of_password(cls, password: bytes, salt: bytes, numbers: t.Mapping[str, int]) -> Keys:
        return cls.of(hashlib.scrypt(password, salt=salt, n=numbers["N"], r=numbers["r"], p=numbers["p"], maxmem=1 << 30, dklen=64))

    def sealed(self, plain: bytes) -> bytes:
        nonce = os.urandom(16)
        text = self._with_keystream(nonce, plain)
        return nonce + text + self._tag(nonce, text)

    def opened(self, sealed: bytes) -> bytes:
        nonce, text, tag = sealed[:16], sealed[16:-16], sealed[-16:]
        assert self._tag(nonce, text) == tag, "sealed with another key"
        return self._with_keystream(nonce, text)

    def _with_keystream(self, nonce: bytes, data: bytes) -> bytes:
        stream = Cipher(algorithms.AES(self.encrypt), modes.CTR(nonce)).encryptor()
        return stream.update(data) + stream.finalize()

    def _tag(self, nonce: bytes, text: bytes) -> bytes:
        block = Cipher(algorithms.AES(self.k), modes.ECB()).encryptor()
        return Poly1305.generate_tag(self.r + block.update(nonce) + block.finalize(), text)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def key_file(master: bytes, password: bytes) -> bytes:
    """Return the content of a cheap key file, which gives *master* (the master keys, as restic writes them) to whoever has *password*."""
    salt = os.urandom(64)
    head = {"created": "2026-01-01T00:00:00Z", "username": "x", "hostname": "x", "kdf": "scrypt", **CHEAP, "salt": b64(salt)}
    return json.dumps({**head, "data": b64(Keys.of_password(password, salt, CHEAP).sealed(master))}).encode()


def make_cheap(repository: pathlib.Path, password_file: pathlib.Path) -> None:
    """Put a cheap key in the place of the only key of a *repository* that is a folder; the password stays."""
    password = password_file.read_bytes().strip()
    (dear,) = (repository / "keys").iterdir()
    key = json.loads(dear.read_bytes())
    master = Keys.of_password(password, base64.b64decode(key["salt"]), key).opened(base64.b64decode(key["data"]))
    content = key_file(master, password)
    dear.unlink()
    dear.with_name(hashlib.sha256(content).hexdigest()).write_bytes(content)
