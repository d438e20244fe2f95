# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``redis.persistence`` against real Redis servers: what is seen, and that the fix loses nothing."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.redis import redis_files

from .redis_server import BARE, KEYS, PASSWORD, Redis, codes, run, running, status


@pytest.fixture
def server(tmp_path: pathlib.Path) -> t.Iterator[Redis]:
    with running(tmp_path) as one:
        yield one


def test_a_redis_as_debian_ships_it_fails_and_the_fix_keeps_every_key_over_a_restart(server: Redis) -> None:
    server.fill()
    before = run(server.port)
    assert status(before) == "fail"
    assert codes(before) == ["aof_off", "memory_unlimited"]

    planned = run(server.port, fix=True, check_mode=True)
    assert planned.would_change
    assert codes(run(server.port)) == codes(before), "check mode changed something"

    mended = run(server.port, fix=True)
    assert (status(mended), codes(mended)) == ("pass", [])
    assert mended.changes[0] == "CONFIG SET appendonly: 'no' -> 'yes'"
    assert PASSWORD not in str(mended)

    server.restart()
    assert server.count() == KEYS
    again = run(server.port, fix=True)
    assert (status(again), again.changes, again.would_change) == ("pass", [], False)


def test_a_crash_after_the_fix_loses_nothing_that_was_synced(server: Redis) -> None:
    run(server.port, fix=True)
    server.fill()
    with server.client() as client:
        # appendfsync everysec: while one fsync runs, what comes meanwhile waits in the server's memory.
        while (told := client.info("persistence"))["aof_buffer_length"] or told["aof_pending_bio_fsync"]:
            time.sleep(0.1)
    server.process.kill()
    server.process.wait(10)
    server.start()
    assert server.count() == KEYS


def test_the_wrong_order_loses_every_key(server: Redis) -> None:
    """What the fix exists for: the file edited, the server restarted, as a template and a handler would do it."""
    server.fill()
    server.config.write_text(server.config.read_text().replace("appendonly no", "appendonly yes"))
    assert codes(run(server.port))[0] == "restart_empties"
    server.restart()
    assert server.count() == 0


def test_a_file_edited_too_early_is_disarmed(server: Redis) -> None:
    server.fill()
    server.config.write_text(server.config.read_text().replace("appendonly no", "appendonly yes"))
    assert status(run(server.port, fix=True)) == "pass"
    server.restart()
    assert server.count() == KEYS


def test_a_setting_that_only_the_running_server_knows_is_a_fault_and_is_written_down(server: Redis) -> None:
    run(server.port, fix=True)
    with server.client() as client:
        client.config_set("appendfsync", "always")
    assert codes(run(server.port)) == ["file_differs"]
    mended = run(server.port, fix=True)
    assert mended.changes == [f"CONFIG REWRITE {server.config}"]
    assert "appendfsync always" in server.config.read_text()


def test_a_later_include_that_overrides_is_seen(server: Redis) -> None:
    run(server.port, fix=True)
    extra = server.folder / "extra.conf"
    extra.write_text("maxmemory-policy allkeys-lru\n")
    server.config.write_text(server.config.read_text() + f"include {extra}\n")
    assert codes(run(server.port)) == ["file_differs"]


def test_an_append_only_file_that_was_deleted_is_written_anew(server: Redis) -> None:
    run(server.port, fix=True)
    server.fill()
    shutil.rmtree(server.folder / "appendonlydir")
    (server.folder / "appendonlydir").mkdir()
    assert codes(run(server.port)) == ["aof_missing"]
    assert status(run(server.port, fix=True)) == "pass"
    server.restart()
    assert server.count() == KEYS


def test_a_cache_gets_a_limit_and_eviction_and_no_append_only_file(server: Redis) -> None:
    assert codes(run(server.port, strategy="cache")) == ["cache_full", "memory_unlimited"]
    mended = run(server.port, fix=True, strategy="cache", maxmemory_mb=64)
    assert (status(mended), codes(mended)) == ("pass", [])
    text = server.config.read_text()
    assert "maxmemory 64mb" in text
    assert "maxmemory-policy allkeys-lru" in text
    assert "appendonly no" in text


def test_a_snapshot_that_failed_is_tried_again(server: Redis) -> None:
    run(server.port, fix=True)
    obstacle = server.folder / "dump.rdb"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()
    with server.client() as client:
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            time.sleep(0.02)
    assert codes(run(server.port)) == ["write_failed"]
    assert codes(run(server.port, fix=True)) == ["snapshot_failed"]
    obstacle.rmdir()
    mended = run(server.port, fix=True)
    assert (status(mended), mended.changes) == ("pass", ["BGSAVE"])


def test_without_room_nothing_is_touched(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    text = server.config.read_text()
    monkeypatch.setattr(redis_files, "room", lambda root, folder: 1024)
    assert codes(run(server.port, fix=True)) == ["disk_short"]
    assert server.config.read_text() == text
    with server.client() as client:
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_a_limit_below_what_is_in_use_is_refused(server: Redis) -> None:
    with server.client() as client:
        client.set("big", "x" * 3 * 1024**2)
    text = server.config.read_text()
    assert codes(run(server.port, fix=True, strategy="cache", maxmemory_mb=1)) == ["memory_short"]
    assert server.config.read_text() == text


@pytest.fixture
def open_folder() -> t.Iterator[pathlib.Path]:
    """A folder that another user may enter; pytest keeps its own to this user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)
        os.chmod(name, 0o755)


def test_a_configuration_file_that_cannot_be_written_stops_the_fix_before_it_changes_anything(open_folder: pathlib.Path) -> None:
    data = open_folder / "data"
    data.mkdir()
    data.chmod(0o777)
    running = Redis(open_folder, config=BARE.replace("{dir}", str(data)), user="nobody" if os.geteuid() == 0 else None)
    open_folder.chmod(0o555)
    try:
        assert codes(run(running.port, fix=True)) == ["order_refused"]
        with running.client() as client:
            assert client.config_get("appendonly") == {"appendonly": "no"}
    finally:
        running.stop()


def test_no_configuration_file_is_a_fault_that_no_fix_hides(tmp_path: pathlib.Path) -> None:
    running = Redis(tmp_path, config="", arguments=["--port", "{port}", "--bind", "127.0.0.1", "--dir", "{dir}"])
    try:
        mended = run(running.port, fix=True, password="")
        assert "no_config_file" in codes(mended)
        assert (status(mended), mended.changes) == ("fail", [])
    finally:
        running.stop()
