# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic's complaints mean: its own words (0.14, 0.18), of repositories that were broken in each way."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import offsite
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.offsite import Refused, unlisted

TAIL = "ignoring error for /dump/3.dat.gz: UtimesNano: no such file or directory\nFatal: There were 4 errors\n"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Fatal: wrong password or no key found", "password_rotated"),
        ("Fatal: unable to open config file: Stat: stat /r/config: no such file\nIs there a repository at the following location?\n/r", "no_repository"),
        ("golive_backup@ops1: Permission denied (publickey).\nFatal: unable to start the sftp session", "login_refused"),
        (f"ignoring error for /dump/3.dat.gz: ciphertext verification failed\n{TAIL}", "damaged"),
        (f"ignoring error for /a: StreamPack: ReadFull: unexpected EOF\n{TAIL}", "damaged"),
        ("Load(<data/4ef9b8e8cc>, 316, 0) returned error, retrying after 552ms: open r/data/4e/4e: no such file or directory\nloading tree failed", "damaged"),
        ("Fatal: load <index/ad6cf7cdbc>: invalid data returned", "damaged"),
        ('loading tree for snapshot "7f" failed: id 4e2b910d not found in repository', "damaged"),
        (f"Load(<data/4ef9b8e8cc>, 316, 0) returned error, retrying after 1s: connection lost\nReadFull: unexpected EOF\n{TAIL}", "unreachable"),
        ("Stat(<config/>) returned error, retrying after 729.96ms: Stat: The specified bucket does not exist", "no_repository"),
        ("unable to create lock in backend: repository is already locked exclusively by PID 7 on db1 by golive_backup (UID 999, GID 999)", "locked"),
        ("Save(<lock/7bfd27baf0>) returned error: no space left on device\nunable to create lock in backend: no space left on device", "full"),
        ("Fatal: something that nobody has seen yet", "other"),
        (TAIL, "other"),
    ],
)
def test_a_complaint_has_its_name_wherever_it_stands(said: str, name: str) -> None:
    assert Refused("the last words of it", said).name == name


@pytest.mark.parametrize("ask", [offsite.begin, offsite.stored])
def test_who_tries_for_ever_is_told_by_what_it_complained_of_so_far(
    ask: t.Callable[[t.Any], t.Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic 0.18 tries for a quarter of an hour, where 0.14 gave up."""
    restic = tmp_path / "restic"
    complaint = 'Stat(<config/>) returned error, retrying after 1s: Get "http://127.0.0.1:9/": dial tcp: connect: connection refused'
    restic.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexec sleep 60\n")
    restic.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(offsite, "LOOK_S", 0.5)
    with pytest.raises(Refused, match=r"restic did not end within 0\.5 s: Stat") as caught:
        ask({"name": "db1", "offsite": {"repository": "s3:http://127.0.0.1:9/x", "password_file": "/nowhere"}})
    assert caught.value.name == "unreachable"


@pytest.mark.parametrize(
    ("history", "listed", "gone"),
    [
        ([], [], ""),
        ([("a", None)], [], ""),  # it never arrived there: that is another fault
        ([("a", "s1")], ["a"], ""),
        ([("a", "s1")], [], "a"),
        ([("a", "s1"), ("b", "s2")], ["a"], "b"),
        ([("a", "s1"), ("b", "s2")], ["b"], ""),  # the policy let go of the older one
        ([("a", "s1"), ("b", None)], ["a"], ""),
    ],
)
def test_a_list_without_the_newest_copy_is_no_answer(history: list[tuple[str, str | None]], listed: list[str], gone: str) -> None:
    assert unlisted([{"id": name, "snapshot": snapshot} for name, snapshot in history], [{"id": name} for name in listed]) == gone
