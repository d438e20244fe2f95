# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that archives into a pgBackRest repository of its own, encrypted, as the role sets one up; all of it below one temporary folder."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import job, pitr

from .postgres_server import USER, Cluster, cluster, make_shop

Config = dict[str, t.Any]

PASSPHRASE = "not-a-secret-of-anybody"
INVARIANTS = {"orders": "select count(*) from orders"}

#: As roles/postgres/templates/pgbackrest.conf.j2 writes it.
GLOBAL = """[global]
repo1-path={home}/repo
repo1-cipher-type=aes-256-cbc
repo1-bundle=y
repo1-retention-full-type=time
repo1-retention-full=90
compress-type=zst
start-fast=y
lock-path={home}/lock
log-path={home}/logs
spool-path={home}/spool

[golive]
pg1-path={home}/data
pg1-socket-path={home}/s
"""


class Archived:
    """A cluster, and the job's configuration for it."""

    def __init__(self, server: Cluster) -> None:
        self.server, self.home = server, server.home
        for name in ("repo", "logs", "backups", "conf.d"):
            self.own(self.home / name)
        self.write("pgbackrest.conf", GLOBAL.format(home=self.home))
        self.write("conf.d/secrets.conf", f"[global]\nrepo1-cipher-pass={PASSPHRASE}\n")
        self.config: Config = {
            "engine": "pgbackrest",
            "name": "db1",
            "database": "shop",
            "directory": str(self.home / "backups"),
            "connection": {"host": str(server.sockets), "port": 5432, "user": "postgres"},
            "invariants": INVARIANTS,
            "periods": {"full": 7 * 86400, "incr": 3600},
            "pgbackrest": {"config": str(self.home / "pgbackrest.conf"), "include": str(self.home / "conf.d"), "stanza": "golive"},
            "user": USER,
            "archive_timeout_s": 900,  # in these tests only what they switch is archived
        }

    def own(self, folder: pathlib.Path) -> None:
        folder.mkdir(mode=0o700)
        if USER:
            shutil.chown(folder, USER)

    def write(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        if USER:
            shutil.chown(path, USER)

    @contextlib.contextmanager
    def passphrase(self, wrong: str) -> t.Iterator[None]:
        """Have *wrong* in the place of the passphrase for a while."""
        self.write("conf.d/secrets.conf", f"[global]\nrepo1-cipher-pass={wrong}\n")
        try:
            yield
        finally:
            self.write("conf.d/secrets.conf", f"[global]\nrepo1-cipher-pass={PASSPHRASE}\n")

    def begin(self) -> list[str]:
        """Make the stanza, and restart the server so that it archives."""
        done = pitr.begin(self.config)
        self.server.stop()
        self.server.start()
        return done

    def back_up(self) -> dict[str, t.Any]:
        """Run the job, whose folder belongs to the cluster's user."""
        line = job.back_up(self.config)
        assert line["ok"], line
        return line


@contextlib.contextmanager
def archived() -> t.Iterator[Archived]:
    with cluster() as server:
        make_shop(server)
        yield Archived(server)


@contextlib.contextmanager
def backed_up() -> t.Iterator[Archived]:
    """The same with its first backup."""
    with archived() as made:
        made.begin()
        made.back_up()
        yield made
