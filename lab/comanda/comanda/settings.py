# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration lives here: the environment and systemd credentials, nothing else. Everything that reads either asks this file.

A value that is missing or malformed stops the start with its name; the value itself never leaves this file in a message.
"""

from __future__ import annotations

import os
from pathlib import Path

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict


class SettingError(Exception):
    """A setting is missing or malformed; the text names it and never shows its value."""


def value(name: str, default: str | None = None) -> str:
    """A public value, from the environment."""
    found = os.environ.get(name, default)
    if not found:
        raise SettingError(f"{name} is not set: give it in the unit's Environment=")
    return found


def number(name: str, default: int) -> int:
    """A public whole number, from the environment."""
    found = value(name, str(default))
    if not found.isdigit():
        raise SettingError(f"{name} is not a whole number")
    return int(found)


def secret(name: str) -> str:
    """A secret: the systemd credential of that name, else (for commands run by hand) the environment."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    file = Path(directory) / name if directory else None
    found = file.read_text(encoding="utf-8").strip() if file and file.is_file() else os.environ.get(name, "")
    if not found:
        raise SettingError(f"{name} is not set: give it with LoadCredential={name}:…")
    return found


def database_url() -> str:
    """The connection string of this process' own role."""
    found = secret("DATABASE_URL")
    try:
        conninfo_to_dict(found)
    except Error:
        # psycopg quotes the string in its own message, so that message must not be chained.
        raise SettingError("DATABASE_URL is not a connection string") from None
    return found
