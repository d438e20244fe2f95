# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup job as it stands on its host: its configuration, its user, its secrets, what its role may do. Checks about backups come in."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json

CONFIG = pathlib.Path("/etc/golive/backup.json")
USER = "golive_backup"

#: pgBackRest reads the data directory, so it runs as the cluster's own user; a dump needs no more than a login.
USERS = {"dump": USER, "pgbackrest": "postgres"}


def user_of(config: t.Mapping[str, Json]) -> str:
    """Return the OS user that the job runs as."""
    return USERS[str(config.get("engine") or "dump")]


def read_config() -> dict[str, Json] | None:
    """Return the job's configuration, or None where the role has not been."""
    try:
        return t.cast("dict[str, Json]", json.loads(CONFIG.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise CannotKnow("postgres_backup.config_unreadable", path=str(CONFIG), message=str(problem)) from None


def access(ctx: Context, config: t.Mapping[str, Json], what: str) -> list[str]:
    """Return the statements that the job's role lacks. Over TCP it is the team's role, and its sight is judged by what it sees."""
    if not str(config["connection"]["host"]).startswith("/"):
        return []
    told = _ship.ask(ctx, "postgres", what, str(CONFIG))
    if "failed" in told:
        raise CannotKnow("postgres_backup.server_refused", why=told["why"])
    return list(told["statements"])


def secret_files(config: t.Mapping[str, Json], secrets: t.Mapping[str, str]) -> dict[pathlib.Path, str]:
    """Return what the job's secret files hold, by their paths."""
    if config.get("pgbackrest"):
        return _pgbackrest_secrets(config, secrets)
    place, connection = config.get("offsite") or {}, config.get("connection") or {}
    found = {}
    if connection.get("passfile") and secrets.get("password"):
        found[pathlib.Path(connection["passfile"])] = _password_line(connection, secrets["password"])
    if place.get("password_file") and secrets.get("repository_password"):
        found[pathlib.Path(place["password_file"])] = secrets["repository_password"]
    if place.get("environment_file") and secrets.get("access_key"):
        lines = {"AWS_ACCESS_KEY_ID": secrets["access_key"], "AWS_SECRET_ACCESS_KEY": secrets.get("secret_key", "")}
        found[pathlib.Path(place["environment_file"])] = "".join(f"{name}={value}\n" for name, value in lines.items())
    return found


def _password_line(connection: t.Mapping[str, Json], password: str) -> str:
    """Return the one line of libpq's password file (its manual, section 34.16), for every database of that server."""
    escaped = [str(word).replace("\\", "\\\\").replace(":", "\\:") for word in (connection["host"], connection["port"], connection["user"], password)]
    return ":".join([*escaped[:2], "*", *escaped[2:]]) + "\n"


def keys_missing(repository: str, secrets: t.Mapping[str, str]) -> bool:
    """Say whether *repository* is an object store and its two keys are not declared."""
    return repository.startswith("s3:") and not (secrets.get("access_key") and secrets.get("secret_key"))


def _pgbackrest_secrets(config: t.Mapping[str, Json], secrets: t.Mapping[str, str]) -> dict[pathlib.Path, str]:
    """Return the one file that pgBackRest reads beside its configuration."""
    named = (("repo1-cipher-pass", "repository_password"), ("repo1-s3-key", "access_key"), ("repo1-s3-key-secret", "secret_key"))
    lines = [f"{setting}={secrets[name]}\n" for setting, name in named if secrets.get(name)]
    return {pathlib.Path(config["pgbackrest"]["include"]) / "secrets.conf": "".join(["[global]\n", *lines])}


def holds(path: pathlib.Path, content: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o077 == 0
    except OSError:
        return False


def write(path: pathlib.Path, content: str, user: str) -> None:
    """Write a file that only the job's user may read, before anything is in it."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as handle:
        handle.write(content)
    shutil.chown(fresh, user, user)
    os.replace(fresh, path)
