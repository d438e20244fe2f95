# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps in the archived WAL, where pgBackRest expires a backup between the list of backups and the list of segments."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import pgbackrest, sight


def segment(number: int) -> str:
    return f"00000001{0:08X}{number:08X}"


def stanza(*starts: int) -> dict[str, t.Any]:
    return {"backup": [{"archive": {"start": segment(number)}} for number in starts], "archive": [{"id": "15-1"}], "db": [{"id": 1, "version": "15"}]}


@pytest.mark.parametrize(
    ("before", "archived", "after", "missing"),
    [
        (stanza(), (3, 5), stanza(), []),
        (stanza(3, 5), (3, 4, 5, 6), stanza(3, 5), []),
        (stanza(3, 5), (3, 5, 6), stanza(3, 5), [4]),
        (stanza(3, 5), (5, 6), stanza(3, 5), [3, 4]),
        (stanza(3, 5), (5, 6), stanza(5), []),
        (stanza(3, 5), (5, 7), stanza(5), [6]),
        (stanza(3), (), stanza(), []),
    ],
    ids=["no backup", "whole", "a hole", "the beginning is gone", "the beginning was expired", "expired, and a hole", "all expired"],
)
def test_what_was_expired_meanwhile_is_no_gap(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, t.Any], archived: tuple[int, ...], after: dict[str, t.Any], missing: list[int]
) -> None:
    monkeypatch.setattr(pgbackrest, "info", lambda _config: (after, []))
    monkeypatch.setattr(pgbackrest, "archived", lambda _config, _archive: dict.fromkeys(map(segment, archived), ""))
    assert sight._gaps({}, before, sight._archived({}, before)) == [segment(number) for number in missing]


@pytest.mark.parametrize(
    ("last", "dropped"),
    [
        (None, False),
        (segment(5), False),
        (segment(6), True),
        (f"{segment(5)}.00000028.backup", False),
        (f"{segment(6)}.00000028.backup", True),
        (f"{segment(6)}.partial", True),
        ("00000002.history", True),
    ],
)
def test_what_the_server_takes_for_archived_must_be_there(monkeypatch: pytest.MonkeyPatch, last: str | None, dropped: bool) -> None:
    monkeypatch.setattr(pgbackrest, "info", lambda _config: (stanza(3), []))
    monkeypatch.setattr(pgbackrest, "archived", lambda _config, _archive: dict.fromkeys(map(segment, (3, 4, 5)), ""))
    assert sight._repository({}, last)["dropped"] == (last if dropped else "")
