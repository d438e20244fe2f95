# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a provider was asked to do, from the record that a simulator keeps: ``GET <api>/_golive/calls[?since=n]`` answers a list of
``{n, at, method, path, headers, body, status}``: ``n`` counts up, headers are without secrets, the body is text or JSON, ``status`` is what it was
answered, null where no whole answer was given.

A vendor keeps no such record for us: production takes staging's evidence for what is seen here.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions
from ansible_collections.resto.golive.plugins.module_utils._watch import Found, Look
from ansible_collections.resto.golive.plugins.module_utils._words import Words, malformed

#: Where below a provider's ``api`` its record is.
CALLS = "/_golive/calls"


def opened(observer: Observer, sessions: Sessions, providers: t.Mapping[str, Json]) -> Look:
    """Return the look of an *observer* of the kind ``provider``. What was in the record before is no sighting. Raises ``CannotKnow``."""
    rules = providers.get(observer.subject)
    if not isinstance(rules, t.Mapping) or not str(rules.get("api", "")).startswith("https://"):
        raise malformed(observer.where, "provider_without_record", observer.subject)
    url = f"{str(rules['api']).rstrip('/')}{CALLS}"
    before = _calls(observer, sessions, url)
    last = max((int(call["n"]) for call in before), default=0)

    def look(words: Words) -> Found:
        fresh = [call for call in _calls(observer, sessions, f"{url}?since={last}") if int(call["n"]) > last]
        return Found(sum(matches(call, observer, words) for call in fresh))

    return look


def _calls(observer: Observer, sessions: Sessions, url: str) -> list[t.Mapping[str, Json]]:
    answer = sessions.anonymous.send("GET", url)
    document = answer.json()
    if answer.status != 200 or not isinstance(document, list) or not all(isinstance(call, t.Mapping) and isinstance(call.get("n"), int) for call in document):
        raise CannotKnow("observer.no_record", where=observer.where, provider=observer.subject, observed=answer.status)
    return document


def matches(call: t.Mapping[str, Json], observer: Observer, words: Words) -> bool:
    """Whether *call* was a send to whom, of what and by which template the observer says. A phone is its digits: vendors write it with and without ``+``."""
    status = call.get("status")
    if not isinstance(status, int) or status >= 400 or call.get("method") == "GET":  # a try that failed is followed by another: one sending, not two
        return False
    body = call.get("body")
    text = (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)) + json.dumps(call.get("headers") or {}, ensure_ascii=False)
    contains = _words.text(observer.contains or observer.absent, words, observer.where)
    to = _words.text(observer.to, words, observer.where).lstrip("+")
    template = json.dumps(_words.text(observer.template, words, observer.where))
    return contains in text and to in text and (not observer.template or template in text)
