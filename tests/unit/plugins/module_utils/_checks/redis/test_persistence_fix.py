# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fix of ``redis.persistence`` when the append-only file fails or takes too long: moments that a real server does not offer on demand."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import persistence_fix
from ansible_collections.resto.golive.plugins.module_utils._redis import Server

OPTIONS = {"strategy": "queue", "memory_share_max": 0.6, "maxmemory_mb": None}
RUNNING = {
    "appendonly": "no",
    "appendfsync": "everysec",
    "maxmemory": 100,
    "maxmemory-policy": "noeviction",
    "save": "60 1",
    "dir": "/data",
    "dbfilename": "dump.rdb",
    "appendfilename": "appendonly.aof",
    "appenddirname": "appendonlydir",
    "stop-writes-on-bgsave-error": "yes",
}

WRITING = {"aof_rewrite_in_progress": 1, "aof_rewrite_scheduled": 0, "aof_last_bgrewrite_status": "ok"}
DONE = {"aof_rewrite_in_progress": 0, "aof_rewrite_scheduled": 0, "aof_last_bgrewrite_status": "ok"}
WAITING = {"aof_rewrite_in_progress": 0, "aof_rewrite_scheduled": 1, "aof_last_bgrewrite_status": "ok"}
FAILED = {"aof_rewrite_in_progress": 0, "aof_rewrite_scheduled": 1, "aof_last_bgrewrite_status": "err"}
STALE = {"aof_rewrite_in_progress": 1, "aof_rewrite_scheduled": 0, "aof_last_bgrewrite_status": "err"}


class Script:
    """Stands in for a :class:`Server`: answers INFO from a list (its last entry for ever) and keeps the orders given."""

    def __init__(self, *states: dict[str, t.Any]) -> None:
        self.states = list(states)
        self.orders: list[str] = []

    def info(self, section: str, *needed: str) -> dict[str, t.Any]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def change(self, name: str, value: str) -> None:
        self.orders.append(f"{name} {value}")

    def rewrite_config(self) -> None:
        self.orders.append("CONFIG REWRITE")

    def rewrite_aof(self) -> None:
        self.orders.append("BGREWRITEAOF")


def seen(last: str = "ok", **running: str) -> dict[str, t.Any]:
    values = {**RUNNING, **running}
    return {
        "config_file": "/etc/redis/redis.conf",
        "file": {name: str(value) for name, value in values.items()},
        "running": values,
        "state": {"aof_last_bgrewrite_status": last, "rdb_last_bgsave_status": "ok"},
        "used_memory": 10,
        "memory_limit": 1000,
        "disk_free": 20,
        "aof_written": False,
    }


def apply(script: Script, what: dict[str, t.Any], wait_s: float = 5) -> list[str]:
    return persistence_fix.apply(t.cast(Server, script), what, OPTIONS, wait_s=wait_s)


@pytest.mark.parametrize("states", [(DONE,), (WRITING, DONE), (WAITING, WRITING, DONE)])
def test_the_configuration_names_the_file_only_when_it_is_whole(states: tuple[dict[str, t.Any], ...]) -> None:
    script = Script(*states)
    apply(script, seen())
    assert script.orders == ["CONFIG REWRITE", "appendonly yes", "CONFIG REWRITE"]


def test_an_old_failure_is_not_taken_for_a_new_one() -> None:
    script = Script(STALE, STALE, DONE)
    apply(script, seen("err"))
    assert script.orders[-1] == "CONFIG REWRITE"


@pytest.mark.parametrize(("states", "last"), [((WRITING, FAILED), "ok"), ((STALE, {**FAILED, "aof_rewrite_scheduled": 0}), "err")])
def test_a_failure_is_taken_back(states: tuple[dict[str, t.Any], ...], last: str) -> None:
    script = Script(*states)
    with pytest.raises(CannotKnow, match=r"redis_persistence\.aof_failed"):
        apply(script, seen(last))
    assert script.orders == ["CONFIG REWRITE", "appendonly yes", "appendonly no"]


def test_a_long_one_goes_on_and_the_configuration_does_not_name_it() -> None:
    script = Script(WRITING)
    with pytest.raises(CannotKnow, match=r"redis_persistence\.aof_unfinished"):
        apply(script, seen(), wait_s=0.2)
    assert script.orders == ["CONFIG REWRITE", "appendonly yes"]


def test_one_that_was_on_already_is_written_anew_and_never_turned_off() -> None:
    script = Script(FAILED)
    with pytest.raises(CannotKnow, match=r"redis_persistence\.aof_failed"):
        apply(script, seen(appendonly="yes"))
    assert script.orders == ["BGREWRITEAOF"]


def test_room_for_one_byte_less_is_too_little() -> None:
    script = Script(DONE)
    with pytest.raises(CannotKnow, match=r"redis_persistence\.disk_short"):
        apply(script, {**seen(), "disk_free": 19})
    assert script.orders == []
