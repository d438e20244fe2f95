# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``redis.persistence``, judged and planned at its edges: pure functions, no server. The real one is in ``tests/integration/test_redis.py``."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import persistence_fix, persistence_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence

GB = 1024**3
MESSAGES = pathlib.Path(persistence_rules.__file__).parents[3] / "plugin_utils" / "messages" / "redis_persistence.yml"
OPTIONS: dict[str, t.Any] = {"strategy": "queue", "host": "127.0.0.1", "port": 6379, "memory_share_max": 0.6, "maxmemory_mb": None}
RUNNING: dict[str, t.Any] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": GB,
    "maxmemory-policy": "noeviction",
    "save": "3600 1 300 100 60 10000",
    "dir": "/var/lib/redis",
    "dbfilename": "dump.rdb",
    "appendfilename": "appendonly.aof",
    "appenddirname": "appendonlydir",
    "stop-writes-on-bgsave-error": "yes",
}


def options(**changed: t.Any) -> dict[str, t.Any]:
    return {**OPTIONS, **changed}


def seen(
    running: t.Mapping[str, t.Any] | None = None, *, written: t.Mapping[str, str] | None = None, state: t.Mapping[str, str] | None = None, **changed: t.Any
) -> dict[str, t.Any]:
    """A healthy queue; *running* changes the server, and the file with it unless *written* says otherwise."""
    values = {**RUNNING, **(running or {})}
    return {
        "version": "7.0.15",
        "config_file": "/etc/redis/redis.conf",
        "running": values,
        "file": {**{name: str(value) for name, value in values.items()}, **(written or {})},
        "state": {"aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok", "rdb_last_bgsave_status": "ok", **(state or {})},
        "used_memory": 100 * 1024**2,
        "memory_limit": 4 * GB,
        "keys": 10,
        "expiring": 10,
        "aof_written": True,
        "shut_folders": [],
        "disk_free": 10 * GB,
        "overcommit": 1,
        "kernel": [6, 1],
        "not_seen": "",
        **changed,
    }


def judged(what: dict[str, t.Any], **changed: t.Any) -> tuple[str, list[str]]:
    """Return the status and the codes that are not a pass."""
    assertions = RedisPersistence().judge(what, options(**changed))
    for assertion in assertions:
        text = yaml.safe_load(MESSAGES.read_text(encoding="utf-8"))[assertion.code.removeprefix("redis_persistence.")]
        assert all(text[language].format_map(dict(assertion.params)) for language in ("es", "en"))
    return worst(a.status for a in assertions), [a.code.removeprefix("redis_persistence.") for a in assertions if a.status != "pass"]


def test_a_healthy_queue_passes_and_nothing_is_planned() -> None:
    assert judged(seen()) == ("pass", [])
    assert RedisPersistence().plan(seen(), OPTIONS) == []


@pytest.mark.parametrize("strategy", ["queue", "session"])
@pytest.mark.parametrize(
    ("what", "codes"),
    [
        (seen({"appendonly": "no"}), ["aof_off"]),
        (seen({"appendfsync": "no"}), ["fsync_off"]),
        (seen({"maxmemory-policy": "allkeys-lru"}), ["policy_evicts"]),
        (seen({"maxmemory-policy": "volatile-ttl"}), ["policy_evicts"]),
        (seen({"maxmemory": 0}), ["memory_unlimited"]),
        (seen({"maxmemory": "half"}), ["memory_unlimited"]),
        (seen({"maxmemory": int(4 * GB * 0.6) + 1}), ["memory_high"]),
        (seen({"stop-writes-on-bgsave-error": "no"}), ["stop_writes_off"]),
        (seen(state={"aof_last_write_status": "err"}), ["write_failed"]),
        (seen(state={"aof_last_bgrewrite_status": "err"}), ["write_failed"]),
        (seen(state={"rdb_last_bgsave_status": "err"}), ["write_failed"]),
        (seen(aof_written=False), ["aof_missing"]),
        (seen(shut_folders=["/var/lib/redis/appendonlydir"]), ["folders_shut"]),
        (seen(config_file="", file=None), ["no_config_file"]),
        (seen(written={"appendonly": "no"}), ["file_differs"]),
        (seen(written={"maxmemory": "0"}), ["file_differs"]),
        (seen(written={"dir": "/srv/redis"}), ["file_differs"]),
        (seen(written={"dir": "./"}), ["file_differs"]),
        # The trap: the file was edited, the server was not told. The first word is the danger.
        (seen({"appendonly": "no"}, written={"appendonly": "yes"}), ["restart_empties", "aof_off", "file_differs"]),
    ],
)
def test_one_fault_fails(what: dict[str, t.Any], codes: list[str], strategy: str) -> None:
    assert judged(what, strategy=strategy) == ("fail", codes)


@pytest.mark.parametrize(
    "what",
    [
        seen({"maxmemory": int(4 * GB * 0.6)}),
        seen({"maxmemory": 1}),
        seen({"appendfsync": "always"}),
        seen(overcommit=0, kernel=[5, 2]),
        seen(overcommit=None),
        seen(keys=0, expiring=0),
    ],
)
def test_edges_that_pass(what: dict[str, t.Any]) -> None:
    assert judged(what) == ("pass", [])


def test_what_the_file_leaves_out_means_redis_own_default() -> None:
    bare = {"maxmemory": str(GB), "dir": "/var/lib/redis/", "appendonly": "yes"}
    assert judged(seen(file=bare)) == ("pass", [])
    assert judged(seen(file={**bare, "save": ""})) == ("fail", ["file_differs"])
    assert judged(seen(file={key: value for key, value in bare.items() if key != "dir"})) == ("fail", ["file_differs"])


@pytest.mark.parametrize(
    ("what", "changed", "code"),
    [
        (seen({"save": ""}), {}, "snapshots_off"),
        (seen(overcommit=0, kernel=[4, 19]), {}, "fork_refused"),
        (seen(overcommit=2), {}, "fork_refused"),
        (seen(expiring=9), {"strategy": "session"}, "sessions_last"),
        (seen({"maxmemory-policy": "volatile-lru"}, expiring=9), {"strategy": "cache"}, "cache_volatile"),
        (seen({"maxmemory-policy": "volatile-lru"}, keys=0, expiring=0), {"strategy": "cache"}, "cache_volatile"),
    ],
)
def test_warnings(what: dict[str, t.Any], changed: dict[str, t.Any], code: str) -> None:
    assert judged(what, **changed) == ("warn", [code])


@pytest.mark.parametrize(
    ("what", "codes"),
    [
        (seen(file=None, aof_written=None, shut_folders=None, not_seen="/etc/redis/redis.conf: Permission denied"), ["files_not_seen", "files_not_seen"]),
        (seen(memory_limit=0), ["memory_unknown"]),
    ],
)
def test_what_was_not_seen_never_passes(what: dict[str, t.Any], codes: list[str]) -> None:
    assert judged(what) == ("error", codes)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (seen({"maxmemory-policy": "allkeys-lfu", "appendonly": "no", "save": ""}, aof_written=False), ("pass", [])),
        (seen({"maxmemory-policy": "volatile-lru"}), ("pass", [])),
        (seen({"maxmemory-policy": "noeviction"}), ("fail", ["cache_full"])),
        (seen({"maxmemory-policy": "allkeys-lru", "maxmemory": 0}), ("fail", ["memory_unlimited"])),
        (seen({"maxmemory-policy": "allkeys-lru", "appendonly": "no", "save": ""}, state={"rdb_last_bgsave_status": "err"}), ("pass", [])),
        (seen({"maxmemory-policy": "allkeys-lru"}, state={"aof_last_write_status": "err"}), ("fail", ["write_failed"])),
        (seen({"maxmemory-policy": "allkeys-lru", "appendonly": "no"}, written={"appendonly": "yes"}), ("fail", ["file_differs"])),
    ],
)
def test_a_cache_is_asked_for_eviction_not_for_persistence(what: dict[str, t.Any], expected: tuple[str, list[str]]) -> None:
    assert judged(what, strategy="cache") == expected


def test_a_declared_limit_is_the_limit() -> None:
    assert judged(seen(), maxmemory_mb=512) == ("fail", ["memory_other"])
    assert judged(seen(), maxmemory_mb=1024) == ("pass", [])
    assert RedisPersistence().plan(seen(), options(maxmemory_mb=512)) == [
        f"CONFIG SET maxmemory: '{GB}' -> '{GB // 2}'",
        "CONFIG REWRITE /etc/redis/redis.conf",
    ]


def test_the_plan_writes_the_append_only_file_before_the_configuration_names_it() -> None:
    lines = RedisPersistence().plan(seen({"appendonly": "no", "maxmemory": 0, "maxmemory-policy": "allkeys-lru", "save": ""}, aof_written=False), OPTIONS)
    assert lines[0] == "CONFIG SET appendonly: 'no' -> 'yes'"
    assert lines[-1] == "CONFIG REWRITE /etc/redis/redis.conf"
    assert [line.split()[2].rstrip(":") for line in lines[1:-1]] == ["maxmemory-policy", "save", "maxmemory"]


def test_no_plan_where_nothing_would_last() -> None:
    assert RedisPersistence().plan(seen({"appendonly": "no"}, config_file="", file=None), OPTIONS) == []
    assert RedisPersistence().plan(seen({"appendonly": "no"}, file=None, not_seen="another host"), OPTIONS) == []


@given(
    used=st.integers(0, 8 * GB),
    limit=st.integers(0, 8 * GB),
    running=st.integers(0, 8 * GB),
    declared=st.none() | st.integers(1, 8192),
    strategy=st.sampled_from(["queue", "session", "cache"]),
)
def test_the_memory_limit_is_never_set_below_what_is_in_use_nor_over_the_share(
    used: int, limit: int, running: int, declared: int | None, strategy: str
) -> None:
    what = seen({"maxmemory": running}, used_memory=used, memory_limit=limit)
    chosen = options(maxmemory_mb=declared, strategy=strategy)
    refused, settings = "", {}
    try:
        settings = {name: new for name, new, _old in persistence_fix.plan(what, chosen).settings}
    except CannotKnow as problem:
        refused = problem.code
    assert refused in ("", "redis_persistence.memory_short")
    assert used <= int(settings.get("maxmemory", used))
    assert int(settings.get("maxmemory", 0)) <= limit * 0.6


def test_every_text_is_there_in_both_languages_with_the_same_fields() -> None:
    for code, text in yaml.safe_load(MESSAGES.read_text(encoding="utf-8")).items():
        fields = [set(re.findall(r"\{(\w+)\}", text[language])) for language in ("es", "en")]
        assert fields[0] == fields[1], code
