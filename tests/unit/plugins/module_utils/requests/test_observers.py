# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers against a real server: what they see, what they miss, and what they say when they cannot look."""

from __future__ import annotations

import time
import typing as t

import pytest
import shop as shops

from ansible_collections.resto.golive.plugins.module_utils import _looks, _observers
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions
from ansible_collections.resto.golive.plugins.module_utils._watch import Found, Watch
from ansible_collections.resto.golive.plugins.plugin_utils import texts

Options = dict[str, t.Any]
PANEL = {"sse": "admin:/api/events", "as": "owner", "contains": "{cid}"}
WORDS, NEVER = {"cid": "golive-sent"}, {"cid": "golive-never"}


def observer(value: t.Any, within_s: float = 2) -> Observer:
    return _observers.parse(value, "acceptance_journey.panel.see", within_s=within_s)


def until(condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_event_is_seen_once_and_never_what_was_not_sent(options: Options, shop: shops.Shop) -> None:
    with _looks.sse(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        watch = Watch(observer(PANEL), look, WORDS, NEVER).start()
        until(lambda: bool(shop.listeners))
        before = time.time()
        shop.publish("order of somebody else")
        shop.publish('{"cid": "golive-sent"}')
        assert watch.wait(time.monotonic() + 2)
        seen = watch.end()
    assert (seen["count"], seen["never"], seen["problem"]) == (1, 0, None)
    assert before <= seen["first_seen"] <= time.time()


def test_a_second_event_is_counted(options: Options, shop: shops.Shop) -> None:
    with _looks.sse(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        until(lambda: bool(shop.listeners))
        shop.publish("golive-sent")
        shop.publish("golive-sent")
        until(lambda: look(WORDS).count == 2)
        assert not observer(PANEL).exact(look(WORDS).count)


def test_an_observer_that_sees_everything_sees_what_was_never_sent(options: Options, shop: shops.Shop) -> None:
    blind = observer({**PANEL, "contains": "golive-"})
    with _looks.sse(blind, Sessions(options, shops.SECRETS), WORDS) as look:
        watch = Watch(blind, look, WORDS, NEVER).start()
        until(lambda: bool(shop.listeners))
        shop.publish("golive-sent")
        watch.wait(time.monotonic() + 2)
        assert watch.end()["never"] == 1


def test_a_stream_that_ends_proves_nothing(options: Options, shop: shops.Shop) -> None:
    with _looks.sse(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        watch = Watch(observer(PANEL), look, WORDS, NEVER).start()
        until(lambda: bool(shop.listeners))
        shop.hang_up()
        until(lambda: watch.seen()["problem"] is not None)
        assert not watch.wait(time.monotonic())
        assert watch.end()["problem"]["code"] == "observer.stream_ended"


@pytest.mark.parametrize("address", ["admin:/api/me", "admin:/nowhere"])
def test_what_is_no_stream_of_events_is_refused(options: Options, address: str) -> None:
    with pytest.raises(CannotKnow) as told, _looks.sse(observer({**PANEL, "sse": address}), Sessions(options, shops.SECRETS), WORDS):
        pass
    assert told.value.code == "observer.sse_refused"
    assert texts.texts()[told.value.code]["es"].format(**told.value.params)


def test_an_answer_is_a_sighting_if_it_is_as_expected(options: Options) -> None:
    sessions = Sessions(options, shops.SECRETS)
    assert _looks.http(observer({"http": "GET api:/echo?x={cid}", "contains": "{cid}"}), sessions)(WORDS) == Found(1)
    assert _looks.http(observer({"http": "GET api:/echo", "contains": "{cid}"}), sessions)(WORDS) == Found(0)
    assert _looks.http(observer({"http": "GET api:/nowhere", "contains": "not found"}), sessions)(WORDS) == Found(0)
    assert _looks.http(observer({"http": "GET api:/nowhere", "expect": {"status": 404}}), sessions)(WORDS) == Found(1)


def test_an_error_page_proves_no_absence(options: Options) -> None:
    sessions = Sessions(options, shops.SECRETS)
    assert _looks.http(observer({"http": "GET api:/echo", "absent": "{cid}"}), sessions)(WORDS) == Found(0)
    with pytest.raises(CannotKnow) as told:
        _looks.http(observer({"http": "GET api:/nowhere", "absent": "{cid}"}), sessions)(WORDS)
    assert told.value.code == "observer.http_answer"


def test_a_look_that_fails_at_last_is_a_problem_and_one_that_recovered_is_none() -> None:
    answers: list[t.Any] = [CannotKnow("postgres.statement_timeout", where="x", seconds=5), Found(0), Found(1)]

    def look(words: t.Any) -> Found:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, CannotKnow):
            raise answer
        return t.cast("Found", answer)

    watch = Watch(observer({"sql": "select 1"}), look, WORDS, pause_s=0.01).start()
    assert watch.wait(time.monotonic() + 2)
    assert (watch.end()["problem"], answers) == (None, [Found(1)])

    def broken(words: t.Any) -> Found:
        raise CannotKnow("postgres.statement_timeout", where="x", seconds=5)

    watch = Watch(observer({"sql": "select 1"}), broken, WORDS, pause_s=0.01).start()
    assert not watch.wait(time.monotonic() + 0.1)
    seen = watch.end()
    assert (seen["problem"]["code"], seen["first_look"], seen["looks"]) == ("postgres.statement_timeout", None, 0)
