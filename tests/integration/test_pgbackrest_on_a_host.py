# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest`` on a host as a shop has one: systemd, SSH, Debian's packages, an object store over TLS. From bare to green, and back from nothing.

One story in one file, as its steps build on each other. The lab's db1 keeps its dumps: a cluster has one archiver, and defects count on what is there.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
import typing as t

import pytest

from .booted_host import ROOT
from .conftest import Ran
from .postgres_server import wait_until
from .shop_host import BUCKET, CA, SECRETS, WALLS, Shop, shop_on_a_host

ITEMS = ("postgres.backups", "postgres.restore", "postgres.retention")
#: Half a day away from here: what is scheduled does not come into the story.
WHEN = f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=12):%-M %-H}"


def segments(shop: Shop) -> list[str]:
    """Return the archived segments in the bucket, oldest first."""
    kept = (one["Key"] for one in shop.s3.list_objects_v2(Bucket=BUCKET)["Contents"])
    return sorted(name for name in kept if re.search(r"/[0-9A-F]{24}-[0-9a-f]{40}\.zst$", name))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Shop]:
    with shop_on_a_host(
        tmp_path_factory.mktemp("host"),
        ITEMS,
        postgres_backups_engine="pgbackrest",
        postgres_backups_pgbackrest={"repo1-s3-uri-style": "path", "repo1-storage-ca-file": CA},
        postgres_backups_schedule={"full": f"{WHEN} * * 0", "incremental": f"{WHEN} * * 1-6"},
        postgres_backups_restart=True,
    ) as lent:
        yield lent


@pytest.fixture(scope="module")
def green(shop: Shop) -> Ran:
    return shop.play("golive.yml")


def test_one_run_makes_a_bare_host_green(shop: Shop, green: Ran) -> None:
    assert {item: green.state(item) for item in ITEMS} == dict.fromkeys(ITEMS, "pass"), green.output
    log = shop.project.directory / "green.log"
    log.write_text(green.output)
    subprocess.run([sys.executable, ROOT / "scripts/clean_log.py", log], check=True)
    assert green.items["postgres.restore"]["reason"]["params"]["rows"] >= 110, "the drill compared nothing"
    assert shop.walls(green) >= WALLS
    assert segments(shop), "nothing is in the bucket"


@pytest.mark.usefixtures("green")
def test_no_secret_lies_about(shop: Shop, green: Ran) -> None:
    shop.host.write("/root/secrets", "".join(f"{one}\n" for one in SECRETS.values()))
    found = shop.host.shell("grep -rlsFf /root/secrets /etc /usr/local /var /home /run --exclude-dir=15 | xargs -r stat --format '%a %U %n'; rm /root/secrets")
    assert found == "400 postgres /etc/golive/pgbackrest.d/secrets.conf"
    reports = "".join(path.read_text() for path in shop.project.reports.rglob("*") if path.is_file())
    assert [one for one in SECRETS.values() if one in green.output + reports] == []


@pytest.mark.usefixtures("green")
def test_a_second_run_changes_nothing(shop: Shop) -> None:
    ran = shop.play("golive.yml")
    assert set(re.findall(r"changed=(\d+)", ran.output)) == {"0"}, ran.output
    assert {item: ran.state(item) for item in ITEMS} == dict.fromkeys(ITEMS, "pass")


@pytest.mark.usefixtures("green")
def test_three_faults_each_by_its_name(shop: Shop) -> None:
    for number in (1, 2):
        wanted = len(segments(shop)) + 1
        shop.sql(f"insert into orders (tenant, amount_minor) values (1, {number})", "select pg_switch_wal()")
        wait_until(lambda: len(segments(shop)) >= wanted)  # noqa: B023 -- asked before the next turn
    lost = segments(shop)[-2]
    content = shop.s3.get_object(Bucket=BUCKET, Key=lost)["Body"].read()
    shop.s3.delete_object(Bucket=BUCKET, Key=lost)
    archived = shop.sql("show archive_command")
    shop.sql("alter system set archive_command = ''", "select pg_reload_conf()")
    shop.host.run("systemctl", "disable", "--now", "golive-backup.timer")
    told = shop.told(shop.play("playbooks/audit.yml"), "postgres.backups")
    assert told.keys() >= {"postgres_backup.wal_missing", "postgres_backup.archive_other", "backup_cron.switched_off"}
    shop.s3.put_object(Bucket=BUCKET, Key=lost, Body=content)
    shop.sql(f"alter system set archive_command = '{archived}'", "select pg_reload_conf()")
    shop.host.run("systemctl", "enable", "--now", "golive-backup.timer")


@pytest.mark.usefixtures("green")
def test_the_runbook_as_it_is_typed_brings_the_last_commit_back(shop: Shop) -> None:
    shop.sql("insert into orders (tenant, amount_minor, note) values (1, 99, 'the last commit')")
    was = shop.sql("select count(*), sum(amount_minor) from orders")
    shop.type_the_runbook()
    assert shop.sql("select count(*), sum(amount_minor) from orders") == was
    assert shop.host.run("ls", "/var/lib/postgresql/15") == "damaged\nmain"
    assert shop.told(shop.play("playbooks/audit.yml"), "postgres.backups").keys() >= {"postgres_backup.archiving", "postgres_backup.wal_whole"}
