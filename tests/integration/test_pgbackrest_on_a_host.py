# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest`` on a host as a shop has one: systemd, SSH, Debian's packages, an object store over TLS. From bare to green, and back from nothing.

One story in one file, as its steps build on each other. The lab's db1 keeps its dumps: a cluster has one archiver, and defects count on what is there.
"""

from __future__ import annotations

import re
import typing as t

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .booted_host import Host, booted
from .conftest import Project, Ran
from .nginx_server import certificate, serving
from .postgres_server import SHOP, SHOP_TABLES, wait_until

ITEMS = ("postgres.backups", "postgres.restore", "postgres.retention")
SECRETS = {"PASSPHRASE": "not-a-secret-of-anybody", "KEY": "AKIANOTASECRET", "SECRET": "not-a-key-of-anybody"}
STORE, BUCKET, CA = "store.test", "shop-backups", "/etc/ssl/certs/store.pem"

#: What the shop's own statements have of our job's is the role's to make here.
OURS = re.compile("golive|pg_monitor|pg_authid")


class Shop:
    """The host, the bucket, and a project that audits them."""

    def __init__(self, host: Host, project: Project, port: int, s3: t.Any) -> None:
        self.host, self.project, self.s3 = host, project, s3
        system = {"golive_owner": "ana@comanda.example", "environment_secrets_store": {"kind": "ansible_vault"}, "shop_backup": SECRETS}
        variables = {
            "postgres_database": "shop",
            "postgres_backups_engine": "pgbackrest",
            "postgres_backups_repository": f"s3:https://{STORE}:{port}/{BUCKET}/db1",
            "postgres_backups_repository_password": "shop_backup#PASSPHRASE",
            "postgres_backups_access_key": "shop_backup#KEY",
            "postgres_backups_secret_key": "shop_backup#SECRET",
            "postgres_backups_pgbackrest": {"repo1-s3-uri-style": "path", "repo1-storage-ca-file": CA},
            "postgres_backups_schedule": {"full": "0 2 * * 0", "incremental": "0 2 * * 1-6"},
            "postgres_backups_restart": True,
        }
        self.inventory = project.inventory(
            "hosts.yml", {"all": {"vars": system, "children": {"postgres": {"hosts": {"db1": host.variables}, "vars": variables}}}}
        ).parent

    def play(self, playbook: str, *arguments: str) -> Ran:
        return self.project.play(playbook, "-i", self.inventory, "-t", ",".join(ITEMS), "-e", "golive_fail_on_no_go=false", *arguments)

    def sql(self, *statements: str) -> str:
        return self.host.run("psql", "-XAtq", "shop", *(word for one in statements for word in ("-c", one)), user="postgres")

    def segments(self) -> list[str]:
        """Return the archived segments in the bucket, oldest first."""
        kept = (one["Key"] for one in self.s3.list_objects_v2(Bucket=BUCKET)["Contents"])
        return sorted(name for name in kept if re.search(r"/[0-9A-F]{24}-[0-9a-f]{40}\.zst$", name))

    def told(self, ran: Ran, item: str) -> set[str]:
        """Return all that was found out about *item*, also what is not its first reason."""
        return {one["assertion"] for row in ran.items[item]["observations"] for one in row["evidence"]}


def typed(runbook: str) -> t.Iterator[str]:
    """The commands of the numbered steps but the last one, for a server that was lost: up to the last commit, as the text says. The app is not ours here."""
    for step in re.split(r"^## (?=\d)", runbook, flags=re.M)[1:-1]:
        block = re.search(r"```sh\n(.*?)```", step, re.S)
        assert block, step
        for line in block[1].splitlines():
            if "APP API WORKER" not in line:
                yield re.sub(r" --type=time '--target=[^']*' --target-action=promote", "", line)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Shop]:
    folder = tmp_path_factory.mktemp("host")
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    address, moto_port = moto.get_host_and_port()
    s3 = boto3.client("s3", endpoint_url=f"http://{address}:{moto_port}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    s3.create_bucket(Bucket=BUCKET)
    # moto's own TLS ends without a goodbye, which pgBackRest takes for an attack; nginx keeps to the protocol. `localhost`: the bucket is in the path then.
    # Nothing is kept on the way: nginx' own user may not write where tests do.
    straight = "client_max_body_size 0; proxy_request_buffering off; proxy_buffering off; proxy_set_header Host localhost;"
    passed_on = f"{straight} location / {{ proxy_pass http://{address}:{moto_port}; }}"
    try:
        with booted(folder) as host:
            pem = certificate(folder, STORE)
            with serving(folder, pem, http="", server=passed_on, app="return 404;", address=host.gateway) as edge:
                host.write(CA, (folder / "cert.pem").read_text())
                host.shell(f"echo {host.gateway} {STORE} >> /etc/hosts")
                host.shell("make-ssl-cert generate-default-snakeoil --force-overwrite && systemctl enable --now postgresql postgresql@15-main 2>/dev/null")
                for database, statements in (("postgres", SHOP), ("shop", SHOP_TABLES)):
                    host.write("/tmp/shop.sql", "".join(f"{one};\n" for one in statements if not OURS.search(one)))
                    host.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", "/tmp/shop.sql", database, user="postgres")
                yield Shop(host, Project(folder), edge.port, s3)
    finally:
        moto.stop()


@pytest.fixture(scope="module")
def green(shop: Shop) -> Ran:
    return shop.play("golive.yml")


def test_one_run_makes_a_bare_host_green(shop: Shop, green: Ran) -> None:
    assert {item: green.state(item) for item in ITEMS} == dict.fromkeys(ITEMS, "pass"), green.output
    assert "[WARNING]" not in green.output
    assert green.items["postgres.restore"]["reason"]["params"]["rows"] >= 110, "the drill compared nothing"
    assert shop.segments(), "nothing is in the bucket"


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
        wanted = len(shop.segments()) + 1
        shop.sql(f"insert into orders (tenant, amount_minor) values (1, {number})", "select pg_switch_wal()")
        wait_until(lambda: len(shop.segments()) >= wanted)  # noqa: B023 -- asked before the next turn
    lost = shop.segments()[-2]
    content = shop.s3.get_object(Bucket=BUCKET, Key=lost)["Body"].read()
    shop.s3.delete_object(Bucket=BUCKET, Key=lost)
    archived = shop.sql("show archive_command")
    shop.sql("alter system set archive_command = ''", "select pg_reload_conf()")
    shop.host.run("systemctl", "disable", "--now", "golive-backup.timer")
    told = shop.told(shop.play("playbooks/audit.yml"), "postgres.backups")
    assert told >= {"postgres_backup.wal_missing", "postgres_backup.archive_other", "backup_cron.switched_off"}
    shop.s3.put_object(Bucket=BUCKET, Key=lost, Body=content)
    shop.sql(f"alter system set archive_command = '{archived}'", "select pg_reload_conf()")
    shop.host.run("systemctl", "enable", "--now", "golive-backup.timer")


@pytest.mark.usefixtures("green")
def test_the_runbook_as_it_is_typed_brings_the_last_commit_back(shop: Shop) -> None:
    shop.sql("insert into orders (tenant, amount_minor, note) values (1, 99, 'the last commit')")
    was = shop.sql("select count(*), sum(amount_minor) from orders")
    for line in typed((shop.project.reports / "staging" / "latest" / "runbook-restore.md").read_text()):
        shop.host.shell(line)
    assert shop.sql("select count(*), sum(amount_minor) from orders") == was
    assert shop.host.run("ls", "/var/lib/postgresql/15") == "damaged\nmain"
    assert shop.told(shop.play("playbooks/audit.yml"), "postgres.backups") >= {"postgres_backup.archiving", "postgres_backup.wal_whole"}
