# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest`` while the shop never pauses: the copy is exact all the same, and orders do not wait for it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, files, job, physical, pitr, sight

from .pgbackrest_server import Archived, backed_up
from .postgres_server import USER, binaries, plan, wait_until


@pytest.fixture(scope="module")
def shop() -> t.Iterator[Archived]:
    with backed_up() as made:
        yield made


@contextlib.contextmanager
def bench(shop: Archived, clients: int = 4) -> t.Iterator[None]:
    """A shop that never pauses: pgbench on tables of its own, until it is over."""
    where = ["-h", str(shop.server.sockets), "-U", "postgres"]
    shop.server.run("pgbench", *where, "--initialize", "--scale=1", "--quiet", "shop")
    argv = [str(binaries() / "pgbench"), *where, f"--client={clients}", "--time=600", "--no-vacuum", "shop"]
    load = subprocess.Popen(argv, user=USER, cwd=shop.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: shop.server.value("select sum(n_tup_upd) from pg_stat_user_tables where relname = 'pgbench_accounts'", "shop") > 1000)
        yield
        assert load.poll() is None, "the load ended early"
    finally:
        load.terminate()
        load.wait(20)


@pytest.mark.parametrize(("tries", "clients"), [(pitr.QUIET_TRIES, 2), (0, 16)], ids=["a quiet moment", "writers held"])
def test_under_a_load_that_never_pauses_the_copy_is_exact_all_the_same(shop: Archived, monkeypatch: pytest.MonkeyPatch, tries: int, clients: int) -> None:
    monkeypatch.setattr(pitr, "QUIET_TRIES", tries)
    with bench(shop, clients):
        before = shop.server.value("select count(*) from pgbench_history", "shop")
        shop.back_up()
        assert shop.server.value("select count(*) from pgbench_history", "shop") > before
        known = pitr.stored(shop.config)
        home = shop.home / "drill"
        for name in ("", "backup", "work"):
            shop.own(home / name)
        try:
            fetch = pitr.fetch({"config": shop.config, "snapshot": known["newest"]["snapshot"], "target": str(home / "backup")})
            assert fetch["told"] == []
            result = cage.rehearse(plan(home, live_xmax=known["live_xmax"], started_at=1_800_000_000), physical.Physical)
        finally:
            shutil.rmtree(home)
    assert result["verdict"] == "pass", result
    assert known["manifest"]["tables"]["public.pgbench_history"]["rows"] > 1000


def test_a_transaction_that_is_left_open_costs_the_manifest_and_not_the_backup(shop: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pitr, "QUIET_TRIES", 2)
    monkeypatch.setattr(pitr, "HELD_TRIES", 2)
    backups, manifests = len(sight.look(shop.config)["stanza"]["backup"]), files.listed(shop.home / "backups")
    waited, stop = [], threading.Event()

    def take_orders() -> None:
        with shop.server.connect("shop") as connection:
            while not stop.wait(0.01):
                began = time.monotonic()
                connection.execute("insert into orders (tenant, amount_minor) values (1, 5)")
                waited.append(time.monotonic() - began)

    load = threading.Thread(target=take_orders)
    with shop.server.connect("shop", application_name="forgotten") as left:
        left.execute("begin; insert into orders (tenant, amount_minor) values (1, 1)")
        load.start()
        try:
            line = job.back_up(shop.config)
        finally:
            stop.set()
            load.join()
            left.execute("rollback")
    assert (line["ok"], line["phase"]) == (False, "quiet")
    assert "(forgotten) has had a transaction open" in line["why"]
    assert max(waited) > 0.1, "orders wait for the lock that we wait for, and while the transaction was open we gave it up: the job came back"
    assert len(sight.look(shop.config)["stanza"]["backup"]) == backups + 1, "the backup was lost"
    assert files.listed(shop.home / "backups") == manifests
    assert pitr.stored(shop.config)["newest"]["id"] == manifests[0], "the drill goes on with what can be compared"
    shop.back_up()
