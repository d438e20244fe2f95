# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prod and staging: a GO that is not fresh, whole and of the same release opens nothing; staging's evidence counts only where it may."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.promotion import borrowed, staging_go

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({}, None),
        ({"verdict": "GO_WITH_WAIVERS"}, None),
        ({"verdict": "NO_GO"}, "verdict.staging_no_go"),
        ({"verdict": "go"}, "verdict.staging_no_go"),
        ({"release": "v0"}, "verdict.staging_other_release"),
        ({"release": None}, "verdict.staging_other_release"),
        ({"generated_at": "2026-11-23T12:00:00Z"}, None),
        ({"generated_at": "2026-11-23T11:59:00Z"}, "verdict.staging_old"),
        ({"generated_at": "2026-11-24T12:01:00Z"}, "verdict.staging_old"),
    ],
)
def test_stagings_go(tmp_path: pathlib.Path, report: dict[str, t.Any], code: str | None) -> None:
    whole = {"verdict": "GO", "release": "v1", "generated_at": "2026-11-24T11:00:00Z", **report}
    (tmp_path / "golive.json").write_text(json.dumps(whole))
    found = staging_go(tmp_path, "v1", NOW)
    assert (found.code if found else None) == code


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_no_report_of_staging_is_no_go(tmp_path: pathlib.Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "golive.json").write_text(content)
    found = staging_go(tmp_path, "v1", NOW)
    assert found is not None
    assert found.code == "verdict.staging_unknown"


def test_a_release_that_nobody_knows_has_no_go(tmp_path: pathlib.Path) -> None:
    (tmp_path / "golive.json").write_text(json.dumps({"verdict": "GO", "release": None, "generated_at": "2026-11-24T11:00:00Z"}))
    assert staging_go(tmp_path, None, NOW) is not None


def row(host: str, proven_by: str = "staging") -> dict[str, t.Any]:
    return {"item": "i", "check": "c", "target": {"host": host, "kind": "host", "name": host}, "basis": "prod", "proven_by": proven_by}


def seen(host: str, status: str = "pass", release: str = "v1", at: str = "2026-11-24T11:00:00Z") -> dict[str, t.Any]:
    return {**row(host), "status": status, "release": release, "started_at": at, "mode": "drill", "basis": "staging"}


def test_staging_lends_where_it_may() -> None:
    (lent,) = borrowed([row("p1")], [], [seen("s1")], "v1")
    assert (lent["target"]["host"], lent["basis"], lent["mode"], lent["status"]) == ("p1", "prod", "drill@staging", "pass")


def test_the_worst_of_stagings_targets_is_lent() -> None:
    (lent,) = borrowed([row("p1")], [], [seen("s1"), seen("s2", "fail")], "v1")
    assert lent["status"] == "fail"


@pytest.mark.parametrize(
    ("rows", "own", "release"), [([row("p1", "each")], [], "v1"), ([row("p1")], [seen("p1")], "v1"), ([row("p1")], [], "v2"), ([row("p1")], [], None)]
)
def test_staging_lends_nothing_else(rows: list[dict[str, t.Any]], own: list[dict[str, t.Any]], release: str | None) -> None:
    assert borrowed(rows, own, [seen("s1")], release) == []
