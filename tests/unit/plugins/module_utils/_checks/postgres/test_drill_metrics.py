# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node exporter is told of drills: of one that passed, one that failed, one that could not begin, and one that was killed."""

from __future__ import annotations

import pathlib
import stat
import typing as t

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_metrics, drill_rules

SEEN = {
    "verdict": "pass", "id": "x", "tables": 3, "rows": 9, "invariants": 0, "questions": {}, "phases": {"fetch": 1.5, "restore": 20.0}, "steps": [],
    "settings": "tuned", "server_version": 150018, "database": "shop", "copy_bytes": 4096, "twice_the_size": None,
    "walls": {"User": True}, "at": "2026-11-24T10:00:00+00:00", "started": 1795514700.0,
}  # fmt: skip
OPTIONS = {"engine": "dump", "rto_minutes": 30.0, "rpo_minutes": 60.0, "invariants": {}}


def told(scratch: pathlib.Path, *, began: float, seen: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_metrics.time, "time", lambda: began)
    drill_metrics.told(scratch, lambda: seen, OPTIONS)


def read(scratch: pathlib.Path) -> dict[str, float]:
    """Return the file as the exporter's own parser reads it."""
    families = text_string_to_metric_families((scratch / drill_metrics.FILE).read_text(encoding="utf-8"))
    samples = [sample for family in families for sample in family.samples]
    return {sample.name.removeprefix("golive_restore_drill_") + "".join(f".{value}" for value in sample.labels.values()): sample.value for sample in samples}


def test_a_drill_that_passed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drill_rules.rpo_s(SEEN) == 300.0
    told(tmp_path, began=1000.0, seen=SEEN, monkeypatch=monkeypatch)
    wanted = {"last_attempt_timestamp_seconds": 1000, "ok": 1, "last_success_timestamp_seconds": 1000}
    assert read(tmp_path) == {**wanted, "duration_seconds.fetch": 1.5, "duration_seconds.restore": 20.0, "rpo_seconds": 300.0, "size_bytes": 4096}
    path = tmp_path / drill_metrics.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in path.parent.iterdir()] == [path.name], "half a file never stays"


@pytest.mark.parametrize(
    "worse",
    [{"verdict": "fail", "told": [{"code": "rows_differ", "name": "orders", "wanted": 1, "found": 0}]}, {"verdict": "inconclusive", "failed": "x", "why": "x"}],
)
def test_one_that_did_not_keeps_what_the_last_good_one_measured(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, worse: dict[str, t.Any]) -> None:
    told(tmp_path, began=1000.0, seen=SEEN, monkeypatch=monkeypatch)
    good = read(tmp_path)
    told(tmp_path, began=2000.0, seen={**SEEN, **worse}, monkeypatch=monkeypatch)
    assert read(tmp_path) == {**good, "last_attempt_timestamp_seconds": 2000, "ok": 0}


def test_too_slow_is_not_ok_but_is_measured(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tmp_path, began=1000.0, seen={**SEEN, "phases": {"fetch": 1800.1}}, monkeypatch=monkeypatch)
    seen = read(tmp_path)
    assert (seen["ok"], seen["duration_seconds.fetch"]) == (0, 1800.1)
    assert "last_success_timestamp_seconds" not in seen


def test_late_but_back_is_ok(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = {**SEEN, "started": SEEN["started"] + 100 * 60}
    assert [one.status for one in drill_rules.judge(late, OPTIONS) if one.status != "pass"] == ["warn"]
    told(tmp_path, began=1000.0, seen=late, monkeypatch=monkeypatch)
    assert (read(tmp_path)["ok"], read(tmp_path)["rpo_seconds"]) == (1, 300.0 + 6000)


def test_one_that_could_not_begin(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> dict[str, t.Any]:
        raise CannotKnow("restore_drill.nothing_stored")

    monkeypatch.setattr(drill_metrics.time, "time", lambda: 1000.0)
    with pytest.raises(CannotKnow):
        drill_metrics.told(tmp_path, refused, OPTIONS)
    assert read(tmp_path) == {"last_attempt_timestamp_seconds": 1000, "ok": 0}


def test_one_that_runs_has_begun(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk while it runs is all that a killed one leaves."""
    told(tmp_path, began=1000.0, seen=SEEN, monkeypatch=monkeypatch)
    meanwhile: dict[str, float] = {}
    monkeypatch.setattr(drill_metrics.time, "time", lambda: 2000.0)
    drill_metrics.told(tmp_path, lambda: meanwhile.update(read(tmp_path)) or SEEN, OPTIONS)
    assert (meanwhile["last_attempt_timestamp_seconds"], meanwhile["last_success_timestamp_seconds"], meanwhile["ok"]) == (2000, 1000, 1)


def test_a_broken_file_is_begun_anew(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / drill_metrics.FILE
    path.parent.mkdir()
    path.write_text("golive_restore_drill_ok nan\n<<<<", encoding="utf-8")
    told(tmp_path, began=1000.0, seen=SEEN, monkeypatch=monkeypatch)
    assert read(tmp_path)["ok"] == 1


def test_every_metric_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tmp_path, began=1000.0, seen=SEEN, monkeypatch=monkeypatch)
    text = (tmp_path / drill_metrics.FILE).read_text(encoding="utf-8")
    assert all(f"# HELP {name} " in text for name in drill_metrics.HELP)
