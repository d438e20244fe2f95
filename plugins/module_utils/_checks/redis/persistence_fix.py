# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``redis.persistence`` is mended without losing a key. ``redis_persistence`` alone comes in.

The order is the point. ``appendonly yes`` in the file and a restart make Redis read an append-only file that does not exist yet: it starts empty, says nothing,
and its next snapshot overwrites the old one (tried on 7.0.15: 201 keys, then 0). So: let the running server write the file, wait until it is whole, and only
then let the configuration say so.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import persistence_rules as rules
from ansible_collections.resto.golive.plugins.module_utils._redis import Server

#: ``maxmemory`` where nobody declares it: a quarter of the memory there is, since small shops run everything on one machine;
#: twice what is in use if that is more.
DEFAULT_SHARE = 0.25
DEFAULT_GROWTH = 2

#: Free space that a new append-only file must find: a rewrite keeps the old one beside the new one, and each is at most about what is in memory.
ROOM_FACTOR = 2

#: Redis' own save points since version 7.
SAVE_POINTS = rules.FILE_DEFAULTS["save"][0]

POLL_S = 0.1


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done: settings as ``(name, new, old)``, in their safe order, and writes to try again."""

    settings: tuple[tuple[str, str, str], ...] = ()
    new_aof: bool = False
    new_snapshot: bool = False
    config_file: str = ""

    def lines(self) -> list[str]:
        """Say it in words, in the order in which it is done."""
        lines = [_line(*setting) for setting in self.settings]
        lines += ["BGREWRITEAOF"] if self.new_aof else []
        lines += ["BGSAVE"] if self.new_snapshot else []
        return lines + ([f"CONFIG REWRITE {self.config_file}"] if self.config_file else [])


def _line(name: str, new: str, old: str) -> str:
    return f"CONFIG SET {name}: {old!r} -> {new!r}"


def plan(seen: t.Mapping[str, Json], options: Options) -> Plan:
    """Return what would put *seen* right. Empty without a configuration file: what is set would be gone with the next restart, and the verdict says so."""
    if not seen["config_file"] or seen["file"] is None:
        return Plan()
    wanted = _wanted(seen, options)
    settings = tuple((name, value, str(seen["running"][name])) for name, value in wanted.items() if value != str(seen["running"][name]))
    running, state = seen["running"], seen["state"]
    return Plan(
        settings,
        new_aof=running["appendonly"] == "yes" and (state["aof_last_bgrewrite_status"] != "ok" or not seen["aof_written"]),
        new_snapshot=wanted.get("save", running["save"]) != "" and state["rdb_last_bgsave_status"] != "ok",
        config_file=seen["config_file"] if settings or rules.differences(seen) else "",
    )


def _wanted(seen: t.Mapping[str, Json], options: Options) -> dict[str, str]:
    """Return the values that the strategy asks for, in the order in which they are set: nothing may be evicted before the policy forbids it."""
    running = seen["running"]
    if options["strategy"] in rules.KEEPING:
        wanted = {
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "appendfsync": running["appendfsync"] if running["appendfsync"] in ("everysec", "always") else "everysec",
            "stop-writes-on-bgsave-error": "yes",
            "save": running["save"] or SAVE_POINTS,
        }
    else:
        evicts = running["maxmemory-policy"].startswith(("allkeys-", "volatile-"))
        wanted = {"maxmemory-policy": running["maxmemory-policy"] if evicts else "allkeys-lru"}
    return {**wanted, "maxmemory": str(_maxmemory(seen, options))}


def _maxmemory(seen: t.Mapping[str, Json], options: Options) -> int:
    """Return the limit to set, in bytes; the one that stands, if it is good. Raises :class:`CannotKnow` rather than go below what is in use."""
    limit: int
    declared, running, most = options.get("maxmemory_mb"), seen["running"]["maxmemory"], rules.ceiling(seen, options)
    if declared is not None:
        limit = declared * 1024**2
    elif isinstance(running, int) and 0 < running <= most:
        return running
    else:
        limit = min(max(int(seen["memory_limit"] * DEFAULT_SHARE), DEFAULT_GROWTH * seen["used_memory"]), most)
    if not seen["used_memory"] <= limit <= most:
        sizes: dict[str, Json] = {"used_mb": rules.megabytes(seen["used_memory"]), "wanted_mb": rules.megabytes(limit), "ceiling_mb": rules.megabytes(most)}
        raise CannotKnow("redis_persistence.memory_short", **sizes)
    return limit


def apply(server: Server, seen: t.Mapping[str, Json], options: Options, *, wait_s: float) -> list[str]:
    """Do what :func:`plan` says and return it in words."""
    todo = plan(seen, options)
    turning_on = any(name == "appendonly" for name, _new, _old in todo.settings)
    if turning_on or todo.new_aof:
        _demand_room(seen)
    if todo.config_file:
        # First, because a file that cannot be written must stop us before anything has changed; and because it takes back an ``appendonly yes``
        # that somebody wrote there too early.
        server.rewrite_config()
    deadline = time.monotonic() + wait_s
    for name, new, _old in todo.settings:
        server.change(name, new)
        if name == "appendonly":
            _wait_for_aof(server, seen, deadline, wait_s, undo=True)
    if todo.new_aof:
        server.rewrite_aof()
        _wait_for_aof(server, seen, deadline, wait_s, undo=False)
    if todo.new_snapshot:
        server.save()
        _wait_for_snapshot(server, seen, deadline, wait_s)
    if todo.config_file:
        server.rewrite_config()
    return todo.lines()


def _demand_room(seen: t.Mapping[str, Json]) -> None:
    needed = ROOM_FACTOR * seen["used_memory"]
    if seen["disk_free"] < needed:
        sizes: dict[str, Json] = {"free_mb": rules.megabytes(seen["disk_free"]), "needed_mb": rules.megabytes(needed)}
        raise CannotKnow("redis_persistence.disk_short", folder=seen["running"]["dir"], **sizes)


def _wait_for_aof(server: Server, seen: t.Mapping[str, Json], deadline: float, wait_s: float, *, undo: bool) -> None:
    """Return when the append-only file is whole. A failed one is turned off again if it was we who turned it on.

    One that only needs longer goes on being written: the file does not mention it yet, so a restart reads the snapshot as before, and the next run carries on.
    """
    stale = seen["state"]["aof_last_bgrewrite_status"] != "ok"
    while True:
        state = server.info("persistence", "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status")
        writing = int(state["aof_rewrite_in_progress"]) or int(state["aof_rewrite_scheduled"])
        good = state["aof_last_bgrewrite_status"] == "ok"
        if good and not writing:
            return
        if not good and not (stale and writing):
            break
        if time.monotonic() > deadline:
            if good:
                raise CannotKnow("redis_persistence.aof_unfinished", seconds=round(wait_s))
            break
        time.sleep(POLL_S)
    if undo:
        server.change("appendonly", "no")
    raise CannotKnow("redis_persistence.aof_failed", folder=seen["running"]["dir"])


def _wait_for_snapshot(server: Server, seen: t.Mapping[str, Json], deadline: float, wait_s: float) -> None:
    while True:
        state = server.info("persistence", "rdb_bgsave_in_progress", "rdb_last_bgsave_status")
        if not int(state["rdb_bgsave_in_progress"]):
            break
        if time.monotonic() > deadline:
            raise CannotKnow("redis_persistence.snapshot_unfinished", seconds=round(wait_s))
        time.sleep(POLL_S)
    if state["rdb_last_bgsave_status"] != "ok":
        raise CannotKnow("redis_persistence.snapshot_failed", folder=seen["running"]["dir"])
