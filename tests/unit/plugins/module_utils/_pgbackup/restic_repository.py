# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restic repository whose snapshots are only dates: written as its format says (restic's doc/design.rst), so that thousands of histories cost seconds.

The real ``restic forget --dry-run`` reads it. Its key is derived with a cheap scrypt, and there is nothing in it to protect.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import typing as t

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

PASSWORD = "nothing-to-protect"


class Keys(t.NamedTuple):
    """AES-256-CTR, then Poly1305-AES over the ciphertext."""

    encrypt: bytes
    k: bytes
    r: bytes

    def sealed(self, plain: bytes) -> bytes:
        nonce = os.urandom(16)
        stream = Cipher(algorithms.AES(self.encrypt), modes.CTR(nonce)).encryptor()
        text = stream.update(plain) + stream.finalize()
        block = Cipher(algorithms.AES(self.k), modes.ECB()).encryptor()
        return nonce + text + Poly1305.generate_tag(self.r + block.update(nonce) + block.finalize(), text)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def restic_version() -> tuple[int, ...]:
    said = subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout  # restic 0.14.0 compiled with …
    return tuple(int(number) for number in said.split()[1].partition("-")[0].split("."))


class Repository:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.number = 0
        for name in ("data", "index", "keys", "locks", "snapshots"):
            (folder / name).mkdir()
        self.keys = Keys(os.urandom(32), os.urandom(16), _masked(os.urandom(16)))
        salt = os.urandom(64)
        derived = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=2, r=8, p=1, dklen=64)
        master = json.dumps({"mac": {"k": b64(self.keys.k), "r": b64(self.keys.r)}, "encrypt": b64(self.keys.encrypt)}).encode()
        key = {"created": "2026-01-01T00:00:00Z", "username": "x", "hostname": "x", "kdf": "scrypt", "N": 2, "r": 8, "p": 1, "salt": b64(salt)}
        user = Keys(derived[:32], derived[32:48], _masked(derived[48:]))
        self._write("keys", json.dumps({**key, "data": b64(user.sealed(master))}).encode())
        (folder / "config").write_bytes(self.keys.sealed(json.dumps({"version": 1, "id": "0" * 64, "chunker_polynomial": "25b468838dcb75"}).encode()))

    def _write(self, kind: str, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self.folder / kind / name).write_bytes(data)
        return name

    def add(self, host: str, times: t.Iterable[datetime.datetime]) -> dict[str, datetime.datetime]:
        """Add a snapshot of *host* for each of *times*, whose zones it keeps; return them by snapshot id."""
        made = {}
        for at in times:
            self.number += 1
            snapshot = {"time": at.isoformat(), "tree": f"{self.number:064x}", "paths": ["/"], "hostname": host, "username": "x"}
            made[self._write("snapshots", self.keys.sealed(json.dumps(snapshot).encode()))] = at
        return made

    def forget(self, zone: str, *policy: str) -> dict[str, set[str]]:
        """Return the ids of the snapshots that restic would keep, by host."""
        argv = ["restic", "--repo", str(self.folder), "--no-cache", "--no-lock", "forget", "--dry-run", "--json", "--group-by", "host", *policy]
        env = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "TZ": zone}
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env)
        groups = json.loads(done.stdout.splitlines()[0])
        return {group["host"]: {snapshot["id"] for snapshot in group["keep"] or ()} for group in groups}


def _masked(r: bytes) -> bytes:
    """Clear the bits that Poly1305 wants clear: restic refuses a key that has them."""
    mask = bytes.fromhex("ffffff0ffcffff0ffcffff0ffcffff0f")
    return bytes(one & other for one, other in zip(r, mask, strict=True))
