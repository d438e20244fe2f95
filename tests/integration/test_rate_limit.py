# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``security.rate_limit`` against a real nginx on loopback, with right and wrong limits; nginx' own log counts along."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import pathlib
import tempfile
import threading
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Outcome, run_target
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit import RateLimit
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_clients import Caller, Callers
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext, Snapshots
from ansible_collections.resto.golive.plugins.module_utils._options import validated
from ansible_collections.resto.golive.plugins.plugin_utils import texts

from . import nginx_server
from .nginx_server import Nginx

ZONE = "limit_req_zone {key} zone=login:1m rate={rate};"
RETRY = 'map $limit_req_status $wait { default ""; REJECTED 1; }'
LIMITED = "limit_req zone=login burst=3 nodelay; limit_req_status 429; add_header Retry-After $wait always;"
PROXY = "proxy_pass http://unix:{folder}/app.sock:;"
#: One a second, and four at once: a quick test of what 10/m would take minutes for.
ROUTE = {"request": "POST admin:/login", "rate": "60/m", "burst": 3, "key": "ip"}
SOURCES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return nginx_server.certificate(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def shop(
    pem: pathlib.Path,
    *,
    key: str = "$binary_remote_addr",
    rate: str = "60r/m",
    maps: str = "",
    http: str = "",
    limits: str = LIMITED,
    app: str = "return 403;",
    answer: str = "",
) -> t.Iterator[Nginx]:
    # Short, because a socket's path may have 107 letters.
    with tempfile.TemporaryDirectory(prefix="rl") as made:
        folder = pathlib.Path(made)
        folder.chmod(0o755)  # nginx' workers are another user
        proxy = answer or PROXY.format(folder=folder)
        server = f"{http} location / {{ {limits} {proxy} }}"
        with nginx_server.serving(folder, pem, http=RETRY + maps + ZONE.format(key=key, rate=rate), server=server, app=app) as running:
            yield running


def looked(nginx: Nginx, pem: pathlib.Path, route: dict[str, t.Any] | None = None, beside: Snapshots | None = None, **options: t.Any) -> Outcome:
    """Return what the check says of the one route; *beside* is shared with the routes that are looked at meanwhile."""
    declared = {"routes": [{**ROUTE, **(route or {})}], "domains": {"admin": f"localhost:{nginx.port}"}, "ca_bundle": str(pem), "sources": SOURCES, **options}
    ctx = RunContext(validated(RateLimit, declared), {}, RateLimit.targets(declared)[0][1], 60.0, beside)
    return run_target(RateLimit(), ctx)


def said(outcome: Outcome) -> dict[str, str]:
    """Return the status of each code, and see that each has its words."""
    assertions = outcome.assertions["security.rate_limit"]
    for assertion in assertions:
        for language in texts.LANGUAGES:
            assert texts.texts()[assertion.code][language].format(**assertion.params)
    return {assertion.code.partition(".")[2]: assertion.status for assertion in assertions}


def wrong(outcome: Outcome) -> dict[str, str]:
    return {code: status for code, status in said(outcome).items() if status != "pass"}


HEALTHY = {"burst_exact", "status_right", "retry_after_given", "not_spoofed", "isolated", "recovery_exact"}


@pytest.mark.parametrize(
    ("rate", "burst"), [("60/m", 3), ("60/m", 0), ("5/s", 5), ("20/s", 10), ("50/s", 40)], ids=["slow", "no-burst", "five", "twenty", "fifty"]
)
def test_a_right_limit_passes_and_nginx_counts_the_same(pem: pathlib.Path, rate: str, burst: int) -> None:
    limits = LIMITED.replace("burst=3", f"burst={burst}" if burst else "")
    with shop(pem, rate=rate.replace("/", "r/"), limits=limits) as nginx:
        outcome = looked(nginx, pem, {"rate": rate, "burst": burst})
        assert said(outcome) == dict.fromkeys(HEALTHY, "pass")
        decisions = nginx.decisions()
    decided, sent = collections.Counter(decision for _client, decision, _status in decisions), len(decisions)
    exact = next(one for one in outcome.assertions["security.rate_limit"] if one.code == "rate_limit.burst_exact")
    assert exact.params["accepted"] >= burst + 1
    assert decided["PASSED"] >= exact.params["accepted"] + 2
    assert decided["PASSED"] + decided["REJECTED"] == sent
    per_s = int(rate.partition("/")[0]) / (60 if rate.endswith("m") else 1)
    # What the page promises: four bursts at most, each one more than the bucket and what comes while it is asked.
    assert sent <= 4 * (burst + 2 + per_s)


def test_ten_a_minute_takes_eleven_requests(pem: pathlib.Path) -> None:
    with shop(pem, rate="10r/m", limits=LIMITED.replace("burst=3", "burst=5").replace("$wait", "6")) as nginx:
        outcome, decided = looked(nginx, pem, {"rate": "10/m", "burst": 5}), nginx.decisions()
    assert said(outcome) == dict.fromkeys(HEALTHY, "pass")
    first = [decision for client, decision, _status in decided if client == decided[0][0]]
    # The edge at six, one that is spoofed; one more after six seconds, and not two.
    assert collections.Counter(first) == {"PASSED": 7, "REJECTED": 3}
    assert [decision for client, decision, _status in decided if client != decided[0][0]] == ["PASSED"]


def test_while_it_waits_a_route_that_is_counted_by_something_else_can_act(pem: pathlib.Path) -> None:
    beside = Snapshots()
    acting: threading.Lock = beside.get("rate_limit acting", threading.Lock)
    # One in three seconds: time enough to act in between.
    with shop(pem, rate="20r/m", limits=LIMITED.replace("$wait", "3")) as nginx, concurrent.futures.ThreadPoolExecutor() as pool:
        outcome = pool.submit(looked, nginx, pem, {"rate": "20/m"}, beside)
        while not acting.locked() and not outcome.done():
            time.sleep(0.001)
        with acting:
            before = nginx.decisions()
            time.sleep(0.2)
            assert nginx.decisions() == before, "two act at once"
        assert len(before) >= ROUTE["burst"] + 2, "it waits before it has found the edge"
        assert said(outcome.result()) == dict.fromkeys(HEALTHY, "pass")
        assert len(nginx.decisions()) > len(before)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"answer": "return 403;"}, {"unlimited": "fail"}),
        ({"limits": ""}, {"unlimited": "fail"}),
        ({"limits": LIMITED + "limit_req_dry_run on;"}, {"unlimited": "fail"}),
        ({"limits": LIMITED.replace("limit_req_status 429;", "")}, {"status_default": "fail"}),
        ({"limits": LIMITED.replace("429", "420")}, {"odd_answers": "error"}),
        ({"limits": LIMITED.replace(" always", "")}, {"retry_after_missing": "fail"}),
        ({"limits": LIMITED.replace("$wait", "soon")}, {"retry_after_missing": "fail"}),
        ({"limits": LIMITED.replace("burst=3", "burst=30")}, {"unlimited": "fail"}),
        ({"limits": LIMITED.replace("burst=3", "burst=4")}, {"burst_large": "fail"}),
        ({"limits": LIMITED.replace("burst=3", "burst=2")}, {"burst_small": "fail"}),
        ({"rate": "40r/m", "declared": "20/m", "limits": LIMITED.replace("$wait", "3")}, {"recovery_fast": "fail"}),
        ({"rate": "20r/m"}, {"recovery_slow": "fail"}),
        ({"key": "$request_method"}, {"shared": "fail"}),
        ({"http": "set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP;"}, {"spoofed": "fail"}),
        ({"http": "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;"}, {"spoofed": "fail"}),
        ({"limits": LIMITED.replace(" nodelay", "")}, {"delayed": "warn"}),
    ],
    ids=["beside-return", "none", "dry-run", "default-503", "status-420", "no-retry-after", "odd-retry-after", "burst-30", "burst-4", "burst-2", "fast", "slow",
         "one-zone-for-all", "x-real-ip", "x-forwarded-for", "delayed"],
)  # fmt: skip
def test_a_wrong_limit_is_found_by_its_name(pem: pathlib.Path, changes: dict[str, str], found: dict[str, str]) -> None:
    declared = {"rate": changes.get("declared", ROUTE["rate"])}
    with shop(pem, **{name: value for name, value in changes.items() if name != "declared"}) as nginx:
        outcome = looked(nginx, pem, declared)
    assert wrong(outcome) == found


def test_the_spoofed_header_is_named(pem: pathlib.Path) -> None:
    with shop(pem, http="set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP;") as nginx:
        outcome = looked(nginx, pem)
    assert outcome.assertions["security.rate_limit"][0].params["headers"] == "X-Real-IP"


@pytest.mark.parametrize(
    ("app", "status", "code"),
    [
        ("return 500;", "error", "app_failing"),
        ("return 404;", "error", "wrong_route"),
        ("return 200;", "error", "would_change"),
        ("return 303 /orders;", "error", "would_change"),
        ("return 418;", "error", "control_odd"),
        ("return 444;", "error", "odd_answers"),
    ],
)
def test_an_application_that_answers_oddly_is_neither_limited_nor_unlimited(pem: pathlib.Path, app: str, status: str, code: str) -> None:
    with shop(pem, app=app) as nginx:
        assert wrong(looked(nginx, pem)) == {("app_failing" if app == "return 444;" else code): status}


def test_an_application_that_fails_under_the_burst_is_not_a_limit(pem: pathlib.Path) -> None:
    # It answers 500 to whoever comes second within its own, much smaller limit.
    app = "limit_req zone=app burst=1 nodelay; limit_req_status 500; location / { try_files /none =403; }"
    with shop(pem, app=app, maps="limit_req_zone $request_method zone=app:1m rate=1r/m;") as nginx:
        assert wrong(looked(nginx, pem)) == {"odd_answers": "error"}


def test_a_bucket_that_was_used_is_given_up_for_another_address(pem: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    first = Callers.first

    def noted(self: Callers, attempt: int) -> Caller:
        caller = first(self, attempt)
        tried.append(caller.name)
        return caller

    monkeypatch.setattr(Callers, "first", noted)
    with shop(pem, rate="10r/m", limits=LIMITED.replace("$wait", "6")) as nginx:
        spent = looked(nginx, pem, {"rate": "10/m"}, wait_s=0.0)
        assert wrong(spent) == {"recovery_unseen": "error"}
        # The other one is the one that was used up: that it is refused says nothing of the limit.
        again = wrong(looked(nginx, pem, {"rate": "10/m"}, sources=[tried[0], "127.0.0.9"], wait_s=0.0))
        assert again == {"recovery_unseen": "error", "second_busy": "error"}
        # Nobody else to try, and no time to wait: not known, and not a failure of the limit.
        assert wrong(looked(nginx, pem, {"rate": "10/m"}, sources=[tried[0]], wait_s=1.0)) == {"not_idle": "error"}
    assert "127.0.0.9" in tried


def test_a_bucket_that_was_used_is_waited_for(pem: pathlib.Path) -> None:
    with shop(pem) as nginx:
        assert wrong(looked(nginx, pem, sources=["127.0.0.1", "127.0.0.2"])) == {}
        begun = time.monotonic()
        assert wrong(looked(nginx, pem, sources=["127.0.0.1", "127.0.0.2"])) == {}
        assert time.monotonic() - begun < 9


def test_one_address_cannot_tell_whether_another_is_let_in(pem: pathlib.Path) -> None:
    with shop(pem) as nginx:
        assert wrong(looked(nginx, pem, sources=["127.0.0.1"])) == {"one_address": "error"}


HEADER = {"key": "header:X-Device"}
WHOLE = "map $http_x_device $device { default $http_x_device; '' $binary_remote_addr; }"


def test_a_limit_by_header_counts_who_has_none_too(pem: pathlib.Path) -> None:
    with shop(pem, key="$device", maps=WHOLE) as nginx:
        assert said(looked(nginx, pem, HEADER)) == dict.fromkeys({*HEALTHY, "keyless_limited"}, "pass")


def test_an_empty_key_is_never_limited_by_nginx(pem: pathlib.Path) -> None:
    with shop(pem, key="$http_x_device") as nginx:
        assert wrong(looked(nginx, pem, HEADER)) == {"keyless_unlimited": "fail"}


def test_a_route_that_reads_is_sent_as_it_is(pem: pathlib.Path) -> None:
    with shop(pem, app="return 200 menu;") as nginx:
        assert wrong(looked(nginx, pem, {"request": "GET admin:/menu"})) == {}


def test_more_than_can_be_sent_at_once_is_not_tried(pem: pathlib.Path) -> None:
    with shop(pem) as nginx:
        assert wrong(looked(nginx, pem, {"rate": "1000/s"})) == {"too_many": "error"}
        assert nginx.decisions() == []


def test_a_server_that_is_not_there(pem: pathlib.Path) -> None:
    with shop(pem) as nginx:
        port = nginx.port
    outcome = looked(Nginx(pathlib.Path("/"), port), pem)
    assert [one.code for one in outcome.assertions["security.rate_limit"]] == ["request.refused"]
