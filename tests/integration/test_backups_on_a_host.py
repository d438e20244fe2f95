# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default engine, ``dump``, on a host as a shop has one: a drill that was killed, a backup that fails, a database that is lost, cron in the timer's place.

One story in one file, as its steps build on each other.
"""

from __future__ import annotations

import datetime
import os
import re
import shlex
import signal
import subprocess
import typing as t

import pytest

from .booted_host import PLAYBOOK, ROOT
from .conftest import Ran
from .postgres_server import wait_until
from .shop_host import WALLS, Shop, shop_on_a_host

ITEMS = ("postgres.backups", "postgres.restore")
#: Every hour, as always, and half an hour away from here: what is scheduled does not come into the story.
WHEN = f"{(datetime.datetime.now(datetime.UTC).minute + 30) % 60} * * * *"
FAILED = "the backup of PostgreSQL failed"

#: Waits a while for a drill's copy and makes it hang, so that it is there for as long as nobody ends it; says the name of its unit, or nothing.
HANG = """
tries=0
until systemctl is-active --quiet 'golive-drill-*'; do sleep 0.05; tries=$((tries + 1)); [ $tries -lt 200 ] || exit 0; done
systemctl kill --signal=STOP 'golive-drill-*'
systemctl list-units --plain --no-legend 'golive-drill-*' | cut -d' ' -f1
"""
#: Kills the module's own processes on the host, down to the one that waits for the copy: as their connection's end, or a lack of memory, would.
KILL = """
pid=$(pgrep -x systemd-run)
while grep -qE '^(python3|systemd-run)' "/proc/$pid/comm"; do
    pids="$pid ${pids:-}"
    pid=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
done
kill -KILL $pids
"""

#: What systemd was asked for, in its own words, whether or not a container grants it.
ASKED = {
    "PrivateNetwork": "yes", "RestrictAddressFamilies": "AF_UNIX", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
    "ProtectHome": "yes", "PrivateTmp": "yes", "Nice": "19", "IOSchedulingClass": "3", "CPUWeight": "20", "IOWeight": "10", "MemoryMax": str(1536 << 20),
    "MemorySwapMax": "0", "TasksMax": "200", "OOMPolicy": "kill", "LimitCORE": "0", "RuntimeMaxUSec": "4h", "User": "golive_drill",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Shop]:
    with shop_on_a_host(tmp_path_factory.mktemp("host"), ITEMS, postgres_backups_schedule={"full": WHEN}) as lent:
        yield lent


@pytest.fixture(scope="module")
def killed(shop: Shop) -> str:
    """The first run, killed in its drill, here and there; returns the unit that it left."""
    argv = [str(PLAYBOOK), "golive.yml", *shop.arguments(), "-e", f"golive_report_dir={shop.project.reports}"]
    with (shop.project.directory / "killed.log").open("w") as log:
        playing = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, stdout=log, start_new_session=True)
        try:
            while not (unit := shop.host.shell(HANG)):
                assert playing.poll() is None, (shop.project.directory / "killed.log").read_text()
        finally:
            os.killpg(playing.pid, signal.SIGKILL)
            playing.wait()
    shop.host.shell(KILL)
    return unit


@pytest.fixture(scope="module")
def green(shop: Shop, killed: str) -> Ran:
    return shop.play("golive.yml")


def left(shop: Shop) -> list[str]:
    """Return the units and folders of drills that are there."""
    return shop.host.shell("systemctl list-units --all --plain --no-legend 'golive-drill-*' | cut -d' ' -f1; find /var/lib/golive -name 'drill-*'").split()


def newest(shop: Shop) -> str:
    return shop.host.shell("ls -d /var/backups/golive/*Z-*").split()[-1]


def failures(shop: Shop) -> int:
    return shop.host.shell("journalctl --quiet --no-pager --output cat --identifier golive-backup").count(FAILED)


def locked_out(shop: Shop, command: str) -> None:
    """Run what makes a backup while its role may not log in, and see that somebody hears of it."""
    heard = failures(shop)
    shop.sql("alter role golive_backup nologin", database="postgres")
    shop.host.shell(command)
    shop.sql("alter role golive_backup login", database="postgres")
    wait_until(lambda: failures(shop) == heard + 1)
    assert shop.host.shell("grep last_attempt_ok /var/lib/golive_backup/metrics/golive_backup.prom").endswith("golive_backup_last_attempt_ok 0")


def test_what_a_killed_drill_leaves_runs_on_behind_all_that_systemd_was_asked_for(shop: Shop, killed: str) -> None:
    assert left(shop) == [killed, f"/var/lib/golive/{killed.removeprefix('golive-').removesuffix('.service')}"]
    shown = shop.host.run("systemctl", "show", killed, f"--property={','.join(ASKED)},InaccessiblePaths,IPAddressDeny").splitlines()
    asked = dict(line.split("=", 1) for line in shown)
    assert {"-/var/lib/postgresql", "-/run/postgresql"} <= set(asked.pop("InaccessiblePaths").split())
    assert set(asked.pop("IPAddressDeny").split()) == {"0.0.0.0/0", "::/0"}, "systemd keeps no order among them"
    assert asked == ASKED


def test_the_next_run_ends_it_and_proves_what_the_first_had_mended(shop: Shop, green: Ran) -> None:
    assert left(shop) == []
    assert {item: green.state(item) for item in ITEMS} == dict.fromkeys(ITEMS, "pass"), green.output
    assert set(re.findall(r"changed=(\d+)", green.output)) == {"0"}, green.output
    assert "WARNING]" not in green.output
    assert shop.walls(green) >= WALLS


@pytest.mark.usefixtures("green")
def test_a_backup_that_fails_is_heard(shop: Shop) -> None:
    locked_out(shop, "! systemctl start golive-backup.service")
    assert shop.host.run("systemctl", "show", "golive-backup-failed.service", "--property=Result", "--value") == "success"


@pytest.mark.usefixtures("green")
def test_the_runbook_as_it_is_typed_brings_a_lost_database_back(shop: Shop) -> None:
    shop.sql("insert into orders (tenant, amount_minor, note) values (1, 99, 'the last one')")
    shop.host.run("systemctl", "start", "golive-backup.service")
    counted = "select count(*), sum(amount_minor), (select count(*) from tenants), (select count(*) from pg_roles where rolname = 'Odd Name') from orders"
    was = shop.sql(counted)
    shop.sql("drop database shop with (force)", 'drop role "Odd Name"', database="postgres")
    copy = newest(shop)
    shop.type_the_runbook()
    assert shop.sql(counted) == was
    assert shop.host.run("pg_lsclusters", "--no-header").split()[1:4:2] == ["damaged", "down"]
    assert newest(shop) > copy, "its last step but one backs up"


@pytest.mark.usefixtures("green")
def test_cron_in_the_timers_place_and_back(shop: Shop) -> None:
    """The first of these runs is the one that the runbook ends with."""
    assert shop.host.shell("systemctl is-enabled cron.service || true") == "disabled", "nobody has to start it: then the role need not either"
    ran = shop.play("golive.yml", "-e", "postgres_backups_scheduler=cron", items=ITEMS[:1])
    assert ran.state(ITEMS[0]) == "pass", ran.output
    assert "backup_cron.scheduled_by_cron" in shop.told(ran, ITEMS[0])
    assert shop.host.shell("systemctl is-enabled golive-backup.timer || true") == "disabled"
    *settings, line = [one for one in shop.host.shell("cat /etc/cron.d/golive_backup").splitlines() if not one.startswith("#")]
    assert line.startswith(f"{WHEN} ")
    user, command = line.removeprefix(f"{WHEN} ").split(" ", 1)
    cron = shlex.join(["env", "-i", "PATH=/usr/bin:/bin", *settings, "/usr/sbin/runuser", "-u", user, "--", "/bin/sh", "-c", command])
    copy = newest(shop)
    shop.host.shell(cron)
    assert newest(shop) > copy
    locked_out(shop, cron)

    ran = shop.play("golive.yml", items=ITEMS[:1])
    assert ran.state(ITEMS[0]) == "pass", ran.output
    assert "backup_cron.scheduled" in shop.told(ran, ITEMS[0])
    assert shop.host.shell("systemctl is-enabled golive-backup.timer; test ! -e /etc/cron.d/golive_backup") == "enabled"
