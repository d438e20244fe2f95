# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey as the inventory declares it, taken apart and found whole before anything is sent. Pure; the control node and the hosts use it alike."""

from __future__ import annotations

import dataclasses
import time
import typing as t
import uuid

from ansible_collections.resto.golive.plugins.module_utils import _inbound, _observers, _requests
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._inbound import Inbound
from ansible_collections.resto.golive.plugins.module_utils._observers import ON_HOST, Observer
from ansible_collections.resto.golive.plugins.module_utils._requests import Request
from ansible_collections.resto.golive.plugins.module_utils._sessions import tenant_words
from ansible_collections.resto.golive.plugins.module_utils._words import malformed

STAGES = ("inbound", "reply", "order", "panel", "close")
#: Stages that the guest's message brings about; the last one is brought about by its own request.
FIRST = STAGES[:-1]
WHERE = "acceptance_journey"
#: Leftovers of other runs are swept when they are older than this, in seconds, and at once when their run is known to be dead.
LEFTOVER_S = 3600

_STAGE_KEYS = frozenset({"send", "see", "within_s"})
_CLEAN_KEYS = frozenset({"undo", "see"})
#: Words that the journey itself provides, besides those of its tenant.
OWN_WORDS = frozenset({"cid", "event_id", "cids", "before", "now"})


@dataclasses.dataclass(frozen=True)
class Ids:
    """The ids of one run: of the message that is followed, of the one that is delivered many times at once, and one that nobody ever sends."""

    sent: str
    race: str
    never: str

    @classmethod
    def of(cls, seed: str) -> Ids:
        """Return the ids of the run named *seed*: every host's part finds the same, and no other run does."""
        return cls(*(f"golive-{uuid.uuid5(uuid.NAMESPACE_URL, f'golive:{seed}:{part}')}" for part in ("sent", "race", "never")))

    def as_dict(self) -> dict[str, str]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The five stages' observers, what is sent, and how it is cleaned up."""

    message: Inbound | Request
    close: Request
    see: t.Mapping[str, Observer]
    undo: Request
    left: Observer
    tenant: str
    logins: frozenset[str]

    def on_host(self, stages: t.Iterable[str]) -> dict[str, Observer]:
        """Return the observers among *stages* that are looked at on the host that has what is looked at."""
        return {stage: self.see[stage] for stage in stages if self.see[stage].kind in ON_HOST}

    def on_probe(self, stages: t.Iterable[str]) -> dict[str, Observer]:
        return {stage: self.see[stage] for stage in stages if self.see[stage].kind not in ON_HOST}

    def words(self, options: Options, cid: str) -> dict[str, Json]:
        """Return the words that hold for the id *cid*."""
        return {**tenant_words(options.get("tenants") or {}, self.tenant), "cid": cid, "event_id": f"wamid.{cid}"}


def plan(options: Options) -> Plan:
    """Return the plan that *options* declare. Raises ``CannotKnow``: what is not whole is told before the first message."""
    journey = options["journey"]
    for key in sorted(set(map(str, journey)) - {*STAGES, "clean"}):
        if not key.startswith("x_"):
            raise malformed(WHERE, "unknown_key", key)
    for key in (*STAGES, "clean"):
        if not isinstance(journey.get(key), t.Mapping):
            raise malformed(WHERE, "stage_missing", key)
    see = {stage: _stage(journey[stage], f"{WHERE}.{stage}") for stage in STAGES}
    for stage in STAGES:
        if ("send" in journey[stage]) != (stage in ("inbound", "close")):
            raise malformed(f"{WHERE}.{stage}", "send_misplaced", stage)
    declared = options.get("requests") or {}
    message = _inbound.parse(journey["inbound"]["send"], options, f"{WHERE}.inbound.send")
    clean = journey["clean"]
    if set(clean) != _CLEAN_KEYS:
        raise malformed(f"{WHERE}.clean", "stage_missing", "undo, see")
    found = Plan(
        message=message or _requests.parse(journey["inbound"]["send"], declared, f"{WHERE}.inbound.send"),
        close=_requests.parse(journey["close"]["send"], declared, f"{WHERE}.close.send"),
        see=see,
        undo=_requests.parse(clean["undo"], declared, f"{WHERE}.clean.undo"),
        left=_observers.parse(clean["see"], f"{WHERE}.clean.see"),
        tenant="",
        logins=frozenset(),
    )
    found = dataclasses.replace(found, logins=_logins(found))
    found = dataclasses.replace(found, tenant=_tenant(found.logins, options))
    _words_provided(found, options)
    return found


def _stage(value: t.Mapping[str, Json], where: str) -> Observer:
    for key in sorted(set(map(str, value)) - _STAGE_KEYS):
        if not key.startswith("x_"):
            raise malformed(where, "unknown_key", key)
    observer = _observers.parse(value.get("see"), f"{where}.see", within_s=value.get("within_s"))
    if observer.absent:
        raise malformed(f"{where}.see", "absent_alone")
    return observer


def _logins(found: Plan) -> frozenset[str]:
    requests = [found.close, found.undo, *([found.message] if isinstance(found.message, Request) else [])]
    named = [request.login for request in requests] + [observer.login for observer in (*found.see.values(), found.left)]
    return frozenset(named) - {"", "anonymous"}


def _tenant(logins: t.Collection[str], options: Options) -> str:
    """Return the one test restaurant that the journey stays in: that of its logins."""
    declared, tenants = options.get("logins") or {}, options.get("tenants") or {}
    for login in sorted(logins):
        if login not in declared:
            raise malformed(WHERE, "unknown_login", login)
    named = {str(declared[login]["tenant"]) for login in logins if "tenant" in declared[login]} or set(list(tenants)[:1])
    if len(named) != 1 or not named <= set(tenants):
        raise malformed(WHERE, "one_tenant", ", ".join(sorted(named)))
    return named.pop()


def _words_provided(found: Plan, options: Options) -> None:
    """A word that nobody provides is an error before the run. What a select calls its columns is there once it has seen something."""
    provided = set(found.words(options, "")) | OWN_WORDS
    for stage in FIRST:
        _provided(found.see[stage].words, provided, f"{WHERE}.{stage}.see")
    _provided(found.message.words, provided, f"{WHERE}.inbound.send")
    _provided(found.left.words, provided, f"{WHERE}.clean.see")
    later = provided | {word for observer in (*found.see.values(), found.left) for word in aliases(observer)}
    _provided(found.close.words, later | {"user"}, found.close.where)
    _provided(found.see["close"].words, later, f"{WHERE}.close.see")
    _provided(found.undo.words, later | {"user"}, found.undo.where)


def _provided(words: t.Collection[str], provided: t.Collection[str], where: str) -> None:
    for word in sorted(set(words) - set(provided)):
        raise malformed(where, "word_unprovided", word)


def aliases(observer: Observer) -> set[str]:
    """Return what a select calls its columns (``select id as order``)."""
    return set(_observers.ALIAS.findall(observer.subject)) if observer.kind == "sql" else set()


def secrets_needed(options: Options) -> set[str]:
    """Return the places of the secrets that this journey uses. A journey that is not whole needs none: it is refused."""
    try:
        found = plan(options)
    except CannotKnow:
        return set()
    places = {f"logins.{login}.{key}" for login in found.logins for key in ("password", "totp")}
    if isinstance(found.message, Inbound):
        places.add(f"providers.{found.message.provider}.keys.signing")
    return places


def left_words(found: Plan, options: Options, ids: Ids, abandoned: t.Sequence[str], *, own: bool = True) -> dict[str, Json]:
    """Return the words of the question what is left: ``{cids}`` of dead runs and, when this one is over, its own, and ``{before}``, an hour ago."""
    before = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - LEFTOVER_S))
    return {**found.words(options, ids.sent), "cids": [*([ids.sent, ids.race] if own else []), *abandoned], "before": before}
