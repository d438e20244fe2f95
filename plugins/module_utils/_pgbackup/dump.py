# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backup with the engine ``dump``: ``pg_dump``, the roles and the manifest, all of one exported snapshot."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import secrets
import subprocess
import typing as t

import psycopg

from . import files, manifest, programs
from .programs import Failed

Json = t.Any

#: pg_dump waits at most this long for a migration's lock: a backup that hangs behind one is no backup.
LOCK_WAIT_MS = 60_000

#: A session of the backup role.
Session = psycopg.Connection[t.Any]

CANARY = "insert into golive.canary (at, nonce) values (clock_timestamp(), %s)"


def connect(config: t.Mapping[str, Json], database: str | None = None) -> psycopg.Connection[t.Any]:
    """Return a session of the backup role. Raises :class:`Failed`."""
    at = config["connection"]
    try:
        return psycopg.connect(
            host=at["host"],
            port=at["port"],
            user=at["user"],
            dbname=database or config["database"],
            passfile=at.get("passfile"),
            connect_timeout=10,
            application_name="golive-backup",
            options=programs.SESSION,
        )
    except psycopg.Error as problem:
        raise Failed("connect", programs.last_words(str(problem))) from None


def take(config: t.Mapping[str, Json], now: datetime.datetime) -> dict[str, Json]:
    """Make one backup in ``config["directory"]`` and return its manifest. What is not finished does not keep its place. Raises :class:`Failed`."""
    directory = pathlib.Path(config["directory"])
    # Names are in the order of time, also within one second.
    name = f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{secrets.token_hex(2)[:3]}"
    folder = directory / f"{files.PARTIAL}{name}"
    folder.mkdir(mode=0o700)
    try:
        made = _taken(config, folder, name)
    except psycopg.Error as problem:
        raise Failed("manifest", programs.last_words(str(problem))) from None
    files.settle(folder)
    os.rename(folder, directory / name)
    files.settle(directory / name)
    return made


def _taken(config: t.Mapping[str, Json], folder: pathlib.Path, name: str) -> dict[str, Json]:
    nonce = canary(config, name)
    with connect(config) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        manifest.pin(session)
        # PostgreSQL takes a snapshot at the first query after BEGIN, and pin() ended none: what follows is the one transaction.
        session.commit()
        snapshot = manifest.row(session, "select pg_export_snapshot() as id, transaction_timestamp() as at")
        role = manifest.row(session, "select rolname as name, rolbypassrls or rolsuper as sees_all from pg_roles where rolname = current_user")
        if not role["sees_all"]:
            raise Failed("row_security", f"{role['name']} lacks BYPASSRLS: row level security would hide rows from the backup")
        body = manifest.what_it_is(session)
        dump = _start_dump(config, folder, str(snapshot["id"]), body["server_version"])
        try:
            tables = manifest.content(session)
            invariants = manifest.asked(session, config.get("invariants") or {}, snapshot["at"].isoformat())
            _schema(config, folder, str(snapshot["id"]), body["server_version"])
            _globals(config, folder, body)
        except BaseException:
            dump.kill()
            raise
        finally:
            _out, complaint = dump.communicate()
        if dump.returncode:
            raise Failed("dump", f"pg_dump ended with {dump.returncode}: {programs.last_words(complaint)}")
        session.rollback()
    body = {
        **body,
        "id": name,
        "at": snapshot["at"].astimezone(datetime.UTC).isoformat(),
        "source": config["name"],
        "canary": nonce,
        "tables": tables,
        "invariants": invariants,
        "questions": dict(config.get("invariants") or {}),
        "schema_hash": manifest.schema_hash((folder / "schema.sql").read_text(encoding="utf-8")),
        "files": files.described(folder),
    }
    body["archive_bytes"] = sum(one["bytes"] for one in body["files"].values())
    body = t.cast("dict[str, Json]", json.loads(json.dumps(body, default=str)))
    whole = {**body, "seal": files.seal(body)}
    (folder / files.MANIFEST).write_text(json.dumps(whole, indent=1, sort_keys=True), encoding="utf-8")
    return whole


def canary(config: t.Mapping[str, Json], name: str) -> str:
    """Write the row that must come back, where the role was given its table; a standby, or a database without it, has none."""
    with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        with connect(config) as session:
            session.execute("delete from golive.canary where at < now() - interval '7 days'")
            session.execute(CANARY, (name,))
        return name
    return ""


def arguments(config: t.Mapping[str, Json], database: tuple[str, str] | None = None) -> tuple[list[str], dict[str, str]]:
    """Return how PostgreSQL's programs reach the server, as arguments and environment. No password among them: there is a password file, or no password."""
    at = config["connection"]
    words = ["--host", str(at["host"]), "--port", str(at["port"]), "--username", str(at["user"]), "--no-password"]
    return [*words, *(database or ("--dbname", config["database"]))], {"PGPASSFILE": str(at["passfile"])} if at.get("passfile") else {}


def compression(client: int) -> str:
    """Return pg_dump's option: zstd from 16 on. On 15 there is gzip alone, whose level 1 takes a quarter of the time of its default and a tenth more space."""
    return "--compress=zstd:3" if client >= 160000 else "--compress=1"


def _start_dump(config: t.Mapping[str, Json], folder: pathlib.Path, snapshot: str, server: int) -> subprocess.Popen[str]:
    program = programs.postgres("pg_dump", server // 10000)
    where, more = arguments(config)
    argv = [str(program), *where, "--format=directory", f"--jobs={config.get('jobs') or 2}", compression(programs.version(program)), f"--snapshot={snapshot}"]
    argv += [f"--lock-wait-timeout={LOCK_WAIT_MS}", f"--file={folder / 'dump'}"]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=programs.environment(more))


def _schema(config: t.Mapping[str, Json], folder: pathlib.Path, snapshot: str, server: int) -> None:
    where, more = arguments(config)
    argv = [str(programs.postgres("pg_dump", server // 10000)), *where, "--schema-only", f"--snapshot={snapshot}", f"--file={folder / 'schema.sql'}"]
    programs.run("schema", argv, env=more)


def _globals(config: t.Mapping[str, Json], folder: pathlib.Path, body: t.Mapping[str, Json]) -> None:
    """Write roles, memberships and settings. Logins keep their passwords where the role may read them (hashes, never passwords)."""
    where, more = arguments(config, ("--database", "postgres"))  # --dbname of pg_dumpall is a connection string
    with connect(config, "postgres") as session:
        hashes = manifest.row(session, "select has_table_privilege('pg_catalog.pg_authid', 'select') as may")["may"]
    argv = [str(programs.postgres("pg_dumpall", body["server_version"] // 10000)), *where, "--globals-only", f"--file={folder / 'globals.sql'}"]
    # pg_dump has no limit on its own session; pg_dumpall takes what the role or the database has.
    options = {"PGOPTIONS": programs.session(body["server_version"])}
    programs.run("globals", argv if hashes else [*argv, "--no-role-passwords"], env={**more, **options})
    missing = set(body["roles"]) - files.roles_in((folder / "globals.sql").read_text(encoding="utf-8"))
    if missing:
        raise Failed("globals", f"globals.sql does not make these roles: {', '.join(sorted(missing))}")
