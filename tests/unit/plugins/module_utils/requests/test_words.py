# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words in braces, pointers and selects."""

from __future__ import annotations

import pytest

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow


def test_words_are_found_wherever_they_stand() -> None:
    assert _words.names({"a {cid}": ["{order}", {"b": "x{tenant}y"}], "c": 3}) == {"cid", "order", "tenant"}
    assert _words.names("{{jinja}} {Not} { cid }") == set()


def test_a_text_that_is_one_word_takes_over_its_type() -> None:
    assert _words.fill({"id": "{order}", "note": "order {order}"}, {"order": 7}) == {"id": 7, "note": "order 7"}


def test_a_url_escapes_what_is_filled_in() -> None:
    assert _words.url("/open?at={at}&x={x}", {"at": "2026-11-24T10:00:00+01:00", "x": "../a&b"}) == "/open?at=2026-11-24T10%3A00%3A00%2B01%3A00&x=..%2Fa%26b"


def test_a_word_that_nobody_provides_is_an_error() -> None:
    with pytest.raises(CannotKnow) as told:
        _words.fill("{ordr}", {"order": 7}, "acceptance_journey.close")
    assert (told.value.code, told.value.params["word"], told.value.params["where"]) == ("request.word_unknown", "ordr", "acceptance_journey.close")


def test_a_select_binds_its_words_and_keeps_its_percent_signs() -> None:
    assert _words.select("select 1 from t where a = {cid} and b like 'golive-%'") == "select 1 from t where a = %(cid)s and b like 'golive-%%'"


@pytest.mark.parametrize("query", ["delete from t", "select 1; delete from t", "update t set a = 1", "", "selectx"])
def test_only_one_select_is_taken(query: str) -> None:
    with pytest.raises(CannotKnow) as told:
        _words.select(query)
    assert told.value.code == "request.not_one_select"


def test_a_word_in_quotes_would_be_plain_text() -> None:
    with pytest.raises(CannotKnow) as told:
        _words.select("select 1 from t where a = 'x-{cid}'")
    assert told.value.code == "request.word_in_quotes"


def test_pointers() -> None:
    document = {"a": [{"b/c": 1, "~": 2}], "": 3}
    assert [_words.pointer(document, path) for path in ("/a/0/b~1c", "/a/0/~0", "/")] == [1, 2, 3]
    assert _words.pointer(document, "") is document
    for path in ("/x", "/a/1", "/a/-1", "/a/0/b~1c/d"):
        with pytest.raises(LookupError):
            _words.pointer(document, path)
