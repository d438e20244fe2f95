# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journey does, on the probe: listen, send the guest's message, repeat it, later close the order, clean up. It sees and judges nothing.

It acts in two short runs. What only another host can see (a row in the database) is looked for there meanwhile, and what that shows (``{order}``) is
needed for closing: so :func:`act` is part of the audit's one run, and :func:`finish` of the short second one.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _inbound, _looks, _observers
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_plan import FIRST, Ids, Plan, left_words, plan
from ansible_collections.resto.golive.plugins.module_utils._http import NoAnswer
from ansible_collections.resto.golive.plugins.module_utils._inbound import Inbound, Signed
from ansible_collections.resto.golive.plugins.module_utils._observers import ON_HOST
from ansible_collections.resto.golive.plugins.module_utils._requests import Request
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions, Unexpected
from ansible_collections.resto.golive.plugins.module_utils._watch import Found, Watch
from ansible_collections.resto.golive.plugins.module_utils._words import Words

#: How many copies of one event arrive at once. Providers deliver at least once, and what was late comes in bursts.
COPIES = 20
#: How long it is listened after the last copy, in seconds: a second order or event would come as quickly as the first did.
SETTLE_S = 1.0
#: How long what was closed is left as it is, in seconds, where another host looks for it: that host's run does not begin at the very moment ours does.
HOLD_S = 3.0
#: How long a webhook may take to answer, in seconds. Meta gives up after about that long and delivers again.
ANSWER_S = 10.0

Secrets = t.Mapping[str, str]
Send = t.Callable[[], Json]


def guarded(
    step: t.Callable[[Options, Secrets, t.Mapping[str, Json]], dict[str, Json]], options: Options, secrets: Secrets, given: t.Mapping[str, Json]
) -> dict[str, Json]:
    """Return what *step* saw, or ``{problem}``: why it could not be taken."""
    try:
        return step(options, secrets, given)
    except CannotKnow as problem:
        return {"problem": {"code": problem.code, "status": problem.status, "params": problem.params}}


def act(options: Options, secrets: Secrets, given: t.Mapping[str, Json]) -> dict[str, Json]:
    """Send the message while everything that can be listened to from here is listened to.

    Returns ``{sent_at, answer, stages{stage: sight}, copies[answer], race[answer], copied_at}``; an answer is ``{status}`` or ``{code, params, kind}``.
    """
    found, ids = plan(options), Ids(**given["ids"])
    sessions = Sessions(options, secrets)
    words = found.words(options, ids.sent)
    _refuse_unless_flagged(found, options, sessions, words, given)
    send = _sender(found.message, options, secrets, sessions, words)
    race = _sender(found.message, options, secrets, sessions, found.words(options, ids.race))
    seen: dict[str, Json] = {"copies": [], "race": [], "copied_at": None}
    with contextlib.ExitStack() as open_:
        watches = _watching(open_, found, FIRST, sessions, words, found.words(options, ids.never))
        seen["sent_at"] = time.time()
        ends = {stage: time.monotonic() + watch.observer.within_s for stage, watch in watches.items()}
        seen["answer"] = send()
        if accepted(seen["answer"]):
            for stage, watch in watches.items():
                if not watch.blind:
                    watch.wait(ends[stage])
            seen["copies"] = [send()]
            seen["race"] = _at_once(race)
            seen["copied_at"] = time.time()
            time.sleep(SETTLE_S)
        seen["stages"] = {stage: watch.end() for stage, watch in watches.items()}
    return seen


def finish(options: Options, secrets: Secrets, given: t.Mapping[str, Json]) -> dict[str, Json]:
    """Close the order that was found, and undo everything that this run, and runs that did not come to their end, left behind.

    *given*: ``ids``, ``flagged``, ``saved`` (words that the stages' selects gave), ``rows`` (what there is to undo), ``abandoned`` (ids of dead runs).
    Returns ``{sent_at, answer, stages{close: sight}, undone, undo_problems[], cleaned_at, left: sight or None}``.
    """
    found, ids = plan(options), Ids(**given["ids"])
    sessions = Sessions(options, secrets)
    words = {**found.words(options, ids.sent), **given["saved"]}
    _refuse_unless_flagged(found, options, sessions, words, given)  # cleaning up where nothing was made would harm a real restaurant just the same
    seen: dict[str, Json] = {"sent_at": None, "answer": None, "stages": {}}
    if found.close.words <= set(words) | {"user"}:
        with contextlib.ExitStack() as open_:
            watches = _watching(open_, found, ("close",), sessions, words, {**words, **found.words(options, ids.never)})
            seen["sent_at"] = time.time()
            ends = time.monotonic() + found.see["close"].within_s
            seen["answer"] = _answer(lambda: sessions.send(found.close, words)[0].status)
            if accepted(seen["answer"]):
                for watch in watches.values():
                    if not watch.blind:
                        watch.wait(ends)
                if found.see["close"].kind in ON_HOST:
                    time.sleep(HOLD_S)
            seen["stages"] = {stage: watch.end() for stage, watch in watches.items()}
    return {**seen, **_clean(found, ids, sessions, options, given)}


def _refuse_unless_flagged(found: Plan, options: Options, sessions: Sessions, words: Words, given: t.Mapping[str, Json]) -> None:
    """Nothing is sent to a restaurant that is not known to be a test one, whatever the inventory calls it."""
    flag = _observers.parse(options["tenants_flag"], "golive_tenants_flag")
    if flag.kind == "http":
        with _looks.opened(flag, sessions, words) as look:
            answer: Json = look(words).count
    else:
        answer = given["flagged"].get(found.tenant, {"code": "order_journey.flag_unknown", "status": "error", "params": {"tenant": found.tenant}})
    if isinstance(answer, t.Mapping):
        raise CannotKnow(answer["code"], answer["status"], **answer["params"])
    if not answer:
        raise CannotKnow("order_journey.not_a_test_tenant", tenant=words.get("tenant", found.tenant))


def accepted(answer: Json) -> bool:
    return bool(answer) and 200 <= answer.get("status", 0) < 300


def _watching(open_: contextlib.ExitStack, found: Plan, stages: t.Iterable[str], sessions: Sessions, words: Words, never: Words) -> dict[str, Watch]:
    """Open what is looked at from here and begin to watch it; each has looked once before anything is sent. What cannot be opened troubles its own stage."""
    watches = {}
    for stage, observer in found.on_probe(stages).items():
        try:
            look = open_.enter_context(_looks.opened(observer, sessions, words))
        except CannotKnow as problem:
            look = functools.partial(_again, problem)
        # An observer without the run's id has nothing to look for that was never sent; what it sees before the act is held against it all the same.
        watches[stage] = Watch(observer, look, words, never if {"cid", "event_id"} & observer.words else None)
        watches[stage].before()
    return {stage: watch.start() for stage, watch in watches.items()}


def _again(problem: CannotKnow, words: Words) -> Found:
    raise problem


def _sender(message: Inbound | Request, options: Options, secrets: Secrets, sessions: Sessions, words: Words) -> Send:
    """Return what delivers *message*: the same bytes each time. It is made ready, and its sender logged in, before the clock starts."""
    if isinstance(message, Inbound):
        ready: Signed = _inbound.signed(message, options, secrets, sessions, words)
        return lambda: _answer(lambda: ready.deliver(sessions.anonymous, ANSWER_S).status)
    request: Request = message
    if request.login not in ("", "anonymous"):
        sessions.login(request.login, request.address.partition(":")[0])
    return lambda: _answer(lambda: sessions.send(request, words, timeout_s=ANSWER_S)[0].status)


def _answer(send: t.Callable[[], int]) -> Json:
    try:
        return {"status": send()}
    except Unexpected as problem:
        return {
            "status": problem.answer.status if problem.misses[0].what == "status" else 0,
            "code": problem.code,
            "params": problem.params,
            "kind": "unexpected",
        }
    except NoAnswer as problem:
        return {"code": problem.code, "params": problem.params, "kind": problem.kind}
    except CannotKnow as problem:
        return {"code": problem.code, "params": problem.params, "kind": "unknown"}


def _at_once(send: Send) -> list[Json]:
    """Deliver the same thing :data:`COPIES` times at the same moment."""
    answers: list[Json] = []
    barrier = threading.Barrier(COPIES)

    def one() -> None:
        barrier.wait(timeout=5)
        answers.append(send())

    threads = [threading.Thread(target=one, daemon=True) for _copy in range(COPIES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWER_S + 5)
    return answers


def _status(sessions: Sessions, request: Request, words: Words) -> int:
    return sessions.send(request, words)[0].status


def _clean(found: Plan, ids: Ids, sessions: Sessions, options: Options, given: t.Mapping[str, Json]) -> dict[str, Json]:
    """Undo by id where the request is content with one, else row by row; what is left after it is looked at, here or on its host."""
    base = found.words(options, ids.sent)
    needed = found.undo.words - {"user"}
    each: list[dict[str, Json]] = [{"cid": cid} for cid in (ids.sent, ids.race, *given["abandoned"])] if needed <= set(base) else []
    each += [{name: row[name] for name in sorted(needed & set(row))} for row in given["rows"] if needed <= set(base) | set(row)]
    undone, problems = 0, []
    for words in {str(sorted(one.items())): one for one in each}.values():
        answer = _answer(functools.partial(_status, sessions, found.undo, {**base, **words}))
        undone += accepted(answer)
        problems += [] if accepted(answer) else [answer]
    seen: dict[str, Json] = {"undone": undone, "undo_problems": problems[:5], "left": None, "cleaned_at": time.time()}
    if found.left.kind not in ON_HOST:
        words = left_words(found, options, ids, given["abandoned"])
        with _looks.opened(found.left, sessions, words) as look:
            watch = Watch(found.left, look, words)
            watch.once()
            seen["left"] = watch.seen()
    return seen
