# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of a journey, at the edges of its limits and in every way of not knowing. Nothing here is sent or seen."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance import journey_plan
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import OrderJourney
from ansible_collections.resto.golive.plugins.plugin_utils import texts

SENT = 1000.0
OPTIONS: dict[str, t.Any] = {
    "tenants_flag": {"sql": "select 1 from tenants where slug = {tenant} and is_test"},
    "domains": {"admin": "admin.test", "api": "api.test"},
    "tenants": {"a": {"id": "test-a", "phone": "+570000000001"}, "b": {"id": "test-b"}},
    "realms": {},
    "logins": {"employee": {"tenant": "a", "user": "e@a.test", "password": "test/e#password"}, "other": {"tenant": "b", "user": "o@b.test"}},
    "requests": {"close": {"http": "POST admin:/api/orders/{order}/close", "as": "employee"}, "forget": "DELETE api:/v1/test-data?cid={cid}"},
    "providers": {"whatsapp": {"webhook": "api:/webhooks/whatsapp", "keys": {"signing": "api#KEY"}, "account": "1"}},
    "journey": {
        "inbound": {"send": {"whatsapp": "2 arepas {cid}"}, "see": {"sql": "select 1 from messages where cid = {cid}"}, "within_s": 5},
        "reply": {"see": {"http": "GET api:/replies?cid={cid}", "contains": "{cid}"}, "within_s": 10},
        "order": {"see": {"sql": "select id as order from orders where cid = {cid}"}, "within_s": 10},
        "panel": {"see": {"sse": "admin:/api/events", "as": "employee", "contains": "{cid}"}, "within_s": 5},
        "close": {"send": "close", "see": {"sql": "select 1 from outbox where order_id = {order}"}, "within_s": 30},
        "clean": {"undo": "forget", "see": {"sql": "select cid from orders where cid = any({cids}) or created_at < {before}"}},
    },
}


def sight(first: float | None = 0.2, *, absent: float | None = 0.1, last: float = 60.0, most: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    """A sight in seconds after the message."""
    seen = first is not None
    return {
        "first_look": SENT - 1,
        "last_look": SENT + last,
        "first_seen": SENT + first if first is not None else None,
        "last_seen": SENT + last if seen else None,
        "last_absent": SENT + absent if absent is not None else None,
        "looks": 9,
        "count": most if seen else 0,
        "most": most if seen else 0,
        "never": 0,
        "rows": [],
        "problem": None,
        **changes,
    }


UNSEEN = sight(None, absent=60.0)
NOBODY = {**sight(None, absent=None), "looks": 0, "first_look": None, "last_look": None}
PROBLEM = {"code": "postgres.no_permission", "status": "error", "params": {"where": "x", "message": "no", "user": "u", "database": "d"}}


def healthy() -> dict[str, t.Any]:
    ok = {"status": 200}
    return {
        "act": {"sent_at": SENT, "answer": ok, "copies": [ok], "race": [ok] * 20, "copied_at": SENT + 2, "stages": {"reply": sight(), "panel": sight()}},
        "finish": {"sent_at": SENT, "answer": ok, "stages": {}, "undone": 2, "cleaned_at": SENT + 1, "left": None},
        "sights": {
            **{stage: [sight()] for stage in ("inbound", "order", "inbound/race", "order/race", "close")},
            "left": [sight(0.1, count=0)],
        },
        "copied_at": SENT + 2,
    }


def judged(seen: dict[str, t.Any], options: dict[str, t.Any] | None = None) -> dict[str, str]:
    """The worst of each stage, as ``status code``; every text is put together, in both languages."""
    found: dict[str, str] = {}
    order = ["pass", "error", "unreachable", "fail"]
    for one in OrderJourney().judge(seen, options or OPTIONS):
        for language in texts.LANGUAGES:
            texts.texts()[one.code][language].format(**one.params)
        stage = one.item.removeprefix("acceptance.e2e_")
        if stage not in found or order.index(one.status) > order.index(found[stage].split()[0]):
            found[stage] = f"{one.status} {one.code.removeprefix('order_journey.')}"
    return found


ALL_WELL = dict.fromkeys(journey_plan.STAGES, "pass seen")


def test_all_is_well() -> None:
    assert judged(healthy()) == ALL_WELL


def changed(path: str, value: t.Any) -> dict[str, t.Any]:
    seen = healthy()
    inner: t.Any = seen
    *steps, last = path.split(".")
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return seen


ONE_STAGE: list[tuple[str, t.Any, str, str]] = [
    ("sights.inbound", [sight(5.0, absent=4.9)], "inbound", "pass seen"),
    ("sights.inbound", [sight(5.1, absent=5.0)], "inbound", "fail late"),
    ("sights.inbound", [sight(9.0, absent=5.1)], "inbound", "fail late"),
    ("sights.inbound", [sight(9.0, absent=4.0)], "inbound", "error not_watched"),
    ("sights.inbound", [sight(9.0, absent=None)], "inbound", "error not_watched"),
    ("sights.inbound", [sight(4.0, absent=None)], "inbound", "pass seen"),
    ("sights.inbound", [UNSEEN, sight(4.0)], "inbound", "pass seen"),
    ("sights.inbound", [sight(most=2)], "inbound", "fail seen_too_often"),
    ("sights.inbound", [sight(never=1)], "inbound", "error sees_anything"),
    ("sights.inbound", [NOBODY], "inbound", "error nobody_looked"),
    ("sights.inbound", [], "inbound", "error nobody_looked"),
    ("sights.inbound", [{**NOBODY, "problem": PROBLEM}], "inbound", "error postgres.no_permission"),
    ("sights.inbound", [UNSEEN], "inbound", "fail not_seen"),
    ("sights.inbound", [{**UNSEEN, "problem": PROBLEM}], "inbound", "error postgres.no_permission"),
    ("sights.inbound", [sight(None, last=4.9)], "inbound", "error not_watched"),
    ("sights.inbound", [sight(last=2.4)], "inbound", "error not_watched_after"),
    ("sights.inbound", [sight(last=2.5)], "inbound", "pass seen"),
    ("sights.inbound/race", [sight(most=2)], "inbound", "fail race_too_often"),
    ("sights.order/race", [sight(most=3)], "order", "fail race_too_often"),
    ("sights.order/race", [UNSEEN], "order", "fail race_lost"),
    ("sights.inbound/race", [], "inbound", "error race_unwatched"),
    ("sights.order/race", [], "order", "error race_unwatched"),
    ("sights.order/race", [NOBODY], "order", "error race_unwatched"),
    ("sights.order/race", [sight(last=2.4)], "order", "error race_unwatched"),
    ("sights.order/race", [sight(last=2.5)], "order", "pass seen"),
    ("sights.order/race", [sight(last=2.4), sight(last=9.0)], "order", "pass seen"),
    ("sights.order/race", [sight(None, last=2.4)], "order", "error race_unwatched"),
    ("sights.order/race", [sight(None, last=2.5)], "order", "fail race_lost"),
    ("sights.order/race", [sight(most=2, last=2.1)], "order", "fail race_too_often"),
    ("sights.order", [sight(most=2)], "order", "fail seen_too_often"),
    ("act.copies", [{"status": 500}], "inbound", "fail copies_refused"),
    ("act.race", [{"status": 200}] * 19 + [{"code": "request.timeout", "params": {}, "kind": "timeout"}], "inbound", "fail copies_refused"),
    ("act.stages", {"reply": sight(10.2, absent=10.1), "panel": sight()}, "reply", "fail late"),
    ("act.stages", {"reply": sight(), "panel": sight(most=2)}, "panel", "fail seen_too_often"),
    ("finish.answer", {"status": 403}, "close", "fail close_refused"),
    (
        "finish.answer",
        {"code": "request.no_route", "params": {"host": "x", "message": "", "seconds": 1}, "kind": "no_route"},
        "close",
        "unreachable request.no_route",
    ),
    ("finish.sent_at", None, "close", "error not_reached"),
    ("finish", {"problem": PROBLEM}, "close", "error postgres.no_permission"),
    ("sights.close", [sight(30.2, absent=30.1)], "close", "fail late"),
    ("sights.left", [sight(0.1, count=1)], "close", "fail not_clean"),
    ("sights.left", [sight(0.1, count=1, last=0.5)], "close", "error clean_unknown"),
    ("sights.left", [], "close", "error clean_unknown"),
    ("sights.left", [{**sight(), "problem": PROBLEM}], "close", "error clean_unknown"),
]


@pytest.mark.parametrize(("path", "value", "stage", "wanted"), ONE_STAGE, ids=[f"{path} {wanted}" for path, _value, _stage, wanted in ONE_STAGE])
def test_one_stage_turns_and_no_other(path: str, value: t.Any, stage: str, wanted: str) -> None:
    assert judged(changed(path, value)) == {**ALL_WELL, stage: wanted}


def test_what_nobody_counted_breaks_nothing_after_it() -> None:
    seen = changed("sights.inbound/race", [])
    seen["act"]["stages"]["reply"] = UNSEEN
    assert judged(seen) == {**ALL_WELL, "inbound": "error race_unwatched", "reply": "fail not_seen"}


def test_an_observer_that_cannot_tell_one_from_many_does_not_prove_that_there_is_one() -> None:
    options = {**OPTIONS, "journey": {**OPTIONS["journey"], "inbound": {**OPTIONS["journey"]["inbound"], "see": {"log": "api", "contains": "{cid}"}}}}
    assert judged(healthy(), options)["inbound"] == "error race_unwatched"


def test_what_was_refused_breaks_all_after_it() -> None:
    seen = changed("act.answer", {"status": 401})
    seen["finish"]["sent_at"] = None
    assert judged(seen) == {"inbound": "fail not_accepted", **dict.fromkeys(journey_plan.STAGES[1:], "error not_reached")}


@pytest.mark.parametrize("kind", ["refused", "timeout", "certificate"])
def test_a_webhook_that_cannot_be_used_is_its_own_fault(kind: str) -> None:
    seen = changed("act.answer", {"code": f"request.{kind}", "params": {"host": "api.test", "message": "m", "seconds": 10}, "kind": kind})
    assert judged(seen)["inbound"] == "fail not_accepted"


def test_the_stage_that_broke_fails_and_the_later_unseen_ones_were_not_reached() -> None:
    seen = healthy()
    seen["act"]["stages"] = {"reply": UNSEEN, "panel": UNSEEN}
    seen["sights"]["close"] = [UNSEEN]
    assert judged(seen) == {**ALL_WELL, "reply": "fail not_seen", "panel": "error not_reached", "close": "error not_reached"}


def test_nothing_was_sent() -> None:
    seen = {
        "act": {"problem": {"code": "order_journey.not_a_test_tenant", "status": "error", "params": {"tenant": "real"}}},
        "finish": {},
        "sights": {},
        "copied_at": None,
    }
    assert judged(seen) == dict.fromkeys(journey_plan.STAGES, "error not_a_test_tenant")


MISTAKES: list[tuple[str, t.Any, str]] = [
    ("journey.inbuond", {}, "unknown_key"),
    ("journey.panel", None, "stage_missing"),
    ("journey.clean", None, "stage_missing"),
    ("journey.clean", {"undo": "forget"}, "stage_missing"),
    ("journey.reply.send", "close", "send_misplaced"),
    ("journey.reply.whithin_s", 5, "unknown_key"),
    ("journey.reply.see", {"http": "GET api:/x", "absent": "a"}, "absent_alone"),
    ("journey.reply.see", {"http": "GET api:/x?{ordr}"}, "word_unprovided"),
    ("journey.inbound.send", {"whatsap": "x"}, "unknown_provider"),
    ("journey.inbound.send", {"whatsapp": ""}, "wrong_type"),
    ("journey.close.send", "clos", "unknown_request"),
    ("journey.panel.see.as", "other", "one_tenant"),
    ("journey.panel.see.as", "nobody", "unknown_login"),
    ("providers.whatsapp.kind", "twilio", "provider_unsupported"),
    ("providers.whatsapp.account", "", "provider_incomplete"),
    ("requests.close", "POST admin:/api/orders/{ordr}/close", "word_unprovided"),
]


@pytest.mark.parametrize(("path", "value", "code"), MISTAKES, ids=[f"{path} {code}" for path, _value, code in MISTAKES])
def test_a_journey_that_is_not_whole_is_refused(path: str, value: t.Any, code: str) -> None:
    options = copy.deepcopy(OPTIONS)
    inner = options
    *steps, last = path.split(".")
    for step in steps:
        inner = inner[step]
    inner[last] = value
    assert judged(healthy(), options) == dict.fromkeys(journey_plan.STAGES, f"error request.{code}")


def test_only_the_secrets_that_are_used_travel() -> None:
    assert journey_plan.secrets_needed(OPTIONS) == {"logins.employee.password", "logins.employee.totp", "providers.whatsapp.keys.signing"}


def test_the_ids_of_a_run_are_its_own() -> None:
    ids = journey_plan.Ids.of("run-1")
    assert ids == journey_plan.Ids.of("run-1")
    assert len({*ids.as_dict().values(), *journey_plan.Ids.of("run-2").as_dict().values()}) == 6
    assert all(cid.startswith("golive-") and len(cid) == 43 for cid in ids.as_dict().values())
