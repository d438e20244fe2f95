# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic at its edges, and what is said of each picture, without a server: a bucket on paper decides."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.security import rate_limit_rules as rules
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit import RateLimit
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_act import harmless
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_clients import apart, in_turn, other_login, same_interface
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_rules import Limit
from ansible_collections.resto.golive.plugins.module_utils._requests import parse
from ansible_collections.resto.golive.plugins.plugin_utils import texts

ROUTE: dict[str, t.Any] = {"rate": "10/m", "burst": 5, "key": "ip"}
LIMIT = Limit.of(ROUTE)
Event = dict[str, t.Any]


class Bucket:
    """GCRA, as anybody would write it (ITU-T I.371): another formula than the one that judges."""

    def __init__(self, per_s: float = 10 / 60, burst: int = 5) -> None:
        self._step = 1 / per_s
        self._tolerance = burst * self._step
        self._arrival = -1e9

    def lets_in(self, moment: float) -> bool:
        if moment < self._arrival - self._tolerance - 1e-9:
            return False
        self._arrival = max(moment, self._arrival) + self._step
        return True


def event(outcome: str, sent: float, took: float = 0.01, **more: t.Any) -> Event:
    status = {"accepted": 403, "refused": 429, "held": None, "odd": 500}[outcome]
    return {"sent": sent, "answered": sent + took, "status": status, "retry_after": "7" if outcome == "refused" else None, "outcome": outcome, **more}


def asked(bucket: Bucket, moments: t.Iterable[float], **more: t.Any) -> list[Event]:
    return [event("accepted" if bucket.lets_in(moment + 0.005) else "refused", moment, **more) for moment in moments]


def picture(first: Bucket | None = None, other: Bucket | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """Return what is seen of a limit of 10/m and 5, counted by address, whose clients' buckets are *first* and *other*."""
    one, two = first or Bucket(), other or Bucket()
    burst = asked(one, [0.0, *[0.1] * 6])
    spoofed = asked(one, [0.2])
    before = [*burst, *spoofed]
    seen: dict[str, t.Any] = {
        "route": ROUTE,
        "name": "POST admin:/login (ip)",
        "letting_in": [403],
        "timeout_s": 10.0,
        "burst": {"client": "192.0.2.1", "rested": True, "events": burst},
        "spoofed": [{"header": "X-Forwarded-For", "events": spoofed}],
        "second": {"missing": "", "rested": True, "clients": [{"name": "192.0.2.2", "events": asked(two, [0.3]), "before": before}]},
        "keyless": [],
        "recovery": {"unseen": False, "wait_s": 40.0, "drained": [], "events": asked(one, [6.2, 6.2])},
    }
    return {**seen, **changes}


def said(seen: dict[str, t.Any]) -> dict[str, str]:
    found = {}
    for assertion in rules.judge(seen):
        for language in texts.LANGUAGES:
            assert texts.texts()[assertion.code][language].format(**assertion.params)
        found[assertion.code.partition(".")[2]] = assertion.status
    return found


def wrong(seen: dict[str, t.Any]) -> dict[str, str]:
    return {code: status for code, status in said(seen).items() if status != "pass"}


def burst(*outcomes: str, **more: t.Any) -> dict[str, t.Any]:
    return {"client": "192.0.2.1", "rested": True, "events": [event(outcome, 0.0, **more) for outcome in outcomes]}


def test_a_right_limit() -> None:
    assert said(picture()) == dict.fromkeys(["burst_exact", "status_right", "retry_after_given", "not_spoofed", "isolated", "recovery_exact"], "pass")


@pytest.mark.parametrize(
    ("rate", "per_s", "slowest"), [("10/m", 10 / 60, 0.166), ("30/m", 0.5, 0.5), ("5/s", 5.0, 5.0), ("1/h", 1 / 3600, 1 / 3600), ("1/m", 1 / 60, 0.016)]
)
def test_rates_and_what_nginx_makes_of_them(rate: str, per_s: float, slowest: float) -> None:
    limit = Limit.of({"rate": rate})
    assert (limit.per_s, limit.slowest_per_s) == (per_s, slowest)
    assert (limit.burst, limit.size, limit.key, limit.status) == (0, 1, "ip", 429)


@pytest.mark.parametrize("rate", ["0/m", "fast", "10", "10/d", "", None, "-1/s"])
def test_a_rate_that_is_none(rate: t.Any) -> None:
    with pytest.raises(ValueError, match=f"^{rate}$"):
        Limit.of({"rate": rate})


@pytest.mark.parametrize(
    ("rate", "burst_", "first", "recovery"), [("10/m", 5, 7, 1), ("30/m", 10, 12, 1), ("1/s", 0, 3, 1), ("10/s", 5, 17, 5), ("10/s", 50, 62, 10)]
)
def test_how_many_are_sent(rate: str, burst_: int, first: int, recovery: int) -> None:
    limit = Limit.of({"rate": rate, "burst": burst_})
    assert (limit.first_count, limit.recovery) == (first, recovery)


@pytest.mark.parametrize(
    ("accepted", "refused", "took", "found"),
    [
        (6, 1, 0.1, {}),
        (7, 1, 0.1, {"burst_large": "fail"}),
        (5, 2, 0.1, {"burst_small": "fail"}),
        (0, 1, 0.1, {"burst_small": "fail"}),
        (7, 0, 0.1, {"unlimited": "fail"}),
        # Six seconds bring one more: seven are right then, and seven of seven prove nothing.
        (7, 1, 6.0, {}),
        (7, 1, 5.99, {"burst_large": "fail"}),
        (7, 0, 6.0, {"too_slow": "error"}),
        (7, 0, 5.99, {"unlimited": "fail"}),
        (8, 1, 6.0, {"burst_large": "fail"}),
    ],
)
def test_the_edge_of_the_burst(accepted: int, refused: int, took: float, found: dict[str, str]) -> None:
    seen = picture(burst=burst(*["accepted"] * accepted, *["refused"] * refused, took=took))
    assert {code: status for code, status in wrong(seen).items() if code in {"burst_large", "burst_small", "unlimited", "too_slow"}} == found


def test_a_short_burst_of_a_bucket_that_may_have_been_used_is_not_known() -> None:
    seen = picture(burst={**burst(*["accepted"] * 5, *["refused"] * 2), "rested": False})
    assert wrong(seen) == {"not_idle": "error"}


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        (["accepted"] * 6 + ["odd"], {"odd_answers": "error"}),
        (["accepted"] * 6 + ["refused", "odd"], {"odd_answers": "error"}),
        (["accepted"] * 6 + ["refused", "held"], {"held": "fail"}),
        (["accepted"] * 6 + ["held"], {"no_answer": "error"}),
    ],
)
def test_what_says_nothing_about_the_limiter(outcomes: list[str], found: dict[str, str]) -> None:
    assert wrong(picture(burst=burst(*outcomes))) == found


@pytest.mark.parametrize(
    ("status", "body", "declared", "letting_in", "outcome"),
    [
        (429, "", 429, {403}, "refused"),
        (429, "", 503, {403}, "refused"),
        (503, "<center>nginx/1.22.1</center>", 429, {403}, "refused"),
        (503, '{"error": "unavailable"}', 429, {403}, "odd"),
        (503, '{"error": "unavailable"}', 503, {403}, "refused"),
        (403, "", 429, {403}, "accepted"),
        (404, "", 429, {403}, "odd"),
        (500, "", 429, {403}, "odd"),
        (502, "<center>nginx/1.22.1</center>", 429, {403}, "odd"),
        (200, "", 429, {403}, "odd"),
        (403, "", 429, set(), "odd"),
        (None, "", 429, {403}, "held"),
    ],
)
def test_what_an_answer_says(status: int | None, body: str, declared: int, letting_in: set[int], outcome: str) -> None:
    assert rules.outcome(status, body, Limit.of({**ROUTE, "status": declared}), letting_in) == outcome


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"status": 503}, {"status_default": "fail"}),
        ({"status": 420}, {"status_other": "fail"}),
        ({"retry_after": None}, {"retry_after_missing": "fail"}),
        ({"retry_after": ""}, {"retry_after_missing": "fail"}),
        ({"retry_after": "soon"}, {"retry_after_missing": "fail"}),
        ({"retry_after": "-1"}, {"retry_after_missing": "fail"}),
        ({"retry_after": "1"}, {"retry_after_short": "warn"}),
        ({"retry_after": "4"}, {"retry_after_short": "warn"}),
        ({"retry_after": "5"}, {}),
        ({"retry_after": "Fri, 31 Dec 2027 23:59:59 GMT"}, {}),
    ],
)
def test_how_it_refuses(changes: dict[str, t.Any], found: dict[str, str]) -> None:
    seen = picture()
    for one in seen["burst"]["events"]:
        if one["outcome"] == "refused":
            one |= changes
    assert wrong(seen) == found


def test_one_refusal_without_retry_after_is_enough() -> None:
    seen = picture()
    seen["burst"]["events"].append(event("refused", 0.1, retry_after=None))
    assert wrong(seen) == {"retry_after_missing": "fail"}


def test_a_made_up_address_that_helps_is_named() -> None:
    names = ["X-Forwarded-For, X-Real-IP", "X-Forwarded-For", "X-Real-IP"]
    outcomes = ["accepted", "refused", "accepted"]
    tried = [{"header": name, "events": [event(outcome, 0.2)]} for name, outcome in zip(names, outcomes, strict=True)]
    [spoofed] = [one for one in rules.judge(picture(spoofed=tried)) if one.status != "pass"]
    assert (spoofed.code, spoofed.params["headers"]) == ("rate_limit.spoofed", "X-Real-IP")


def test_a_made_up_address_that_came_when_one_was_due_proves_nothing() -> None:
    assert wrong(picture(spoofed=[{"header": "X-Forwarded-For", "events": [event("accepted", 6.1)]}], recovery=picture()["recovery"]))["too_slow"] == "error"


def test_one_bucket_for_all() -> None:
    shared = Bucket()
    assert wrong(picture(shared, shared)) == {"shared": "fail"}


def test_another_client_that_may_have_been_busy_is_not_known() -> None:
    shared = Bucket()
    seen = picture(shared, shared)
    seen["second"]["rested"] = False
    assert wrong(seen) == {"second_busy": "error"}


@pytest.mark.parametrize("missing", ["one_address", "one_login"])
def test_without_a_second_client(missing: str) -> None:
    assert wrong(picture(second={"missing": missing, "rested": False, "clients": []})) == {missing: "error"}


def test_a_second_client_that_fails() -> None:
    seen = picture()
    seen["second"]["clients"][0]["events"] = [event("odd", 0.3)]
    assert wrong(seen) == {"second_odd": "error"}


@pytest.mark.parametrize(
    ("accepted", "refused", "found"), [(6, 1, {}), (5, 2, {}), (0, 7, {}), (7, 0, {"keyless_unlimited": "fail"}), (7, 1, {"keyless_unlimited": "fail"})]
)
def test_without_what_is_counted_by(accepted: int, refused: int, found: dict[str, str]) -> None:
    assert wrong(picture(keyless=burst(*["accepted"] * accepted, *["refused"] * refused)["events"])) == found


@pytest.mark.parametrize(
    ("per_s", "found"),
    [
        (10 / 60, {}),
        (0.166, {}),
        (0.2, {}),
        (0.15, {"recovery_slow": "fail"}),
        (0.34, {"recovery_fast": "fail"}),
        (0.5, {"recovery_fast": "fail"}),
    ],
)
def test_another_rate_is_seen_by_how_it_recovers(per_s: float, found: dict[str, str]) -> None:
    assert wrong(picture(Bucket(per_s))) == found


def test_what_was_drained_for_the_second_client_is_not_there_to_recover() -> None:
    bucket = Bucket(0.5)
    seen = picture(Bucket(0.5), route={"rate": "30/m", "burst": 5, "key": "ip"})
    asked(bucket, [0.0, *[0.1] * 6, 0.2])
    drained = asked(bucket, [3.0, 3.0])
    seen["recovery"] |= {"drained": drained, "events": asked(bucket, [5.1, 5.1])}
    seen["second"]["clients"][0] |= {"before": [*seen["second"]["clients"][0]["before"], *drained], "events": [event("accepted", 3.1)]}
    assert wrong(seen) == {}


def test_a_counter_in_windows_is_no_such_limit() -> None:
    seen = picture()
    seen["recovery"]["events"] = [event("refused", 6.2), event("refused", 6.2)]
    assert wrong(seen) == {"recovery_slow": "fail"}


def test_a_recovery_that_nobody_waited_for() -> None:
    assert wrong(picture(recovery={"unseen": True, "wait_s": 1.0, "events": [], "drained": []})) == {"recovery_unseen": "error"}


def test_guests_that_wait_are_a_warning() -> None:
    events = [event("accepted", 0.0, took=0.01 + 6.0 * number) for number in range(6)] + [event("refused", 0.0)]
    assert wrong(picture(burst={"client": "", "rested": True, "events": events}))["delayed"] == "warn"


def test_the_bounds_hold_for_any_bucket_and_any_moment() -> None:
    """Whatever the true moments were, a right bucket is never outside of what is granted, and one that gives two more always is."""
    dice = random.Random(7)
    for _turn in range(2000):
        limit = Limit.of({"rate": dice.choice(["10/m", "30/m", "2/s", "20/s"]), "burst": dice.randrange(8)})
        bucket, clock, events = Bucket(limit.per_s, limit.burst), 0.0, []
        for _request in range(dice.randrange(5, 40)):
            clock += dice.choice([0.0, 0.0, 0.01, dice.random()])
            late, later = dice.random() * 0.05, dice.random() * 0.05
            events.append({"sent": clock - late, "answered": clock + later, "outcome": "accepted" if bucket.lets_in(clock) else "refused"})
        told = rules.Told.of(events)
        assert told.accepted <= told.most(limit)
        cut = dice.randrange(1, len(events))
        after = events[cut:]
        assert rules.Told.of(after).accepted <= rules.most_after(limit, events[:cut], after)


CALLED = {"order": {"http": "POST api:/v1/orders", "as": "owner", "json": {"items": [1]}, "save": {"order": "/id"}, "undo": "close"}, "menu": "GET api:/menu"}


def test_what_may_change_something_loses_its_content() -> None:
    sent = harmless(parse("order", CALLED, "x"))
    assert (sent.body, sent.save, sent.method, sent.login) == (("json", {}), {}, "POST", "owner")
    assert harmless(parse("menu", CALLED, "x")) == parse("menu", CALLED, "x")
    assert harmless(parse("POST admin:/login", CALLED, "x")).body is None


def test_what_is_declared_to_be_turned_down_keeps_it() -> None:
    declared = {"request": "order", "json": {"items": []}, "expect": {"status": 422}}
    assert harmless(parse(declared, CALLED, "x")).body == ("json", {"items": []})


def test_routes_are_called_by_their_line_and_key() -> None:
    routes = [{"request": "order", "rate": "30/m", "key": "login"}, {"request": "POST admin:/login", "rate": "10/m"}, {"request": "gone", "rate": "1/s"}]
    names = [name for _kind, name in RateLimit.targets({"routes": routes, "requests": CALLED})]
    assert names == ["POST api:/v1/orders (login)", "POST admin:/login (ip)", "gone (ip)"]


def test_only_the_secrets_of_who_sends_travel() -> None:
    logins = {"owner": {}, "employee": {}, "other": {}}
    by_login = {"routes": [{"request": "order", "key": "login"}], "requests": CALLED, "logins": logins}
    assert {place.split(".")[1] for place in RateLimit.secrets_needed(by_login) or ()} == {"owner", "employee"}
    assert RateLimit.secrets_needed({"routes": [{"request": "POST admin:/login"}], "requests": CALLED, "logins": logins}) == set()
    assert other_login({"logins": {"owner": {}}}, "owner") == "owner"


def test_addresses_take_turns_and_have_time_to_be_idle() -> None:
    found = ["usual", "a", "b", "c"]
    turn_s = LIMIT.refill_s / 2
    firsts = [in_turn(found, LIMIT, 1000 * LIMIT.refill_s + (number + 0.5) * turn_s)[0] for number in range(6)]
    assert sorted(firsts[:3]) == ["a", "b", "c"]
    assert firsts[3:] == firsts[:3]
    assert in_turn(found, LIMIT, 0.0)[-1] == "usual"
    assert in_turn(["usual"], LIMIT, 5.0) == ["usual"]
    assert sorted(in_turn(["usual", "a"], LIMIT, 5.0)) == ["a", "usual"]


@pytest.mark.parametrize(
    ("source", "target", "tells"),
    [
        ("10.89.7.21", "10.89.7.11", True),
        ("10.89.7.21", "1.1.1.1", False),
        ("9.9.9.9", "1.1.1.1", True),
        ("2a00::1", "1.1.1.1", False),
        ("2a00::1", "2a00::2", True),
        ("fd00::1", "2a00::2", False),
    ],
)
def test_only_addresses_that_arrive_as_they_are_tell_clients_apart(source: str, target: str, tells: bool) -> None:
    assert apart(source, target) is tells


def test_addresses_of_the_interface_that_leads_there() -> None:
    listed = [
        {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
        {"ifname": "eth0", "addr_info": [{"local": "10.0.0.2"}, {}, {"local": "10.0.0.3"}, {"local": "2a00::1"}, {"local": "2a00::9", "deprecated": True}]},
    ]
    assert same_interface(listed, "10.0.0.2") == ["10.0.0.3", "2a00::1"]
    assert same_interface(listed, "192.0.2.1") == []


def test_a_rate_that_cannot_be_read_is_an_error_of_the_row() -> None:
    class Ctx:
        options: t.ClassVar = {"routes": [{"request": "GET api:/menu", "rate": "fast"}], "requests": {}}
        target = "GET api:/menu (ip)"

    with pytest.raises(CannotKnow) as caught:
        RateLimit().observe(t.cast("t.Any", Ctx()))
    assert caught.value.code == "rate_limit.rate_malformed"
