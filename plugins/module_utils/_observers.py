# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An observer as the inventory says it: where an effect must be seen, exactly how often, and within what time. Pure: nothing is looked at here.

See the inventory contract, section 3.2. Strict: a key that is not of the vocabulary is an error, and so is an observer that anything would satisfy.
``_looks.py`` looks from the probe, ``_sql.py`` on the host that has what is looked at, ``_watch.py`` waits.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _requests, _words
from ansible_collections.resto.golive.plugins.module_utils._check import Json
from ansible_collections.resto.golive.plugins.module_utils._words import malformed

WITHIN_S = 30.0

#: What each kind may be told besides ``within_s``, and which of it makes it look for something in particular.
_KINDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "http": (frozenset({"as", "contains", "absent", "expect", "count"}), frozenset()),
    "sql": (frozenset({"contains", "absent", "count"}), frozenset()),
    "sse": (frozenset({"as", "contains", "absent", "count"}), frozenset({"contains", "absent"})),
    "websocket": (frozenset({"as", "contains", "absent", "count"}), frozenset({"contains", "absent"})),
    "provider": (frozenset({"to", "contains", "absent", "template", "count"}), frozenset({"to", "contains", "absent", "template"})),
    "mail": (frozenset({"to", "contains", "absent", "count"}), frozenset({"to", "contains", "absent"})),
    "log": (frozenset({"contains", "absent", "count"}), frozenset({"contains", "absent"})),
}
#: Kinds that are looked at on the host that has what is looked at; all others are looked at from the probe.
ON_HOST = frozenset({"sql", "log"})
#: What a select calls its columns; the lint reads it the same way.
ALIAS = re.compile(r"\bas\s+([a-z_][a-z0-9_]*)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Observer:
    """Where an effect must be seen. ``subject`` is what its kind names: a request line, a select, an address, a provider, a mailbox, a service.

    ``at_least``: more than ``count`` are as good. ``none``: nothing at all may be found (what is left after cleaning up).
    """

    kind: str
    subject: str
    where: str
    login: str = ""
    to: str = ""
    contains: str = ""
    template: str = ""
    absent: str = ""
    expect: _requests.Expect | None = None
    within_s: float = WITHIN_S
    count: int = 1
    at_least: bool = False
    none: bool = False

    @property
    def words(self) -> set[str]:
        """The words in braces that looking needs."""
        expect = self.expect or _requests.Expect(contains="")
        return _words.names([self.subject, self.to, self.contains, self.template, self.absent, dict(expect.json), dict(expect.header), expect.contains])

    def enough(self, found: int) -> bool:
        """Whether *found* sightings are what was asked for, as far as anybody can say before the end."""
        return found >= self.count if not self.absent else False

    def exact(self, found: int) -> bool:
        """Whether *found* sightings, now that nobody looks any more, are what was asked for."""
        if self.absent or self.none:
            return found == 0
        return found >= self.count if self.at_least else found == self.count


def parse(value: Json, where: str, *, within_s: float | None = None) -> Observer:
    """Return the observer that *value* says; *within_s* is its limit where it has none itself. Raises ``CannotKnow``."""
    if not isinstance(value, t.Mapping):
        raise malformed(where, "not_an_observer")
    keys = {str(key): inner for key, inner in value.items() if not str(key).startswith("x_")}
    kinds = [kind for kind in _KINDS if kind in keys]
    if len(kinds) != 1:
        raise malformed(where, "one_observer", ", ".join(kinds))
    kind = kinds[0]
    fitting, particular = _KINDS[kind]
    for key in sorted(set(keys) - {kind, "within_s"} - fitting):
        raise malformed(where, "unknown_key", key)
    if particular and not particular & set(keys):
        raise malformed(where, "sees_anything", kind)
    if "absent" in keys and {"contains", "count"} & set(keys):
        raise malformed(where, "absent_alone")
    for key in (kind, "as", "to", "contains", "template", "absent"):
        if key in keys and (not isinstance(keys[key], str) or not keys[key]):
            raise malformed(where, "wrong_type", key)
    if kind == "sql":
        _words.select(keys["sql"], where)
    if kind == "http":
        _requests.parse(keys["http"], {}, where)
    return Observer(
        kind,
        keys[kind],
        where,
        login=keys.get("as", ""),
        to=keys.get("to", ""),
        contains=keys.get("contains", ""),
        template=keys.get("template", ""),
        absent=keys.get("absent", ""),
        expect=_requests.expectation(keys["expect"], f"{where}.expect") if "expect" in keys else None,
        within_s=_number(keys.get("within_s", within_s or WITHIN_S), where, "within_s"),
        count=int(_number(keys.get("count", 1), where, "count")),
        at_least=kind == "log",
    )


def _number(value: Json, where: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise malformed(where, "wrong_type", key)
    return float(value)
