# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flip one bit in every pack of a restic repository, or give them back. Runs as root on the machine of the repository: python3 - flip|back REPOSITORY."""

from __future__ import annotations

import pathlib
import shutil
import sys

what, repository = sys.argv[1], pathlib.Path(sys.argv[2])
kept = repository.parent / "spoilt"

if what == "flip":
    # Every pack: which of them a restore of the newest backup reads, only restic knows.
    for pack in [path for path in (repository / "data").rglob("*") if path.is_file()]:
        saved = kept / pack.relative_to(repository)
        saved.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(pack, saved)
        with pack.open("r+b") as stream:
            stream.seek(pack.stat().st_size // 3)
            byte = stream.read(1)[0]
            stream.seek(-1, 1)
            stream.write(bytes([byte ^ 1]))
else:
    for saved in [path for path in kept.rglob("*") if path.is_file()]:
        pack = repository / saved.relative_to(kept)
        if pack.exists():
            pack.write_bytes(saved.read_bytes())
    shutil.rmtree(kept, ignore_errors=True)
