# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing: whole files, private modes, no secret in any of them, and a link that always points to a whole report."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import report as package

SECRETS = {
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    "vault": "hvs." + "CAESIJ0pTt2kMZ6WxWcYq3n1",
    "url": "comanda_app:hunter2-hunter2",
}


def test_everything_is_written_whole_and_private(report: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "staging" / report["run"]["id"]
    written = package.write_all(report, directory)
    assert [path.name for path in written] == ["golive.json", *package.RENDERERS]
    assert sorted(os.listdir(directory)) == sorted(path.name for path in written), "no temporary file stays"
    assert stat.S_IMODE(directory.stat().st_mode) & ~0o750 == 0
    assert all(stat.S_IMODE(path.stat().st_mode) & ~0o640 == 0 and path.stat().st_size > 0 for path in written)


def test_a_second_run_writes_the_same(report: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    first = {path.name: path.read_bytes() for path in package.write_all(report, tmp_path)}
    assert first == {path.name: path.read_bytes() for path in package.write_all(report, tmp_path)}


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_reaches_a_file(kind: str, report: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    secret = SECRETS[kind]
    hostile = f"postgresql://{secret}@db1/comanda" if kind == "url" else f"value={secret}"
    item = report["items"][1]
    item["reason"]["text"] = dict.fromkeys(("es", "en"), hostile)
    item["owner"] = item["fix"]["es"] = item["observations"][0]["evidence"][0]["excerpt"] = item["observations"][0]["observed"] = hostile
    report["blockers"][0]["reason"] = item["reason"]
    for path in package.write_all(report, tmp_path):
        assert secret not in path.read_text(encoding="utf-8"), path.name


def test_a_lone_surrogate_is_still_written(report: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    report["items"][0]["owner"] = "ana\ud800"
    package.write_all(report, tmp_path)
    assert json.loads((tmp_path / "golive.json").read_text(encoding="utf-8"))["items"][0]["owner"] == "ana\ud800"


def test_one_broken_format_does_not_take_the_others(report: dict[str, t.Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_report: package.Report) -> str:
        raise KeyError("title")

    monkeypatch.setitem(package.RENDERERS, "golive.es.md", broken)
    with pytest.raises(ExceptionGroup) as caught:
        package.write_all(report, tmp_path)
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    assert caught.value.exceptions[0].__notes__ == ["while writing golive.es.md"]
    assert {path.name for path in tmp_path.iterdir()} == {"golive.json", *package.RENDERERS} - {"golive.es.md"}


def test_latest_follows(tmp_path: pathlib.Path) -> None:
    for run in ("a", "b", "b"):
        (tmp_path / run).mkdir(exist_ok=True)
        link = package.publish(tmp_path / run)
        assert link == tmp_path / "latest"
        assert os.readlink(link) == run
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "latest"]


def test_latest_never_replaces_a_directory(tmp_path: pathlib.Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="latest"):
        package.publish(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "latest"]
