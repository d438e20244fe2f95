# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a repository is on another machine. Pure, but for the one test that asks this very host."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import second_place

OWN = ["10.0.0.3", "127.0.0.1", "::1", "fd00::3"]


@pytest.mark.parametrize(
    ("repository", "host"),
    [
        ("/srv/backup", ""),
        ("/srv/a:b", ""),
        ("local:/srv", ""),
        ("sftp:golive_backup@db1:/srv/backup/db1", "db1"),
        ("sftp:ops1:relative/path", "ops1"),
        ("sftp:Backup@OPS1.example.:/srv", "ops1.example"),
        ("sftp://user@ops1:2222//srv", "ops1"),
        ("sftp://user@[::1]:2222//srv", "::1"),
        ("rest:http://localhost", "localhost"),
        ("rest:https://user:word@host.example:8000/path", "host.example"),
        ("s3:http://127.0.0.1:9000/bucket/p@th", "127.0.0.1"),
        ("s3:https://s3.example/bucket", "s3.example"),
        ("s3:s3.example/bucket", "s3.example"),
        ("gs:bucket:/path", ""),
    ],
)
def test_the_host_of_a_repository(repository: str, host: str) -> None:
    assert second_place.host_of(repository) == host


@pytest.mark.parametrize(
    ("repository", "addresses", "lies"),
    [
        ("/srv/backup", [], "here"),
        ("local:/srv", [], "here"),
        ("sftp:user@localhost:/x", ["127.0.0.1"], "here"),
        ("sftp:user@localhost:/x", [], "here"),
        ("sftp:golive_backup@db1:/srv", [], "here"),  # its own name, whatever that leads to
        ("sftp:b@backup.example:/srv", ["10.0.0.3"], "here"),  # another name of its own address
        ("sftp:b@backup.example:/srv", ["10.0.0.5", "fd00::3"], "here"),  # one of the two is enough
        ("rest:http://localhost", ["::1"], "here"),
        ("s3:http://127.0.0.1/b", ["127.0.0.1"], "here"),
        ("s3:http://127.9.9.9/b", ["127.9.9.9"], "here"),
        ("s3:http://0.0.0.0/b", ["0.0.0.0"], "here"),
        ("s3:http://[::ffff:127.0.0.1]/b", ["::ffff:127.0.0.1"], "here"),
        ("s3:https://s3.example/b", ["203.0.113.5"], "away"),
        ("sftp:b@ops1:/srv", ["10.0.0.5"], "away"),
        ("gs:bucket:/", [], "away"),
        ("sftp:b@alias:/srv", [], "unseen"),  # a name that only ssh's own configuration knows
        ("rclone:near:/srv", [], "unseen"),
    ],
)
def test_where_a_repository_is(repository: str, addresses: list[str], lies: str) -> None:
    assert second_place.where(repository, {"names": ["db1"], "own": OWN, "addresses": addresses}) == lies


def test_this_host_knows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = second_place.look("localhost")
    # Others make and remove interfaces here meanwhile.
    monkeypatch.setattr(second_place, "own_addresses", lambda: seen["own"])
    assert "127.0.0.1" in seen["own"]
    assert set(seen["addresses"]) & {"127.0.0.1", "::1"}
    assert seen["names"] == [socket.gethostname().lower()]
    for address in seen["own"]:
        assert second_place.where(f"sftp://b@[{address}]//srv", second_place.look(address)) == "here"
    assert second_place.look("no-such-host.invalid")["addresses"] == []
