# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawn history: a bar a drill, none hidden, and numbers as people read them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.report import drills, page

Report = dict[str, t.Any]


def drill(**changed: t.Any) -> dict[str, t.Any]:
    return {"host": "db1", "at": "2026-11-24T04:30:00Z", "status": "pass", "rto_s": 10.0, "rto_limit_min": 120.0, "bytes": 1000, **changed}


def chart(*done: dict[str, t.Any]) -> drills.Chart:
    (made,) = drills.charts({"restores": list(done)})
    return made


def test_a_bar_a_drill_to_scale() -> None:
    made = chart(drill(), drill(rto_s=20.0, bytes=4000))
    assert [(one.x, one.y, one.height, one.tone) for one in made.times] == [(0, 50.0, 50.0, "good"), (12, 0.0, 100.0, "good")]
    assert [one.height for one in made.sizes] == [25.0, 100.0]
    assert made.promised_y is None, "two hours would flatten ten seconds"


def test_what_was_not_measured_is_no_gap() -> None:
    made = chart(drill(), drill(status="fail", rto_s=None, bytes=None), drill(status="error", rto_s=None, bytes=None))
    assert [(one.tone, one.measured, one.height) for one in made.times[1:]] == [("bad", False, 100.0), ("open", False, 100.0)]
    assert made.last is made.drills[-1], "the number shown is of the last that was measured"


def test_a_promise_that_is_near_is_drawn() -> None:
    assert chart(drill(rto_s=60.0, rto_limit_min=2.0)).promised_y == 0.0
    assert chart(drill(rto_s=240.0, rto_limit_min=2.0)).promised_y == 50.0


def test_only_failures() -> None:
    made = chart(drill(status="fail", rto_s=None, bytes=None))
    assert (made.last, made.promised_y, len(made.times)) == (None, None, 1)


def test_the_newest_are_drawn() -> None:
    made = chart(*(drill(run_id=place) for place in range(60)))
    assert [one["run_id"] for one in made.drills] == list(range(59, 59 - drills.DRAWN, -1))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0123, "0.0123 s"),
        (2.84, "2.84 s"),
        (59.9, "59.9 s"),
        (60, "1 min"),
        (92.1, "1 min 32 s"),
        (7200, "2 h"),
        (9000, "2 h 30 min"),
        (None, "—"),
        (-1, "—"),
    ],
)
def test_durations(seconds: t.Any, told: str) -> None:
    assert drills.duration(seconds) == told


@pytest.mark.parametrize(("count", "told"), [(0, "0 B"), (999, "999 B"), (9436519, "9.44 MB"), (2.1e9, "2.1 GB"), (5e13, "50 TB"), (None, "—"), (True, "—")])
def test_sizes(count: t.Any, told: str) -> None:
    assert drills.size(count) == told


def test_the_page_tells_every_number_in_words_too(report: Report) -> None:
    text = page.render(report)
    for done in report["restores"]:
        assert f'<time datetime="{done["at"]}">' in text
        if done["rto_s"]:
            assert drills.duration(done["rto_s"]) in text
    assert text.count("<rect ") == 2 * len(report["restores"])


def test_a_report_without_drills_has_no_drawing(report: Report) -> None:
    del report["restores"]
    assert 'id="restores"' not in page.render(report)
