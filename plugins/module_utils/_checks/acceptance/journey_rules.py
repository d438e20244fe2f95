# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the journey, held against its limits. Pure.

The stage that broke is the one that fails. A later one that was seen in time all the same passes; one that was not says after which it could not be reached.
Times are the control node's; a stage's limit counts from what set it going: the guest's message, or the request that closes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_act import SETTLE_S, accepted
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_plan import STAGES, Plan

#: Between a look that saw nothing and the next that saw it may lie this much; more, and nobody was watching at that moment. In seconds.
GAP_S = 1.0
#: Problems of looking that are the system's own no: who has logged in and is then refused, or cut off, is a restaurant that sees nothing.
_OWN_NO = frozenset({"observer.sse_refused", "observer.websocket_refused", "observer.stream_ended"})
#: Kinds of no answer that may be the probe's own fault.
_OWN_FAULT = ("no_route", "resolver", "unknown")
#: Nobody counted what the copies made: the item is not proven, and yet nothing is known to be broken that later stages could suffer from.
_UNWATCHED = "order_journey.race_unwatched"

Seen = t.Mapping[str, Json]


def judge(seen: Seen, plan: Plan) -> list[Assertion]:
    """Return at least one assertion for each stage. *seen*: ``act``, ``finish``, ``sights`` {stage: [sight, …]} of all hosts, on one clock."""
    act, finish = seen["act"], seen["finish"]
    if "problem" in act:
        return [_told(act["problem"], stage, "act") for stage in STAGES]
    found: list[Assertion] = []
    for stage in STAGES:
        broken = next((one.item.removeprefix("acceptance.e2e_") for one in found if one.status not in ("pass", "warn") and one.code != _UNWATCHED), "")
        if stage == "close":
            found += _close(seen, plan, finish, broken)
        else:
            found += _first(stage, seen, plan, act, broken)
    return found


def _first(stage: str, seen: Seen, plan: Plan, act: Seen, broken: str) -> list[Assertion]:
    if stage == "inbound" and not accepted(act["answer"]):
        return [_refused("inbound", "not_accepted", act["answer"])]
    if broken == "inbound" and not accepted(act["answer"]):
        return [_not_reached(stage, broken)]
    found = _stage(stage, plan, _merged([*seen["sights"].get(stage, ()), *_own(act, stage)]), act["sent_at"], seen["copied_at"], broken)
    if stage in ("inbound", "order"):
        race = _merged(seen["sights"].get(f"{stage}/race", ()))
        found += [_race(stage, plan, race, seen["copied_at"], broken or found[0].status != "pass")]
    if stage == "inbound":
        found += _copies(act)
    return found


def _close(seen: Seen, plan: Plan, finish: Seen, broken: str) -> list[Assertion]:
    if "problem" in finish:
        return [_told(finish["problem"], "close", "finish")]
    if not finish or finish["sent_at"] is None:
        return [_not_reached("close", broken or "order"), *_clean(seen, plan, finish)]
    if not accepted(finish["answer"]):
        return [_refused("close", "close_refused", finish["answer"]), *_clean(seen, plan, finish)]
    merged = _merged([*seen["sights"].get("close", ()), *_own(finish, "close")])
    return [*_stage("close", plan, merged, finish["sent_at"], None, broken), *_clean(seen, plan, finish)]


def _own(part: Seen, stage: str) -> list[Seen]:
    return [part["stages"][stage]] if stage in part.get("stages", {}) else []


def _merged(sights: t.Sequence[Seen]) -> dict[str, Json]:
    """Return several sights of one observer as one: what any of them saw was there."""

    def all_of(key: str) -> list[Json]:
        return [sight[key] for sight in sights if sight[key] is not None]

    first = min(all_of("first_seen"), default=None)
    absent = [moment for moment in all_of("last_absent") if first is None or moment < first]
    return {
        "first_seen": first,
        "last_absent": max(absent, default=None),
        "last_look": max(all_of("last_look"), default=None),
        "last_seen": max(all_of("last_seen"), default=None),
        "most": max(all_of("most"), default=0),
        "never": max(all_of("never"), default=0),
        "looks": sum(all_of("looks")),
        "problem": next((sight["problem"] for sight in sights if sight["problem"]), None),
    }


def _stage(stage: str, plan: Plan, sight: Seen, sent_at: float, copied_at: float | None, broken: str) -> list[Assertion]:
    """Judge one stage by when it was seen, how often, and whether the one that looked can tell the message from any other."""
    observer = plan.see[stage]
    limit_s, source = observer.within_s, f"{observer.kind}: {observer.where}"

    def say(status: str, code: str, observed: Json, **params: Json) -> list[Assertion]:
        params = {"stage": stage, "seconds": limit_s, "where": observer.where, **params}
        return [Assertion(status, f"order_journey.{code}", params, f"{observer.count} within {limit_s:g} s", observed, source, item=_item(stage))]

    if not sight["looks"]:
        return [_told(sight["problem"], stage, source)] if sight["problem"] else say("error", "nobody_looked", None)
    if sight["never"]:
        return say("error", "sees_anything", sight["never"])
    if not sight["most"]:
        if broken:
            return [_not_reached(stage, broken)]
        if sight["problem"]:
            return [_told(sight["problem"], stage, source)]
        watched = sight["last_look"] >= sent_at + limit_s
        return say("fail", "not_seen", 0) if watched else say("error", "not_watched", 0)
    if not (observer.at_least or sight["most"] <= observer.count):
        return say("fail", "seen_too_often", sight["most"], count=sight["most"], wanted=observer.count)
    at_most_s = sight["first_seen"] - sent_at
    at_least_s = (sight["last_absent"] or sent_at) - sent_at
    seconds = round(max(0.0, at_most_s), 2)
    if at_most_s > limit_s:
        late = at_least_s > limit_s or at_most_s - at_least_s <= GAP_S
        return say("fail", "late", seconds, took=seconds) if late else say("error", "not_watched", seconds)
    if copied_at is not None and sight["last_seen"] < copied_at + SETTLE_S / 2:
        return say("error", "not_watched_after", seconds, took=seconds)
    return say("pass", "seen", seconds, took=seconds)


def _race(stage: str, plan: Plan, sight: Seen, copied_at: float | None, broken: str | bool) -> Assertion:
    """One of each also when the same event arrives many times at once. Only an observer in the database sees the second id, and it must look afterwards."""
    observer = plan.see[stage]
    watched = sight["looks"] and not observer.at_least and copied_at is not None and sight["last_look"] >= copied_at + SETTLE_S / 2
    params = {"stage": stage, "count": sight["most"], "wanted": observer.count, "where": observer.where}
    status, code = "pass", "race_once"
    if sight["most"] > observer.count and not observer.at_least:
        status, code = "fail", "race_too_often"
    elif not watched:
        status, code = "error", _UNWATCHED.partition(".")[2]
    elif sight["most"] < observer.count:
        status, code = ("error" if broken else "fail"), "race_lost"
    return Assertion(status, f"order_journey.{code}", params, observer.count, sight["most"], f"{observer.kind}: {observer.where}", item=_item(stage))


def _copies(act: Seen) -> list[Assertion]:
    """A provider whose copy is refused sends it again, for days: every copy must be taken, and do nothing."""
    answers = [*act["copies"], *act["race"]]
    refused = [str(answer.get("status") or answer.get("code")) for answer in answers if not accepted(answer)]
    params = {"copies": len(answers), "refused": len(refused), "answers": ", ".join(sorted(set(refused)))}
    code = "copies_refused" if refused else "copies_taken"
    return [Assertion("fail" if refused else "pass", f"order_journey.{code}", params, 0, len(refused), "webhook", item=_item("inbound"))]


def _clean(seen: Seen, plan: Plan, finish: Seen) -> list[Assertion]:
    """What was made was undone, and read back: nothing of it is left."""
    sights = [*seen["sights"].get("left", ()), *([finish["left"]] if finish.get("left") else [])]
    last = max((sight for sight in sights if sight["looks"]), key=lambda sight: sight["last_look"], default=None)
    params: dict[str, Json] = {"where": plan.left.where, "left": last["count"] if last else None, "undone": finish.get("undone", 0)}
    status, code = "pass", "clean"
    if last is None or last["problem"]:
        status, code = "error", "clean_unknown"
    elif last["count"]:
        looked_after = last["last_look"] >= finish["cleaned_at"]
        status, code = ("fail", "not_clean") if looked_after else ("error", "clean_unknown")
    return [Assertion(status, f"order_journey.{code}", params, 0, params["left"], f"{plan.left.kind}: {plan.left.where}", item=_item("close"))]


def _refused(stage: str, code: str, answer: Seen) -> Assertion:
    """The system's own no, or the reason why the question did not reach it."""
    if answer.get("kind") in _OWN_FAULT:
        status = "error" if answer["kind"] == "unknown" else "unreachable"
        return Assertion(status, answer["code"], answer["params"], "2xx", answer["kind"], stage, item=_item(stage))
    observed = str(answer.get("status") or answer.get("kind"))
    return Assertion("fail", f"order_journey.{code}", {"observed": observed}, "2xx", observed, stage, item=_item(stage))


def _told(problem: Seen, stage: str, source: str) -> Assertion:
    return Assertion("fail" if problem["code"] in _OWN_NO else problem["status"], problem["code"], problem["params"], source=source, item=_item(stage))


def _not_reached(stage: str, broken: str) -> Assertion:
    return Assertion("error", "order_journey.not_reached", {"stage": stage, "broken": broken}, source=stage, item=_item(stage))


def _item(stage: str) -> str:
    return f"acceptance.e2e_{stage}"
