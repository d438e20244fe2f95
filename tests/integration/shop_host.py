# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop's database on a booted host, and an object store over TLS beside it: what the stories of both engines begin with."""

from __future__ import annotations

import contextlib
import pathlib
import re
import typing as t

from .booted_host import Host, booted
from .conftest import Project, Ran
from .nginx_server import certificate, serving
from .object_store import object_store
from .postgres_server import SHOP, SHOP_TABLES

STORE, BUCKET = "store.test", "shop-backups"
#: Where update-ca-certificates shows a certificate that was brought.
CA_BROUGHT, CA = "/usr/local/share/ca-certificates/store.crt", "/etc/ssl/certs/store.pem"
SECRETS = {"PASSPHRASE": "not-a-secret-of-anybody", "KEY": "AKIANOTASECRET", "SECRET": "not-a-key-of-anybody"}

#: What the shop's own statements have of our job's is the role's to make here.
OURS = re.compile("golive|pg_monitor|pg_authid")

#: Walls that a container's systemd too can build, on every runtime: of the rest some need more than it is granted (``_pgbackup/walls``).
WALLS = {"RestrictAddressFamilies", "User", "NoNewPrivileges", "PGDATA", "Nice", "LimitCORE"}

#: A folder of an image lies in a layer below, where overlayfs renames none, and a lost cluster is set aside by renaming: these become the container's own.
RENAMEABLE = "for one in /etc /var/lib; do cd $one/postgresql/15 && cp -a main new && rm -r main && mv new main; done"


class Shop:
    """The host, the bucket, and a project that audits them."""

    def __init__(self, host: Host, project: Project, port: int, s3: t.Any, items: t.Sequence[str], variables: t.Mapping[str, t.Any]) -> None:
        self.host, self.project, self.s3, self.items = host, project, s3, items
        system = {"golive_owner": "ana@comanda.example", "environment_secrets_store": {"kind": "ansible_vault"}, "shop_backup": SECRETS}
        of_both = {
            "postgres_database": "shop",
            "postgres_backups_repository": f"s3:https://{STORE}:{port}/{BUCKET}/db1",
            "postgres_backups_repository_password": "shop_backup#PASSPHRASE",
            "postgres_backups_access_key": "shop_backup#KEY",
            "postgres_backups_secret_key": "shop_backup#SECRET",
        }
        group = {"hosts": {"db1": host.variables}, "vars": {**of_both, **variables}}
        self.inventory = project.inventory("hosts.yml", {"all": {"vars": system, "children": {"postgres": group}}}).parent

    def play(self, playbook: str, *arguments: str, items: t.Sequence[str] = ()) -> Ran:
        """Run *playbook* for *items*; without them, for all that this shop is about."""
        return self.project.play(playbook, *self.arguments(items), *arguments)

    def arguments(self, items: t.Sequence[str] = ()) -> list[str]:
        return ["-i", str(self.inventory), "-t", ",".join(items or self.items), "-e", "golive_fail_on_no_go=false"]

    def sql(self, *statements: str, database: str = "shop") -> str:
        return self.host.run("psql", "-XAtq", database, *(word for one in statements for word in ("-c", one)), user="postgres")

    def told(self, ran: Ran, item: str) -> dict[str, t.Any]:
        """Return all that was found out about *item*, also what is not its first reason, and what was observed for it."""
        return {one["assertion"]: one["observed"] for row in ran.items[item]["observations"] for one in row["evidence"]}

    def walls(self, ran: Ran) -> set[str]:
        """Return the walls that stood around the restored copy."""
        (walls,) = [observed for code, observed in self.told(ran, "postgres.restore").items() if code.startswith("restore_drill.cage_")]
        return {name for name, stood in walls.items() if stood}

    def type_the_runbook(self) -> None:
        """Type all that the runbook says for a server that was lost, but for its last step, a week later. The app is not ours here.

        It goes back to the newest copy, and up to the last commit, as the text lets whoever types it choose.
        """
        said = []
        for step in re.split(r"^## (?=\d)", (self.project.reports / "staging" / "latest" / "runbook-restore.md").read_text(), flags=re.M)[1:-1]:
            block = re.search(r"```sh\n(.*?)```", step, re.S)
            assert block, step
            said += [line for line in block[1].splitlines() if "APP API WORKER" not in line]
        text = re.sub(r" --type=time '--target=[^']*' --target-action=promote", "", "\n".join(said))
        self.host.shell(f"set -x\n{text.replace(' SNAPSHOT ', ' latest ')}")


@contextlib.contextmanager
def shop_on_a_host(folder: pathlib.Path, items: t.Sequence[str], **variables: t.Any) -> t.Iterator[Shop]:
    """Lend a shop whose backups are not set up, with *variables* for its database's group, for the length of a ``with``."""
    with object_store(BUCKET) as store, booted(folder) as host:
        pem = certificate(folder, STORE)
        with serving(folder, pem, http="", server=store.behind_nginx, app="return 404;", address=host.gateway) as edge:
            host.write(CA_BROUGHT, (folder / "cert.pem").read_text())
            host.shell(f"update-ca-certificates 2>/dev/null && echo {host.gateway} {STORE} >> /etc/hosts")
            host.shell(RENAMEABLE)
            host.shell("make-ssl-cert generate-default-snakeoil --force-overwrite && systemctl enable --now postgresql postgresql@15-main 2>/dev/null")
            for database, statements in (("postgres", SHOP), ("shop", SHOP_TABLES)):
                host.write("/tmp/shop.sql", "".join(f"{one};\n" for one in statements if not OURS.search(one)))
                host.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", "/tmp/shop.sql", database, user="postgres")
            yield Shop(host, Project(folder), edge.port, store.client, items, variables)
