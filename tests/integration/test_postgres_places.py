# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restic to S3 as the job does it: a server of S3's on loopback, keys from a file, and a server that takes none. And a cluster reached by TCP."""

from __future__ import annotations

import http.server
import json
import pathlib
import socket
import threading
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_host, backup_rules
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files, job, look, offsite

from .object_store import object_store
from .postgres_server import USER, Cluster, cluster, make_shop

Config = dict[str, t.Any]
KEYS = {"access_key": "AKIAMADEUP", "secret_key": "made-up-secret-key", "repository_password": "made-up-password"}
#: Debian 13's botocore asks Python 3.13 for the time in a way of old, which is neither ours nor what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:botocore")

ROLE_PASSWORD = r"made-up:role\password"  # libpq's password file parts its fields with one, and escapes it with the other


@pytest.fixture
def store() -> t.Iterator[str]:
    """Address of an S3 server."""
    with object_store("shop-backups") as served:
        yield served.url


@pytest.fixture
def config(server: Cluster, tmp_path: pathlib.Path, store: str) -> Config:
    """The job's configuration, its secret files written as the check writes them."""
    directory = tmp_path / "backups"
    directory.mkdir(mode=0o700)
    made = {
        "name": "db1",
        "database": "shop",
        "directory": str(directory),
        "connection": {"host": str(server.sockets), "port": 5432, "user": "golive_backup"},
        "offsite": {
            "repository": f"s3:{store}/shop-backups/db1",
            "password_file": str(tmp_path / "password"),
            "environment_file": str(tmp_path / "environment"),
            "options": ["--no-cache"],
        },
    }
    for path, content in backup_host.secret_files(made, KEYS).items():
        backup_host.write(path, content, "root" if USER else pathlib.Path.home().owner())
    return made


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer versions of restic try again and again: no test waits for the end of that."""
    monkeypatch.setattr(offsite, "LOOK_S", 3.0)


def test_a_backup_goes_to_s3_and_comes_back(config: Config, tmp_path: pathlib.Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "password", tmp_path / "environment")} == {"0o400"}
    assert offsite.begin(config)
    assert not offsite.begin(config), "made twice"
    line = job.back_up(config)
    assert line["ok"], json.dumps(line)
    assert [one["id"] for one in look.look(config)["offsite"]["stored"]] == [line["id"]]
    target = tmp_path / "back"
    offsite.fetch({"config": config, "snapshot": line["snapshot"], "target": str(target)})
    made = files.read_manifest(target)
    assert files.damage(target, made) == []
    assert made["tables"]["public.orders"]["rows"] == 100
    assert KEYS["secret_key"] not in json.dumps([line, look.look(config)])


@pytest.mark.usefixtures("soon")
def test_a_bucket_that_is_not_there(config: Config) -> None:
    config["offsite"]["repository"] = config["offsite"]["repository"].replace("shop-backups", "no-such-bucket")
    with pytest.raises(offsite.Refused) as caught:
        offsite.stored(config)
    assert caught.value.name == "no_repository"


@pytest.mark.usefixtures("soon")
def test_a_server_that_is_not_there_is_not_taken_for_an_empty_one(config: Config) -> None:
    config["offsite"]["repository"] = "s3:http://127.0.0.1:9/shop-backups"
    with pytest.raises(offsite.Refused) as caught:
        offsite.begin(config)
    assert caught.value.name == "unreachable"


class _NoEntry(http.server.BaseHTTPRequestHandler):
    """S3 as it answers keys that it does not take."""

    def do_GET(self) -> None:
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_PUT = do_POST = do_GET

    def log_message(self, *words: t.Any) -> None:
        """Say nothing."""


@pytest.mark.usefixtures("soon")
def test_keys_that_are_not_taken(config: Config) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NoEntry) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        config["offsite"]["repository"] = f"s3:http://127.0.0.1:{refusing.server_port}/shop-backups"
        with pytest.raises(offsite.Refused) as caught:
            offsite.begin(config)
        refusing.shutdown()
    assert backup_rules.OFFSITE_REFUSED[caught.value.name] == "postgres_backup.keys_refused"


@pytest.mark.parametrize(("repository", "secrets", "missing"), [("s3:https://x/b", {}, True), ("s3:https://x/b", KEYS, False), ("sftp:a@b:/c", {}, False)])
def test_an_object_store_needs_its_keys(repository: str, secrets: dict[str, str], missing: bool) -> None:
    assert backup_host.keys_missing(repository, secrets) is missing


@pytest.fixture
def by_tcp(config: Config, tmp_path: pathlib.Path) -> t.Iterator[Config]:
    """The same job on a server that takes only TCP and passwords, as one in a container or at a provider does."""
    with cluster() as server:
        make_shop(server)
        server.sql(f"alter role golive_backup password '{ROLE_PASSWORD}'")
        (server.data / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        server.stop()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server.start("listen_addresses=127.0.0.1", f"port={port}")
        connection = {"host": "127.0.0.1", "port": port, "user": "golive_backup", "passfile": str(tmp_path / "pgpass")}
        made = {**config, "offsite": None, "connection": connection}
        for path, content in backup_host.secret_files(made, {"password": ROLE_PASSWORD}).items():
            backup_host.write(path, content, pathlib.Path.home().owner())
        yield made


def test_a_server_that_is_reached_by_tcp_with_a_password_file(by_tcp: Config) -> None:
    line = job.back_up(by_tcp)
    assert line["ok"], json.dumps(line)
    seen = look.look(by_tcp)
    assert seen["live"]["bypasses"]
    assert seen["newest"]["damage"] == []
    assert ROLE_PASSWORD not in json.dumps([line, seen])
    folder = pathlib.Path(by_tcp["directory"]) / str(line["id"])
    assert files.read_manifest(folder)["tables"]["public.orders"]["rows"] == 100


def test_a_password_that_was_rotated(by_tcp: Config) -> None:
    passfile = pathlib.Path(by_tcp["connection"]["passfile"])
    backup_host.write(passfile, passfile.read_text().replace("made-up", "the-old-one"), pathlib.Path.home().owner())
    line = job.back_up(by_tcp)
    assert (line["ok"], line["phase"]) == (False, "connect")
    assert "password authentication failed" in line["why"]
    assert "the-old-one" not in json.dumps(line)
    assert "refused" in look.look(by_tcp)["live"]
