# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release this process runs lives here: read once, from the files beside it. `/version` and the start's log line ask.

The manifest is inside the archive; the archive's own digest cannot be, so whoever unpacks it writes `digest` after checking it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

# Resolved, so that a process knows the release it was started from even after `current` points to the next one.
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Release:
    """Where this code comes from; None for what a working copy cannot know."""

    version: str | None
    commit: str | None
    digest: str | None


def running() -> Release:
    """The release of this very process."""
    manifest, digest = ROOT / "manifest.json", ROOT / "digest"
    known = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return Release(known.get("version"), known.get("commit"), digest.read_text(encoding="utf-8").strip() if digest.is_file() else None)
