# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``redis.persistence`` is judged: pure functions of what was seen and the options. ``redis_persistence`` and ``persistence_fix`` come in.

Sources: redis.io "Redis persistence" and "Key eviction"; BullMQ and Sidekiq demand ``noeviction`` of a queue; the rest was tried on Redis 7.0.15.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options

#: Directives that decide what a restart finds, and what a configuration file that does not mention one means (``save``: Redis 6, then 7; an empty directory
#: name: Redis 6, which has none). ``dir`` has no default: the directory that the server happens to be started from.
FILE_DEFAULTS: dict[str, tuple[str, ...]] = {
    "appendonly": ("no",),
    "appendfsync": ("everysec",),
    "maxmemory": ("0",),
    "maxmemory-policy": ("noeviction",),
    "save": ("3600 1 300 100 60 10000", "900 1 300 10 60 10000"),
    "dir": (),
    "dbfilename": ("dump.rdb",),
    "appendfilename": ("appendonly.aof",),
    "appenddirname": ("appendonlydir", ""),
    "stop-writes-on-bgsave-error": ("yes",),
}

#: From this kernel on, a mode 0 of vm.overcommit_memory refuses a fork only if one mapping alone exceeds all memory and swap (commit 8c7829b04c52, Linux 5.2).
KIND_KERNEL = [5, 2]

KEEPING = ("queue", "session")


def judge(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """Return what holds and what does not, the gravest first, so that the row's reason is the one to mend first."""
    keeping = options["strategy"] in KEEPING
    rules = [_trap, _append_only, _fsync, _policy_keeps] if keeping else [_policy_evicts]
    rules += [_memory, _statuses, _folders, _file]
    rules += [_aof_on_disk, _stop_writes, _snapshots, _time_to_live] if keeping else []
    rules += [_overcommit]
    return [assertion for rule in rules for assertion in rule(seen, options)]


def _say(good: bool, yes: str, no: str, source: str, expected: Json, observed: Json, *, bad: str = "fail", **params: Json) -> list[Assertion]:
    code = f"redis_persistence.{yes if good else no}"
    return [Assertion("pass" if good else bad, code, params, expected=expected, observed=observed, source=source)]


def _trap(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """A file that says ``appendonly yes`` over a server without one: the next start reads an append-only file that is not there, and is empty."""
    file = seen["file"] or {}
    if file.get("appendonly", "no") != "yes" or seen["running"]["appendonly"] == "yes":
        return []
    path = seen["config_file"]
    return _say(False, "", "restart_empties", path, "appendonly no until the append-only file is written", "appendonly yes", file=path)


def _append_only(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value = seen["running"]["appendonly"]
    return _say(value == "yes", "aof_on", "aof_off", "CONFIG GET appendonly", "yes", value, strategy=options["strategy"])


def _fsync(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value = seen["running"]["appendfsync"]
    return _say(value in ("everysec", "always"), "fsync_on", "fsync_off", "CONFIG GET appendfsync", "everysec or always", value, value=value)


def _policy_keeps(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value = seen["running"]["maxmemory-policy"]
    params = {"policy": value, "strategy": options["strategy"]}
    return _say(value == "noeviction", "policy_keeps", "policy_evicts", "CONFIG GET maxmemory-policy", "noeviction", value, **params)


def _policy_evicts(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value, source = seen["running"]["maxmemory-policy"], "CONFIG GET maxmemory-policy"
    if value.startswith("volatile-"):
        # What has no time to live is never evicted under these, so they work only where every key has one.
        all_expire = 0 < seen["keys"] == seen["expiring"]
        lasting = seen["keys"] - seen["expiring"]
        return _say(all_expire, "cache_evicts", "cache_volatile", source, "allkeys-*", value, bad="warn", policy=value, lasting=lasting, keys=seen["keys"])
    return _say(value.startswith("allkeys-"), "cache_evicts", "cache_full", source, "allkeys-*", value, policy=value)


def ceiling(seen: t.Mapping[str, Json], options: Options) -> int:
    """Return the most that ``maxmemory`` may be, in bytes: the rest is for a fork's copies, buffers and the neighbours."""
    return int(seen["memory_limit"] * options["memory_share_max"])


def _memory(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value, most, source = seen["running"]["maxmemory"], ceiling(seen, options), "CONFIG GET maxmemory"
    sizes = {"mb": megabytes(value), "limit_mb": megabytes(seen["memory_limit"]), "ceiling_mb": megabytes(most)}
    params = {**sizes, "share": round(options["memory_share_max"] * 100)}
    if not isinstance(value, int) or value == 0:
        return _say(False, "", "memory_unlimited", source, f"1..{most}", value, **params)
    if not seen["memory_limit"]:
        return _say(False, "", "memory_unknown", "INFO memory", "total_system_memory", None, bad="error", **params)
    wanted = options.get("maxmemory_mb")
    if wanted is not None and value != wanted * 1024**2:
        return _say(False, "", "memory_other", source, wanted * 1024**2, value, wanted_mb=wanted, **params)
    return _say(value <= most, "memory_limited", "memory_high", source, f"1..{most}", value, **params)


def megabytes(value: Json) -> int:
    return round(value / 1024**2) if isinstance(value, int) else 0


def _statuses(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """The last write of each kind that is on."""
    running, state, source = seen["running"], seen["state"], "INFO persistence"
    kinds = {"rdb_last_bgsave_status": running["save"] != ""}
    kinds |= dict.fromkeys(("aof_last_write_status", "aof_last_bgrewrite_status"), running["appendonly"] == "yes")
    rows = [
        _say(state[field] == "ok", "write_ok", "write_failed", source, "ok", state[field], field=field, folder=running["dir"])
        for field, on in kinds.items()
        if on
    ]
    return [assertion for row in rows for assertion in row]


def _folders(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """What the server writes next is a new file; where its files could not be seen, :func:`_file` says so."""
    shut, running = seen["shut_folders"], seen["running"]
    if shut is None or (running["appendonly"] != "yes" and running["save"] == ""):
        return []
    names = ", ".join(shut) or running["dir"]
    return _say(not shut, "folders_open", "folders_shut", "access(2) as the server's user", [], shut, folders=names)


def differences(seen: t.Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """Return ``(directive, running, file)`` of what a restart would change."""
    found = []
    for name, defaults in FILE_DEFAULTS.items():
        running, written = str(seen["running"][name]), seen["file"].get(name)
        accepted = defaults if written is None else (written, written.rstrip("/"))
        if running not in accepted:
            found.append((name, running, "" if written is None else written))
    return found


def _file(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    path = seen["config_file"]
    if not path:
        return _say(False, "", "no_config_file", "INFO server", "a configuration file", "")
    if seen["file"] is None:
        return _not_seen(seen)
    wrong = differences(seen)
    running = {name: value for name, value, _written in wrong}
    written = {name: value for name, _running, value in wrong}
    return _say(not wrong, "file_agrees", "file_differs", path, running, written, file=path, names=", ".join(running))


def _not_seen(seen: t.Mapping[str, Json]) -> list[Assertion]:
    params = {"file": seen["config_file"] or seen["running"]["dir"], "why": seen["not_seen"]}
    return _say(False, "", "files_not_seen", params["file"], "readable", seen["not_seen"], bad="error", **params)


def _aof_on_disk(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    if seen["running"]["appendonly"] != "yes":
        return []
    if seen["aof_written"] is None:
        return _not_seen(seen)
    folder = seen["running"]["dir"]
    return _say(seen["aof_written"], "aof_written", "aof_missing", folder, "an append-only file", seen["aof_written"], folder=folder)


def _stop_writes(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    value = seen["running"]["stop-writes-on-bgsave-error"]
    return _say(value == "yes", "stop_writes_on", "stop_writes_off", "CONFIG GET stop-writes-on-bgsave-error", "yes", value)


def _snapshots(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """The append-only file is what survives a crash; snapshots are what a backup copies, and what is left when a file is damaged."""
    value = seen["running"]["save"]
    return _say(value != "", "snapshots_on", "snapshots_off", "CONFIG GET save", "at least one save point", value, bad="warn", save=value)


def _time_to_live(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """Sessions that never expire fill the memory, and a full memory that evicts nothing refuses every login."""
    if options["strategy"] != "session":
        return []
    lasting = seen["keys"] - seen["expiring"]
    return _say(lasting <= 0, "sessions_expire", "sessions_last", "INFO keyspace", 0, lasting, bad="warn", lasting=lasting, keys=seen["keys"])


def _overcommit(seen: t.Mapping[str, Json], options: Options) -> list[Assertion]:
    """Snapshots and rewrites fork; a kernel that counts the copy as used memory refuses, and Redis then refuses writes."""
    mode = seen["overcommit"]
    if mode is None or (seen["running"]["appendonly"] != "yes" and seen["running"]["save"] == ""):
        return []
    good = mode == 1 or (mode == 0 and seen["kernel"] >= KIND_KERNEL)
    return _say(good, "fork_allowed", "fork_refused", "vm.overcommit_memory", "1, or 0 from Linux 5.2 on", mode, bad="warn", mode=mode)
