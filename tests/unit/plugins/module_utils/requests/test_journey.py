# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole journey against a real shop over TLS, healthy and broken at every stage; the shop can be asked for everything by HTTP."""

from __future__ import annotations

import collections
import hashlib
import hmac
import json
import re
import threading
import typing as t
import urllib.parse

import pytest
import shop as shops

from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance import journey_act, journey_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_plan import STAGES
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.plugin_utils import texts

KEY = "app-secret-of-the-shop"
SECRETS = {**shops.SECRETS, "providers.whatsapp.keys.signing": KEY}
CID = re.compile(r"golive-[0-9a-f-]{36}")


class Kitchen:
    """Messages, replies and orders of the shop by id; `broken` is what does not work today."""

    def __init__(self, shop: shops.Shop) -> None:
        self.shop = shop
        self.broken: set[str] = set()
        self.events: set[str] = set()
        self.messages: collections.Counter[str] = collections.Counter()
        self.seen_by: list[str] = []
        self.made: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in ("messages", "replies", "orders", "closed")}
        self.lock = threading.Lock()
        self.is_test = True
        shop.hooks.update(
            {
                ("POST", "/webhooks/whatsapp"): self.webhook,
                ("GET", "/flag"): lambda request, body: request.answer(200, {"test": self.is_test}),
                ("POST", "/close"): self.close,
                ("DELETE", "/forget"): self.forget,
                ("GET", "/left"): lambda request, body: request.answer(200, {"left": sorted(set().union(*self.made.values()))}),
                **{("GET", f"/{name}"): self.tell(name) for name in self.made},
            }
        )

    def tell(self, name: str) -> t.Callable[[shops.Handler, bytes], None]:
        def answer(request: shops.Handler, body: bytes) -> None:
            cid = dict(urllib.parse.parse_qsl(request.path.partition("?")[2]))["cid"]
            request.answer(200, {"found": self.made[name][cid]}) if self.made[name][cid] else request.answer(404, {})

        return answer

    def webhook(self, request: shops.Handler, body: bytes) -> None:
        digest = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(digest, request.headers.get("X-Hub-Signature-256", "")) or "webhook" in self.broken:
            return request.answer(401, {})
        message = json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]
        [cid] = CID.findall(message["text"]["body"])
        with self.lock:
            first = message["id"] not in self.events or "dedupe" in self.broken
            self.events.add(message["id"])
        if first:
            self.seen_by.append(message["from"])
            for name in ("messages", "replies", "orders"):
                if name not in self.broken:
                    self.made[name][cid] += 1
            if "panel" not in self.broken:
                self.shop.publish(f"order {cid}")
        return request.answer(200, {})

    def close(self, request: shops.Handler, body: bytes) -> None:
        if not request.who or "close" in self.broken:
            return request.answer(403, {})
        if "farewell" not in self.broken:
            self.made["closed"][json.loads(body)["cid"]] += 1
        return request.answer(200, {})

    def forget(self, request: shops.Handler, body: bytes) -> None:
        cid = dict(urllib.parse.parse_qsl(request.path.partition("?")[2]))["cid"]
        for name in self.made.values() if "forget" not in self.broken else ():
            name.pop(cid, None)
        request.answer(200, {})


#: Nothing that happens is late, however busy the machine; what never happens is not waited for as long.
PATIENT_S, IMPATIENT_S = 20.0, 0.6


def journey(within_s: float) -> dict[str, t.Any]:
    return {
        "inbound": {"send": {"whatsapp": "2 arepas {cid}"}, "see": {"http": "GET api:/messages?cid={cid}"}, "within_s": within_s},
        "reply": {"see": {"http": "GET api:/replies?cid={cid}"}, "within_s": within_s},
        "order": {"see": {"http": "GET api:/orders?cid={cid}"}, "within_s": within_s},
        "panel": {"see": {"sse": "admin:/api/events", "as": "owner", "contains": "{cid}"}, "within_s": within_s},
        "close": {
            "send": {"http": "POST admin:/close", "as": "owner", "json": {"cid": "{cid}"}},
            "see": {"http": "GET api:/closed?cid={cid}"},
            "within_s": within_s,
        },
        "clean": {"undo": "DELETE api:/forget?cid={cid}", "see": {"http": "GET api:/left", "contains": "golive-"}},
    }


@pytest.fixture
def kitchen(shop: shops.Shop, monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    for module in (journey_act, journey_rules):
        monkeypatch.setattr(module, "SETTLE_S", 0.2)
    return Kitchen(shop)


@pytest.fixture
def walk(options: dict[str, t.Any], kitchen: Kitchen) -> t.Callable[[], dict[str, str]]:
    """Walk the journey and return the worst of each stage."""
    options |= {
        "journey": journey(PATIENT_S),
        "tenants_flag": {"http": "GET api:/flag", "expect": {"json": {"/test": True}}},
        "providers": {"whatsapp": {"webhook": "api:/webhooks/whatsapp", "account": "100", "keys": {"signing": "api#KEY"}}},
    }

    def once() -> dict[str, str]:
        check = OrderJourney()
        found: dict[str, str] = {}
        for one in check.judge(check.observe(RunContext(options, SECRETS, "probe1", 60)), options):
            texts.texts()[one.code]["es"].format(**one.params)
            assert KEY not in str(one)
            stage = one.item.removeprefix("acceptance.e2e_")
            if found.get(stage, "pass").startswith("pass"):
                found[stage] = f"{one.status} {one.code.removeprefix('order_journey.')}"
        return found

    return once


Walk = t.Callable[[], dict[str, str]]
#: This shop can be asked by HTTP alone, and an answer counts nothing: what twenty copies made stays unknown.
UNWATCHED = "error race_unwatched"
WELL = {"inbound": UNWATCHED, "reply": "pass seen", "order": UNWATCHED, "panel": "pass seen", "close": "pass clean"}


def test_a_healthy_shop(walk: Walk, kitchen: Kitchen) -> None:
    assert walk() == WELL
    assert set(kitchen.seen_by) == {"570000000001"}
    assert not any(kitchen.made.values())


NOT_REACHED = "error not_reached"


@pytest.mark.parametrize(
    ("broken", "wanted"),
    [
        ("webhook", {"inbound": "fail not_accepted", "reply": NOT_REACHED, "order": NOT_REACHED, "panel": NOT_REACHED}),
        ("messages", {"inbound": "fail not_seen"}),
        ("replies", {"reply": "fail not_seen"}),
        ("orders", {"order": "fail not_seen"}),
        ("panel", {"panel": "fail not_seen"}),
        ("close", {"close": "fail close_refused"}),
        ("farewell", {"close": "fail not_seen"}),
        ("dedupe", {"panel": "fail seen_too_often"}),
        ("forget", {"close": "fail not_clean"}),
    ],
)
def test_what_is_broken_turns_its_own_stage(walk: Walk, kitchen: Kitchen, options: dict[str, t.Any], broken: str, wanted: dict[str, str]) -> None:
    kitchen.broken.add(broken)
    for stage in (stage for stage, word in wanted.items() if word == "fail not_seen"):
        options["journey"][stage]["within_s"] = IMPATIENT_S
    found = walk()
    wanted = {**WELL, **wanted}
    if broken == "webhook":
        wanted["close"] = found["close"]  # it is closed all the same: by its id, not by what was seen
    assert found == wanted


def test_nothing_is_sent_to_a_restaurant_that_is_not_flagged(walk: Walk, kitchen: Kitchen, shop: shops.Shop) -> None:
    kitchen.is_test = False
    assert walk() == dict.fromkeys(STAGES, "error not_a_test_tenant")
    assert {path for method, path, _headers, _body in shop.requests} == {"/flag"}


def test_a_flag_that_only_the_database_knows_is_not_believed_unasked(walk: Walk, options: dict[str, t.Any], shop: shops.Shop) -> None:
    options["tenants_flag"] = {"sql": "select 1 from tenants where slug = {tenant} and is_test"}
    assert walk() == dict.fromkeys(STAGES, "error flag_unknown")
    assert shop.requests == []


def test_an_observer_that_sees_anything_proves_nothing(walk: Walk, options: dict[str, t.Any]) -> None:
    options["journey"]["order"]["see"] = {"http": "GET api:/echo?{cid}"}  # it answers whatever the id
    options["journey"]["reply"]["see"] = {"http": "GET api:/flag"}  # it answers before anything is sent
    options["journey"]["panel"]["see"]["contains"] = "order golive-"  # and this one takes the other message's order for this one's
    assert walk() == {**WELL, "reply": "error sees_anything", "order": "error sees_anything", "panel": "fail seen_too_often"}


def test_what_only_a_database_shows_is_not_known_here(walk: Walk, options: dict[str, t.Any]) -> None:
    options["journey"]["order"]["see"] = {"sql": "select id as order from orders where cid = {cid}"}
    assert walk() == {**WELL, "order": "error nobody_looked"}


def test_a_login_that_fails_troubles_the_stages_that_need_it(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, "logins.owner.password", "wrong")
    assert walk() == {**WELL, "panel": "error request.login_refused", "close": "error request.login_refused"}


def test_a_channel_that_is_refused_after_logging_in_is_a_failure(walk: Walk, options: dict[str, t.Any], shop: shops.Shop) -> None:
    shop.hooks["GET", "/api/events"] = lambda request, body: request.answer(502, {})
    assert walk() == {**WELL, "panel": "fail observer.sse_refused"}


def calls(shop: shops.Shop, kitchen: Kitchen, *extra: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """A simulator's record: what was sent to the guest, and what was there before."""
    made = [
        {"n": 2 + number, "status": 200, "method": "POST", "path": "/1/messages", "body": json.dumps({"to": "570000000001", "text": {"body": f"ok {cid}"}})}
        for cid, count in kitchen.made["replies"].items()
        for number in range(count)
    ]
    return [*extra, *made]


OLD = {"n": 1, "status": 200, "method": "POST", "path": "/1/messages", "body": {"to": "570000000001", "template": {"name": "order_ready"}}}


def test_what_a_provider_was_asked_to_send(walk: Walk, options: dict[str, t.Any], shop: shops.Shop, kitchen: Kitchen, port: int) -> None:
    shop.hooks["GET", "/_golive/calls"] = lambda request, body: request.answer(200, calls(shop, kitchen, OLD))
    options["providers"]["whatsapp"]["api"] = f"https://localhost:{port}"
    options["journey"]["reply"]["see"] = {"provider": "whatsapp", "to": "{phone}", "contains": "{cid}"}
    options["journey"]["close"]["see"] = {"provider": "whatsapp", "to": "{phone}", "template": "order_ready"}
    options["journey"]["close"]["within_s"] = IMPATIENT_S
    assert walk() == {**WELL, "close": "fail not_seen"}  # the one in the record was there before


@pytest.mark.parametrize(
    ("status", "document", "wanted"),
    [(404, {}, "error observer.no_record"), (200, {"calls": []}, "error observer.no_record"), (200, [{}], "error observer.no_record")],
)
def test_a_vendor_keeps_no_record(walk: Walk, options: dict[str, t.Any], shop: shops.Shop, port: int, status: int, document: t.Any, wanted: str) -> None:
    shop.hooks["GET", "/_golive/calls"] = lambda request, body: request.answer(status, document)
    options["providers"]["whatsapp"]["api"] = f"https://localhost:{port}"
    options["journey"]["reply"]["see"] = {"provider": "whatsapp", "to": "{phone}", "contains": "{cid}"}
    assert walk() == {**WELL, "reply": wanted}
    del options["providers"]["whatsapp"]["api"]
    assert walk() == {**WELL, "reply": "error request.provider_without_record"}
