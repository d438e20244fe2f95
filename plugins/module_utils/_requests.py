# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request as the inventory says it: a text, a name from ``golive_requests``, or a dictionary; and what its answer must be. Pure: nothing is sent here.

See the inventory contract, section 3.2. Strict: a key that is not of the vocabulary is an error, an empty ``expect`` too. ``_sessions.py`` sends them.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import Json
from ansible_collections.resto.golive.plugins.module_utils._http import Answer
from ansible_collections.resto.golive.plugins.module_utils._words import Words, malformed

_LINE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+)")
_NAME = re.compile(r"[\w.-]+")
_STATUS_CLASS = re.compile(r"([1-5])xx")
_BODIES = ("json", "form", "text")
_KEYS = frozenset({"http", "request", "as", "headers", *_BODIES, "save", "undo", "expect"})
_EXPECT_KEYS = frozenset({"status", "json", "has", "header", "contains"})

Declared = t.Mapping[str, Json]


@dataclasses.dataclass(frozen=True)
class Miss:
    """One expectation that an answer did not meet."""

    what: str
    expected: Json
    observed: Json


@dataclasses.dataclass(frozen=True)
class Expect:
    """What an answer must be; all that is given must hold."""

    status: tuple[str, ...] = ("2xx",)
    json: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)
    has: tuple[str, ...] = ()
    header: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    contains: str = ""

    def misses(self, answer: Answer, words: Words, where: str = "") -> list[Miss]:
        """Return what does not hold, first the status."""
        found = [] if _fits(answer.status, self.status) else [Miss("status", ", ".join(self.status), answer.status)]
        document = answer.json()
        for path, wanted in self.json.items():
            value = _at(document, path)
            if value != _words.fill(wanted, words, where):
                found.append(Miss(f"json {path}", _words.fill(wanted, words, where), value))
        found += [Miss(f"has {path}", "present", None) for path in self.has if not _present(document, path)]
        for name, wanted in self.header.items():
            if answer.headers.get(name.lower()) != _words.text(wanted, words, where):
                found.append(Miss(f"header {name}", wanted, answer.headers.get(name.lower())))
        if self.contains and _words.text(self.contains, words, where) not in answer.text:
            found.append(Miss("contains", _words.text(self.contains, words, where), None))
        return found


@dataclasses.dataclass(frozen=True)
class Request:
    """A request, words not yet filled in. ``body`` is ``(json|form|text, content)``; ``login`` is whom it is sent as (empty: nobody)."""

    method: str
    address: str
    where: str
    login: str = ""
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: tuple[str, Json] | None = None
    save: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    undo: str = ""
    expect: Expect = Expect()

    @property
    def words(self) -> set[str]:
        """The words in braces that sending it needs."""
        wanted = [self.address, dict(self.headers), self.body[1] if self.body else None, dict(self.expect.json), dict(self.expect.header), self.expect.contains]
        return _words.names(wanted)

    @property
    def unsafe(self) -> bool:
        """Whether its method may change something (RFC 9110, 9.2.1)."""
        return self.method not in ("GET", "HEAD", "OPTIONS")


def parse(value: Json, declared: Declared, where: str, through: tuple[str, ...] = ()) -> Request:
    """Return the request that *value* says. *declared* is ``golive_requests``; *where* names the variable. Raises ``CannotKnow``.

    *through* are the names that led here: a request that refers to itself is a mistake.
    """
    if isinstance(value, str):
        line = _LINE.fullmatch(value)
        return Request(line[1], line[2], where) if line else _named(value, declared, where, through)
    if not isinstance(value, t.Mapping):
        raise malformed(where, "not_a_request")
    keys = {str(key): inner for key, inner in value.items() if not str(key).startswith("x_")}
    for key in sorted(set(keys) - _KEYS):
        raise malformed(where, "unknown_key", key)
    if ("http" in keys) == ("request" in keys):
        raise malformed(where, "http_or_request")
    base = _line(keys["http"], where) if "http" in keys else _named(keys["request"], declared, where, through)
    return dataclasses.replace(base, **_changes(keys, where))


def _line(value: Json, where: str) -> Request:
    line = _LINE.fullmatch(value) if isinstance(value, str) else None
    if line is None:
        raise malformed(where, "not_a_request_line")
    return Request(line[1], line[2], where)


def _named(name: Json, declared: Declared, where: str, through: tuple[str, ...]) -> Request:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise malformed(where, "not_a_request_line")
    if name not in declared:
        raise malformed(where, "unknown_request", name)
    if name in through:
        raise malformed(where, "request_of_itself", name)
    return parse(declared[name], declared, f"golive_requests.{name}", (*through, name))


def _changes(keys: t.Mapping[str, Json], where: str) -> dict[str, t.Any]:
    """Return the fields that *keys* set over those of the line or of the request named."""
    bodies = [kind for kind in _BODIES if kind in keys]
    if len(bodies) > 1:
        raise malformed(where, "several_bodies", ", ".join(bodies))
    changes: dict[str, t.Any] = {}
    for key, field in (("as", "login"), ("undo", "undo")):
        if key in keys:
            changes[field] = _text(keys[key], where, key)
    if bodies:
        content = keys[bodies[0]]
        if (bodies[0] == "form" and not isinstance(content, t.Mapping)) or (bodies[0] == "text" and not isinstance(content, str)):
            raise malformed(where, "wrong_type", bodies[0])
        changes["body"] = (bodies[0], content)
    for key in ("headers", "save"):
        if key in keys:
            changes[key] = {str(name): _text(inner, where, f"{key}.{name}") for name, inner in _mapping(keys[key], where, key).items()}
    for path in changes.get("save", {}).values():
        _pointer(path, where)
    if "expect" in keys:
        changes["expect"] = expectation(keys["expect"], f"{where}.expect")
    return changes


def expectation(value: Json, where: str) -> Expect:
    """Return what *value* (``expect:``) demands. Raises ``CannotKnow``: nothing demanded is a mistake, not a wish for anything."""
    keys = {key: inner for key, inner in _mapping(value, where, "expect").items() if not str(key).startswith("x_")}
    if not keys:
        raise malformed(where, "empty_expect")
    for key in sorted(set(map(str, keys)) - _EXPECT_KEYS):
        raise malformed(where, "unknown_key", key)
    expect: dict[str, t.Any] = {}
    if "status" in keys:
        expect["status"] = _status(keys["status"], where)
    if "json" in keys:
        expect["json"] = {_pointer(path, where): inner for path, inner in _mapping(keys["json"], where, "json").items()}
    if "has" in keys:
        if not isinstance(keys["has"], list) or not keys["has"]:
            raise malformed(where, "wrong_type", "has")
        expect["has"] = tuple(_pointer(path, where) for path in keys["has"])
    if "header" in keys:
        expect["header"] = {str(name): _text(inner, where, str(name)) for name, inner in _mapping(keys["header"], where, "header").items()}
    if "contains" in keys:
        expect["contains"] = _text(keys["contains"], where, "contains")
    for key in ("json", "header", "contains"):
        if key in keys and not keys[key]:
            raise malformed(where, "empty_expect")
    return Expect(**expect)


def _status(value: Json, where: str) -> tuple[str, ...]:
    wanted = [str(one) for one in (value if isinstance(value, list) else [value])]
    for one in wanted or [""]:
        if not (_STATUS_CLASS.fullmatch(one) or (one.isdecimal() and 100 <= int(one) <= 599)):
            raise malformed(where, "not_a_status", one[:20])
    return tuple(wanted)


def _fits(status: int, wanted: t.Sequence[str]) -> bool:
    return any(str(status) == one or f"{status // 100}xx" == one for one in wanted)


def _at(document: Json, path: str) -> Json:
    try:
        return _words.pointer(document, path)
    except LookupError:
        return None


def _present(document: Json, path: str) -> bool:
    try:
        _words.pointer(document, path)
    except LookupError:
        return False
    return True


def _pointer(path: Json, where: str) -> str:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise malformed(where, "not_a_pointer", str(path)[:60])
    return path


def _mapping(value: Json, where: str, key: str) -> t.Mapping[str, Json]:
    if not isinstance(value, t.Mapping):
        raise malformed(where, "wrong_type", key)
    return value


def _text(value: Json, where: str, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise malformed(where, "wrong_type", key)
    return value
