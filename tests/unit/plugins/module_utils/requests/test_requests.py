# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as they are declared: every form, and every mistake under its own code."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils import _observers, _requests
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._http import Answer
from ansible_collections.resto.golive.plugins.plugin_utils import texts

DECLARED: dict[str, t.Any] = {
    "menu": "GET api:/v1/menu",
    "order": {"http": "POST api:/v1/orders", "as": "owner", "json": {"note": "{cid}"}, "save": {"order": "/id"}},
    "read": {"http": "GET admin:/api/orders/{order}", "as": "owner"},
    "mine": {"request": "order", "as": "employee"},
    "snake": {"request": "tail"},
    "tail": "snake",
}


def test_the_three_forms() -> None:
    assert _requests.parse("GET api:/v1/menu", {}, "x").address == "api:/v1/menu"
    assert _requests.parse("menu", DECLARED, "x").method == "GET"
    changed = _requests.parse({"request": "order", "as": "employee", "expect": {"status": 403}}, DECLARED, "x")
    assert (changed.login, changed.expect.status, changed.body) == ("employee", ("403",), ("json", {"note": "{cid}"}))
    assert _requests.parse("mine", DECLARED, "x").login == "employee"


MISTAKES: list[tuple[t.Any, str]] = [
    ("refnd", "unknown_request"),
    ("GET", "unknown_request"),
    ("FETCH api:/", "not_a_request_line"),
    ("snake", "request_of_itself"),
    (7, "not_a_request"),
    ({}, "http_or_request"),
    ({"http": "GET api:/", "request": "menu"}, "http_or_request"),
    ({"http": "api:/"}, "not_a_request_line"),
    ({"http": "GET api:/", "ass": "owner"}, "unknown_key"),
    ({"http": "GET api:/", "json": {}, "form": {}}, "several_bodies"),
    ({"http": "GET api:/", "form": "a=b"}, "wrong_type"),
    ({"http": "GET api:/", "as": ""}, "wrong_type"),
    ({"http": "GET api:/", "save": {"order": "id"}}, "not_a_pointer"),
    ({"http": "GET api:/", "expect": {}}, "empty_expect"),
    ({"http": "GET api:/", "expect": {"json": {}}}, "empty_expect"),
    ({"http": "GET api:/", "expect": {"contains": ""}}, "wrong_type"),
    ({"http": "GET api:/", "expect": {"status": "2x"}}, "not_a_status"),
    ({"http": "GET api:/", "expect": {"status": []}}, "not_a_status"),
    ({"http": "GET api:/", "expect": {"has": "/id"}}, "wrong_type"),
    ({"http": "GET api:/", "expect": {"stats": 200}}, "unknown_key"),
]


@pytest.mark.parametrize(("value", "code"), MISTAKES, ids=str)
def test_a_mistake_is_an_error_with_its_place(value: t.Any, code: str) -> None:
    with pytest.raises(CannotKnow) as told:
        _requests.parse(value, DECLARED, "here")
    assert told.value.code == f"request.{code}"
    assert texts.texts()[told.value.code]["es"].format(**told.value.params)


OBSERVERS: list[tuple[t.Any, str]] = [
    ("select 1", "not_an_observer"),
    ({}, "one_observer"),
    ({"sql": "select 1", "log": "api"}, "one_observer"),
    ({"sql": "select 1", "as": "owner"}, "unknown_key"),
    ({"sql": "delete from t"}, "not_one_select"),
    ({"sse": "admin:/api/events"}, "sees_anything"),
    ({"provider": "whatsapp"}, "sees_anything"),
    ({"log": "api", "contains": ""}, "wrong_type"),
    ({"sse": "admin:/e", "contains": "a", "absent": "b"}, "absent_alone"),
    ({"sql": "select 1", "count": 0}, "wrong_type"),
    ({"sql": "select 1", "within_s": "5"}, "wrong_type"),
    ({"http": "admin:/e"}, "not_a_request_line"),
    ({"http": "GET admin:/e", "expect": {}}, "empty_expect"),
]


@pytest.mark.parametrize(("value", "code"), OBSERVERS, ids=str)
def test_an_observer_that_is_wrong_or_sees_anything_is_an_error(value: t.Any, code: str) -> None:
    with pytest.raises(CannotKnow) as told:
        _observers.parse(value, "here")
    assert told.value.code == f"request.{code}"
    assert texts.texts()[told.value.code]["en"].format(**told.value.params)


def test_an_observer_counts_exactly() -> None:
    once = _observers.parse({"sql": "select 1"}, "x", within_s=5)
    assert (once.within_s, once.exact(0), once.exact(1), once.exact(2)) == (5, False, True, False)
    log = _observers.parse({"log": "api", "contains": "{cid}"}, "x")
    assert (log.within_s, log.exact(0), log.exact(3)) == (30, False, True)
    gone = _observers.parse({"http": "GET admin:/e", "absent": "{cid}"}, "x")
    assert (gone.enough(0), gone.exact(0), gone.exact(1)) == (False, True, False)


def answer(status: int = 200, body: bytes = b'{"id": 7, "state": "new"}') -> Answer:
    return Answer(status, {"x-kind": "a"}, body, 0.0)


@pytest.mark.parametrize(
    ("expect", "given", "misses"),
    [
        ({"status": 200}, answer(), []),
        ({"status": "2xx"}, answer(204), []),
        ({"status": [200, 201]}, answer(202), ["status"]),
        ({"json": {"/id": 7}}, answer(), []),
        ({"json": {"/id": "7"}}, answer(), ["json /id"]),
        ({"json": {"/id": None}}, answer(body=b"<html>"), []),
        ({"has": ["/id", "/total"]}, answer(), ["has /total"]),
        ({"has": ["/id"]}, answer(body=b""), ["has /id"]),
        ({"header": {"X-Kind": "a"}}, answer(), []),
        ({"header": {"X-Kind": "b"}}, answer(), ["header X-Kind"]),
        ({"contains": "new"}, answer(), []),
        ({"contains": "{cid}", "status": 404}, answer(), ["status", "contains"]),
    ],
    ids=str,
)
def test_all_that_is_expected_must_hold(expect: t.Any, given: Answer, misses: list[str]) -> None:
    found = _requests.expectation(expect, "x").misses(given, {"cid": "golive-1"})
    assert [miss.what for miss in found] == misses
