# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest``: physical backups, and the WAL since, so that the last minutes come back as well. Runs as the cluster's own OS user.

A physical backup has no snapshot to compare with. So the job writes a manifest of a moment in which no transaction was open, with the place in the WAL where
that was: a copy that is recovered to exactly there must equal it, to the last row, whatever was written before and after.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import secrets
import shutil
import time
import typing as t

import psycopg
from psycopg import sql

from . import dump, files, labels, manifest, pgbackrest, programs
from .pgbackrest import Refused
from .programs import Failed

Json = t.Any
Config = t.Mapping[str, Json]

#: How often a moment without an open transaction is looked for, and how long between two looks, in seconds.
QUIET_TRIES, QUIET_PAUSE_S = 250, 0.02

#: Where the load never pauses, who writes is kept waiting for the milliseconds that it takes to begin the snapshot. The lock itself is waited for this long at
#: most (others queue behind it, and a server looks for deadlocks after 1 s), this often, and with so many seconds between.
HELD_TRIES, HELD_MS, HELD_PAUSE_S = 5, 200, 1.0

#: Begins the snapshot, and says whether any transaction was open.
SNAPSHOT = """
select pg_export_snapshot() as id, transaction_timestamp() as at,
  pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot()) as nobody
"""
PLACE = "select pg_current_wal_insert_lsn()::text as lsn"

#: Who has written and not ended yet, the oldest first.
OPEN = """
select pid, coalesce(nullif(application_name, ''), backend_type) as who, round(extract(epoch from now() - xact_start))::int as seconds from pg_stat_activity
where backend_xid is not null and pid <> pg_backend_pid() order by xact_start limit 1
"""

#: The last segment must be in the repository after this many seconds.
ARCHIVED_WITHIN_S = 60

#: From the most to the least; a backup of one kind also stands for those after it.
KINDS = ("full", "diff", "incr")

#: (setting, what it must be); what is set to something else by somebody is not ours to change.
ARCHIVE_TIMEOUT_S = 60

#: What pgBackRest says of a stanza that is not there: its path, or its data. And what it says where nothing is wrong: all is well, or there is no backup yet.
STATUS_NO_STANZA = (1, 3)
STATUS_WELL = (0, 2)


def due(config: Config, backups: t.Sequence[t.Mapping[str, Json]], now: float) -> str:
    """Return which kind of backup it is time for: the most complete one whose period is over, or nearly (half of the shortest period)."""
    periods = {kind: float(config["periods"][kind]) for kind in KINDS if kind in config["periods"]}
    slack = min(periods.values()) / 2
    for kind, period in periods.items():
        counted = KINDS[: KINDS.index(kind) + 1]
        last = max((float(one["timestamp"]["start"]) for one in backups if one["type"] in counted and not one.get("error")), default=0.0)
        if now - last > period - slack:
            return kind
    return list(periods)[-1]


def take(config: Config, now: datetime.datetime) -> dict[str, Json]:
    """Make one backup, prove after a full one that the repository is whole, and write the manifest. Raises :class:`Failed`."""
    stanza, _unknown = pgbackrest.info(config)
    kind = due(config, stanza["backup"], now.timestamp())
    pgbackrest.call(config, "backup", f"--type={kind}", "--no-resume", f"--process-max={config.get('jobs') or 2}")
    if kind == "full":
        damaged = pgbackrest.verify(config)
        if damaged:
            raise Failed("verify", "; ".join(f"{one['name']}: {one['found']}" for one in damaged))
    stanza, _unknown = pgbackrest.info(config)
    newest = max(stanza["backup"], key=lambda one: float(one["timestamp"]["stop"]))
    if newest.get("error"):
        raise Failed("page_checksum", f"the backup {newest['label']} has pages whose checksum is wrong")
    labels.note(config, stanza)
    made = noted(config, newest, now)
    _forget(pathlib.Path(config["directory"]), {one["label"] for one in stanza["backup"]})
    return made


def noted(config: Config, backup: t.Mapping[str, Json], now: datetime.datetime) -> dict[str, Json]:
    """Write the manifest of this moment, have its WAL archived, and return it. Raises :class:`Failed`."""
    directory = pathlib.Path(config["directory"])
    name = f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{secrets.token_hex(2)[:3]}"
    folder = directory / f"{files.PARTIAL}{name}"
    folder.mkdir(mode=0o700)
    nonce = dump.canary(config, name)
    try:
        body = _of_a_quiet_moment(config, folder)
    except psycopg.Error as problem:
        raise Failed("manifest", programs.last_words(str(problem))) from None
    after = dump.canary(config, f"{name}-after") if nonce else ""
    body = {
        **body,
        "id": name,
        "source": config["name"],
        "engine": "pgbackrest",
        "label": backup["label"],
        "kind": backup["type"],
        "canary": nonce,
        "canary_after": after,
        "questions": dict(config.get("invariants") or {}),
        "schema_hash": manifest.schema_hash((folder / "schema.sql").read_text(encoding="utf-8")),
        "files": files.described(folder),
        "archive_bytes": int(backup["info"]["repository"]["size"]),
        "database_bytes": int(backup["info"]["size"]),
    }
    body = t.cast("dict[str, Json]", json.loads(json.dumps(body, default=str)))
    whole = {**body, "seal": files.seal(body)}
    (folder / files.MANIFEST).write_text(json.dumps(whole, indent=1, sort_keys=True), encoding="utf-8")
    _settled(config, whole)
    files.settle(folder)
    os.rename(folder, directory / name)
    return whole


def _of_a_quiet_moment(config: Config, folder: pathlib.Path) -> dict[str, Json]:
    """Return what the database holds at a place in the WAL where no transaction was open: what is before it is in the snapshot, what is after is not."""
    with dump.connect(config) as looking, dump.connect(config) as session:
        looking.autocommit = True
        manifest.pin(session)
        session.commit()
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        # Sequences stand outside of snapshots: read before the moment, they can only have moved on by then.
        sequences = manifest.what_it_is(looking)["sequences"]
        lsn, snapshot = _quiet(looking, session) or _held(looking, session)
        body = manifest.what_it_is(session)
        body |= {
            "sequences": sequences,
            "at": snapshot["at"].astimezone(datetime.UTC).isoformat(),
            "lsn": lsn,
            "wal_segment_bytes": int(manifest.row(session, "select setting from pg_settings where name = 'wal_segment_size'")["setting"]),
            "restored_bytes": int(manifest.row(session, "select sum(pg_database_size(oid)) as bytes from pg_database")["bytes"]),
            "tables": manifest.content(session),
            "invariants": manifest.asked(session, config.get("invariants") or {}, snapshot["at"].isoformat()),
        }
        where, more = dump.arguments(config)
        program = programs.postgres("pg_dump", body["server_version"] // 10000)
        argv = [str(program), *where, "--schema-only", f"--snapshot={snapshot['id']}", f"--file={folder / 'schema.sql'}"]
        programs.run("schema", argv, env=more)
        session.rollback()
    return body


def _quiet(looking: dump.Session, session: dump.Session) -> tuple[str, dict[str, Json]] | None:
    """Begin the snapshot of *session* at a quiet moment, and return that place in the WAL; None where there is none."""
    for _turn in range(QUIET_TRIES):
        before = manifest.row(looking, PLACE)["lsn"]
        snapshot = manifest.row(session, SNAPSHOT)
        if snapshot["nobody"] and manifest.row(looking, PLACE)["lsn"] == before:
            return str(before), snapshot
        session.rollback()
        time.sleep(QUIET_PAUSE_S)
    return None


def _held(looking: dump.Session, session: dump.Session) -> tuple[str, dict[str, Json]]:
    """Begin the snapshot of *session* while nobody may write, and return that place in the WAL. Raises :class:`Failed`.

    A transaction lets its locks go after everybody can see that it ended. So whoever has all tables in share mode sees all that was ever written to them, and
    nothing is written until the locks go: whatever else the WAL gets meanwhile, before and after that place the rows are the same.
    """
    for _turn in range(HELD_TRIES):
        tables = [sql.Identifier(one["schema"], one["name"]) for one in manifest.rows(looking, manifest.TABLES)]
        try:
            with looking.transaction():
                looking.execute(sql.SQL("set local statement_timeout = {}").format(HELD_MS))
                if tables:
                    looking.execute(sql.SQL("lock table {} in share mode").format(sql.SQL(", ").join(tables)))
                snapshot = manifest.row(session, SNAPSHOT)
                return str(manifest.row(looking, PLACE)["lsn"]), snapshot
        except (psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected, psycopg.errors.UndefinedTable):
            session.rollback()
            time.sleep(HELD_PAUSE_S)
    oldest = next(iter(manifest.rows(looking, OPEN)), None)
    who = f"process {oldest['pid']} ({oldest['who']}) has had a transaction open for {oldest['seconds']} s" if oldest else "nobody for long"
    raise Failed("quiet", f"there was no moment without an open transaction: {who}")


def _settled(config: Config, made: t.Mapping[str, Json]) -> None:
    """Close the segment that the manifest's moment is in, and wait until the repository has it. Raises :class:`Failed`."""
    with dump.connect(config, "postgres") as session:
        session.autocommit = True
        segment = manifest.row(session, "select pg_walfile_name(pg_switch_wal()) as name")["name"]
    end = time.monotonic() + ARCHIVED_WITHIN_S
    while time.monotonic() < end:
        if segment in pgbackrest.archived(config, archive_id(pgbackrest.info(config)[0])):
            return
        time.sleep(0.1)
    raise Failed("archive", f"the segment {segment} of {made['id']} was not archived within {ARCHIVED_WITHIN_S} s")


def archive_id(stanza: t.Mapping[str, Json]) -> str:
    """Return the archive of the stanza's present cluster, such as ``15-1``. Raises :class:`Failed`."""
    if not stanza["archive"]:
        raise Failed("archive", "the repository has no archived WAL")
    return str(stanza["archive"][-1]["id"])


def _forget(directory: pathlib.Path, labels: t.Collection[str]) -> None:
    """Remove the manifests whose backup pgBackRest has expired."""
    for name in files.listed(directory)[1:]:
        if _label(directory / name) not in labels:
            shutil.rmtree(directory / name)


def _label(folder: pathlib.Path) -> str:
    try:
        return str(files.read_manifest(folder)["label"])
    except files.BROKEN:
        return ""


def begin(config: Config) -> list[str]:
    """Make the stanza and have the server archive into it; return what was done. Raises :class:`Failed`, also where the server archives elsewhere."""
    done = []
    stanza, unknown = pgbackrest.info(config)
    if unknown:
        raise Failed("option", ", ".join(unknown))
    if stanza["status"]["code"] in STATUS_NO_STANZA:
        pgbackrest.call(config, "stanza-create")
        done.append("pgbackrest stanza-create")
    elif stanza["status"]["code"] not in STATUS_WELL:
        # A server that archives into a repository that nobody can write to fills its own disk.
        name, words = pgbackrest.state(stanza)
        raise Failed(name, f"pgbackrest info: {words}")
    with dump.connect(config, "postgres") as session:
        session.autocommit = True
        library = manifest.rows(session, "select setting from pg_settings where name = 'archive_library' and setting <> ''")
        if library:
            raise Failed("archive", f"archive_library is set to {library[0]['setting']}, and then archive_command does nothing")
        for name, value in wanted(config).items():
            have = str(manifest.rows(session, "select setting from pg_settings where name = %s", (name,))[0]["setting"])
            if have == value:
                continue
            if name == "archive_command" and have not in ("", "(disabled)") and "golive" not in have:
                raise Failed("archive", f"archive_command is set to something else: {have}")
            statement = psycopg.sql.SQL("alter system set {} = {}").format(psycopg.sql.Identifier(name), psycopg.sql.Literal(value))
            if manifest.rows(session, "select 1 from pg_file_settings where name = %s and setting = %s and sourcefile ~ 'auto.conf$'", (name, value)):
                continue  # written down already, and waiting for a restart
            session.execute(statement)
            done.append(f"alter system set {name}")
        session.execute("select pg_reload_conf()")
    return done


def wanted(config: Config) -> dict[str, str]:
    """Return the server's settings that send its WAL to the repository. ``archive_mode`` needs a restart."""
    own = config["pgbackrest"]
    command = f"pgbackrest --config={own['config']} --config-include-path={own['include']} --stanza={own['stanza']} archive-push %p"
    return {"archive_command": command, "archive_timeout": str(config.get("archive_timeout_s") or ARCHIVE_TIMEOUT_S), "archive_mode": "on"}


def stored(config: Config) -> dict[str, Json]:
    """Return what the drill must know before it begins: whether a backup is made right now, the newest that has a manifest, the live cluster's counter."""
    stanza, _unknown = pgbackrest.info(config)
    by_label = {str(one["label"]): one for one in stanza["backup"]}
    directory = pathlib.Path(config["directory"])
    told: dict[str, Json] = {"running_s": 0.0 if stanza["status"].get("lock", {}).get("backup", {}).get("held") else None, "copies": len(by_label)}
    names = files.listed(directory)
    if not names:
        newest = max(by_label, default=None)
        return {**told, "newest": {"id": newest, "snapshot": newest} if newest else None, "manifest": None}
    # The newest alone: an older one would prove something about another backup than the one that a disaster would meet.
    name = names[0]
    try:
        made = files.read_manifest(directory / name)
    except files.BROKEN as problem:
        return {**told, "newest": {"id": name, "snapshot": name}, "manifest": None, "broken": _broken(problem)}
    if made["label"] not in by_label:
        return {**told, "unlisted": made["label"]}
    backup = by_label[made["label"]]
    sizes = {"restored_bytes": int(backup["info"]["size"]), "archive_bytes": _wal_bytes(config, stanza, backup, made)}
    return {**told, "newest": {"id": name, "snapshot": name, "label": made["label"]}, "manifest": {**made, **sizes}, "live_xmax": _xmax(config)}


def _broken(problem: Exception) -> dict[str, Json]:
    return {"code": "manifest_broken", "name": files.MANIFEST, "wanted": "", "found": f"{type(problem).__name__}: {problem}"[:200]}


def _wal_bytes(config: Config, stanza: t.Mapping[str, Json], backup: t.Mapping[str, Json], made: t.Mapping[str, Json]) -> int:
    """Return the size of the WAL that a restore of *backup* replays."""
    first, each = str(backup["archive"]["start"]), int(made["wal_segment_bytes"])
    return each * sum(len(one) == 24 and one[8:] >= first[8:] for one in pgbackrest.archived(config, archive_id(stanza)))


def _xmax(config: Config) -> int | None:
    """Return the live cluster's next transaction, so that the drill can tell whether the copy lacks one; None where nobody answers."""
    try:
        with dump.connect(config, "postgres") as session:
            session.read_only = True
            return int(manifest.row(session, "select pg_snapshot_xmax(pg_current_snapshot())::text as xmax")["xmax"])
    except Failed:
        return None


def fetch(order: t.Mapping[str, Json]) -> dict[str, Json]:
    """Restore the backup of ``order["snapshot"]`` below ``order["target"]``, and bring its WAL, so that the copy itself needs no repository.

    Returns ``{seconds, told}``; what is wrong with the repository stands in ``told``. The target is always empty, and neither ``--delta`` nor ``--force`` is
    ever given: pgBackRest itself refuses to write where there is anything.
    """
    started, config, target = time.monotonic(), order["config"], pathlib.Path(order["target"])
    folder = pathlib.Path(config["directory"]) / str(order["snapshot"])
    try:
        made = files.read_manifest(folder)
    except files.BROKEN as problem:
        return {"seconds": round(time.monotonic() - started, 2), "told": [_broken(problem)], "argv": []}
    shutil.copytree(folder, target, dirs_exist_ok=True)
    told = _restored(config, made, target) or _brought(config, made, target)
    words = _restore_words(made, target)
    return {"seconds": round(time.monotonic() - started, 2), "told": told, "argv": pgbackrest.argv(config, "restore", *words)}


def _restored(config: Config, made: t.Mapping[str, Json], target: pathlib.Path) -> list[dict[str, Json]]:
    data = target / "pg"
    data.mkdir(mode=0o700)
    if config.get("user"):
        shutil.chown(data, config["user"])
    try:
        pgbackrest.call(config, "restore", *_restore_words(made, target))
    except Refused as problem:
        if problem.name not in ("corrupt", "missing"):
            raise
        return [{"code": "bundle_corrupt", "name": made["label"], "wanted": "", "found": str(problem)}]
    return []


def _restore_words(made: t.Mapping[str, Json], target: pathlib.Path) -> list[str]:
    apart = [f"--pg1-path={target / 'pg'}", f"--tablespace-map-all={target / 'ts'}", *_apart(target)]
    return [*apart, f"--set={made['label']}", "--archive-mode=off", "--job-retry=1", "--job-retry-interval=1"]


def _apart(target: pathlib.Path) -> list[str]:
    """Locks and logs of a drill are its own."""
    return [f"--lock-path={target / 'lock'}", "--log-level-file=off"]


def _brought(config: Config, made: t.Mapping[str, Json], target: pathlib.Path) -> list[dict[str, Json]]:
    """Bring every segment from where the backup begins to the last one; say which are missing, and which are not what was archived."""
    stanza, _unknown = pgbackrest.info(config)
    start = next(str(one["archive"]["start"]) for one in stanza["backup"] if one["label"] == made["label"])
    there = pgbackrest.archived(config, archive_id(stanza))
    each = int(made["wal_segment_bytes"])
    told = [{"code": "wal_missing", "name": name, "wanted": "archived", "found": None} for name in pgbackrest.gaps(there, start, each)]
    if told:
        return told
    wal = target / "wal"
    wal.mkdir(mode=0o700)
    if config.get("user"):
        shutil.chown(wal, config["user"])
    for name, digest in sorted(there.items()):
        if name.endswith(".partial") or (len(name) == 24 and (name[:8] < start[:8] or name[8:] < start[8:])):
            continue  # a part of a segment is what a timeline that ended has: the next one has all of it
        told += _segment(config, name, digest, target)
    return told


def _segment(config: Config, name: str, digest: str, target: pathlib.Path) -> list[dict[str, Json]]:
    """Bring one segment, and hold it against the digest in its name: ``archive-get`` does not look (tried with 2.45)."""
    path, damaged = target / "wal" / name, {"code": "wal_corrupt", "name": name, "wanted": digest}
    try:
        pgbackrest.call(config, "archive-get", "--no-archive-async", f"--pg1-path={target / 'pg'}", *_apart(target), last=(name, str(path)))
    except Refused as problem:
        if problem.name != "corrupt":
            raise
        return [{**damaged, "found": str(problem)}]
    return [] if not digest or pgbackrest.sha1(path) == digest else [{**damaged, "found": "another digest"}]
