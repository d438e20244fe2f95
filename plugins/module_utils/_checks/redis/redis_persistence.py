# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``redis.persistence``: what Redis holds survives a restart, a full memory and the next edit of its configuration.

Here: what is asked and what is seen. How it is judged: ``persistence_rules``. How it is mended: ``persistence_fix``.
"""

from __future__ import annotations

import os
import pathlib
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _redis
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import persistence_fix, persistence_rules, redis_files

#: Directives that are lost by a restart if the configuration file says otherwise.
DIRECTIVES = tuple(persistence_rules.FILE_DEFAULTS)

#: Those whose values are names of files, in which case matters.
PATHS = frozenset({"dir", "dbfilename", "appendfilename", "appenddirname"})

#: Fields without which an INFO section is no answer.
PERSISTENCE = ("loading", "aof_enabled", "aof_rewrite_in_progress", "aof_last_bgrewrite_status", "aof_last_write_status", "rdb_last_bgsave_status")


class RedisPersistence(Check):
    """One target: the server that the options name."""

    name = "redis_persistence"
    items = ("redis.persistence",)
    vantage = "redis"
    runs_as = "root"  # Debian keeps redis.conf and the data directory from others
    timeout_s = 180.0  # a look takes milliseconds and a dead server seconds; the rest is for a fix that waits for the append-only file
    fixes = True
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "strategy": {
            "type": "str",
            "choices": ["queue", "session", "cache"],
            "default": "queue",
            "widest": "section",
            "example": "redis_strategy: queue   # queue|session: nothing may be lost; cache: eviction allowed",
        },
        **_redis.CONNECTION,
        "memory_share_max": {"type": "float", "default": 0.6, "example": "redis_persistence_memory_share_max: 0.6"},
        "maxmemory_mb": {"type": "int", "example": "redis_persistence_maxmemory_mb: 512"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        with _redis.connect(ctx.options, ctx.secrets) as server:
            return _seen(server, ctx.options)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return persistence_rules.judge(seen, options)

    def plan(self, seen: dict[str, Json], options: Options) -> list[str]:
        """Say what :meth:`remediate` would do, one line each; nothing where it can do nothing. Pure."""
        return persistence_fix.plan(seen, options).lines()

    def remediate(self, ctx: Context, seen: dict[str, Json]) -> list[str]:
        with _redis.connect(ctx.options, ctx.secrets) as server:
            return persistence_fix.apply(server, seen, ctx.options, wait_s=ctx.timeout_s * 0.75)


def _seen(server: _redis.Server, options: Options) -> dict[str, Json]:
    """Return one snapshot of the running server and, where it runs on this host, of its files and the kernel under it."""
    identity = server.info("server", "redis_version", "process_id")
    state = server.info("persistence", *PERSISTENCE)
    if int(state["loading"]):
        raise CannotKnow("redis_persistence.loading", where=f"{options['host']}:{options['port']}")
    replication = server.info("replication", "role")
    if replication["role"] != "master":
        primary = f"{replication.get('master_host', '?')}:{replication.get('master_port', '?')}"
        raise CannotKnow("redis_persistence.is_replica", where=f"{options['host']}:{options['port']}", primary=primary)
    memory = server.info("memory", "used_memory")
    running = server.settings(DIRECTIVES)
    keys, expiring = server.key_counts()
    config_file = str(identity.get("config_file", ""))
    host = _host_side(server, options, int(identity["process_id"]), config_file, running)
    limits = [int(limit) for limit in (memory.get("total_system_memory"), host.pop("memory_limit")) if limit]
    return {
        "version": str(identity["redis_version"]),
        "config_file": config_file,
        "running": {**running, "maxmemory": redis_files.size(running["maxmemory"])},
        "state": {name: state[name] for name in PERSISTENCE},
        "used_memory": int(memory["used_memory"]),
        "memory_limit": min(limits, default=0),
        "keys": keys,
        "expiring": expiring,
        **host,
    }


def _directives(root: str, path: str) -> dict[str, str]:
    """Return what the configuration file says of :data:`DIRECTIVES`, written as CONFIG GET writes it."""
    written = {name: value for name, value in redis_files.read_config(root, path).items() if name in DIRECTIVES}
    return {name: value if name in PATHS else str(redis_files.size(value)).lower() if name == "maxmemory" else value.lower() for name, value in written.items()}


def _host_side(server: _redis.Server, options: Options, process_id: int, config_file: str, running: t.Mapping[str, str]) -> dict[str, Json]:
    """Return what only this host can show. ``not_seen`` says what it could not, and why; the values are None then."""
    blind: dict[str, Json] = dict.fromkeys(("file", "aof_written", "shut_folders", "disk_free", "overcommit", "kernel", "memory_limit")) | {"root": ""}
    if not server.local(options["host"], options["port"]):
        return {**blind, "not_seen": f"{options['host']} is another host"}
    pid = redis_files.find_process(process_id)
    if pid is None:
        return {**blind, "not_seen": f"no process here is the server with id {process_id}"}
    root = f"/proc/{pid}/root"
    try:
        return {
            "file": _directives(root, config_file) if config_file else None,
            "aof_written": redis_files.aof_written(root, running),
            "shut_folders": redis_files.shut_folders(root, pid, running),
            "disk_free": redis_files.room(root, running["dir"]),
            "overcommit": int(pathlib.Path("/proc/sys/vm/overcommit_memory").read_text()),
            "kernel": [int(part) for part in re.findall(r"\d+", os.uname().release)[:2]],
            "memory_limit": redis_files.memory_limit(pid),
            "root": root,
            "not_seen": "",
        }
    except redis_files.NotSeen as problem:
        return {**blind, "not_seen": str(problem)}
