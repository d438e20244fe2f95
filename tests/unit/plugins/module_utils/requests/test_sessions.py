# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests sent to a real server over TLS: logins, CSRF, tokens, deadlines, and everything that can stand in the way."""

from __future__ import annotations

import pathlib
import socket
import threading
import time
import typing as t

import pytest
import shop as shops

from ansible_collections.resto.golive.plugins.module_utils import _requests
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._http import Client, NoAnswer
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions, Unexpected, totp
from ansible_collections.resto.golive.plugins.plugin_utils import texts

Options = dict[str, t.Any]


def test_a_login_happens_once_however_many_ask(options: Options, shop: shops.Shop) -> None:
    sessions = Sessions(options, shops.SECRETS)
    close = sessions.parse("close", "x")
    threads = [threading.Thread(target=sessions.send, args=(close, {"order": 7})) for _turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shop.logins == 1
    assert sum(path == "/api/orders/7/close" for _method, path, _headers, _body in shop.requests) == 8


def test_a_token_realm_sends_a_bearer_and_saves(options: Options) -> None:
    sessions = Sessions(options, shops.SECRETS)
    answer, saved = sessions.send(sessions.parse("order", "x"), {"cid": "golive-1"})
    assert (answer.status, saved, answer.json()["note"]) == (201, {"order": 7}, "golive-1")


@pytest.mark.parametrize(
    "csrf", [{"from": "meta:csrf-token", "to": "header:X-CSRF-Token"}, {"from": "field:_csrf", "to": "header:X-CSRF-Token"}], ids=["meta", "field"]
)
def test_the_csrf_token_of_a_page(options: Options, csrf: dict[str, str]) -> None:
    options["realms"]["admin"]["csrf"] = csrf
    sessions = Sessions(options, shops.SECRETS)
    assert sessions.send(sessions.parse("close", "x"), {"order": 7})[0].status == 200


def test_a_login_of_ones_own_is_another_session(options: Options, shop: shops.Shop) -> None:
    sessions = Sessions(options, shops.SECRETS)
    first, second = sessions.login("owner", "admin"), sessions.fresh_login("owner", "admin")
    assert shop.logins == 2
    assert {cookie.value for cookie in first.client.cookies} != {cookie.value for cookie in second.client.cookies}


def told(problem: CannotKnow) -> str:
    assert texts.texts()[problem.code]["es"].format(**problem.params)
    return problem.code


@pytest.mark.parametrize(
    ("change", "secrets", "code"),
    [
        ({}, {}, "request.password_missing"),
        ({}, {"logins.owner.password": "wrong"}, "request.login_refused"),
        ({"me": "GET admin:/nowhere"}, shops.SECRETS, "request.login_unproven"),
        ({"csrf": {"from": "cookie:other", "to": "header:X-CSRF-Token"}}, shops.SECRETS, "request.csrf_missing"),
        ({"csrf": {"from": "meta:other", "to": "header:X-CSRF-Token"}}, shops.SECRETS, "request.csrf_missing"),
        ({"lgout": "POST admin:/logout"}, shops.SECRETS, "request.unknown_key"),
    ],
    ids=["no password", "wrong password", "me denies", "no cookie", "no meta", "unknown key"],
)
def test_a_login_that_fails_says_why(options: Options, change: Options, secrets: dict[str, str], code: str) -> None:
    options["realms"]["admin"].update(change)
    sessions = Sessions(options, secrets)
    with pytest.raises(CannotKnow) as problem:
        sessions.send(sessions.parse("close", "x"), {"order": 7})
    assert told(problem.value) == code
    assert "wrong" not in str(problem.value.params)


def test_a_token_that_does_not_come(options: Options) -> None:
    options["realms"]["api"]["token"] = "/jwt"
    sessions = Sessions(options, shops.SECRETS)
    with pytest.raises(CannotKnow) as problem:
        sessions.send(sessions.parse("order", "x"), {"cid": "golive-1"})
    assert told(problem.value) == "request.login_gave_nothing"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"http": "GET apii:/menu"}, "request.not_an_address"),
        ({"http": "GET http://localhost/"}, "request.not_an_address"),
        ({"http": "GET admin:/", "as": "onwer"}, "request.unknown_login"),
        ({"http": "GET https://localhost/", "as": "owner"}, "request.no_realm"),
    ],
    ids=str,
)
def test_what_nobody_declared_is_an_error_before_anything_is_sent(options: Options, shop: shops.Shop, value: t.Any, code: str) -> None:
    with pytest.raises(CannotKnow) as problem:
        Sessions(options, shops.SECRETS).parse(value, "x")
    assert told(problem.value) == code
    assert shop.requests == []


def test_an_answer_that_was_not_expected(options: Options) -> None:
    sessions = Sessions(options, shops.SECRETS)
    with pytest.raises(Unexpected) as problem:
        sessions.send(sessions.parse({"http": "GET api:/echo", "save": {"order": "/id"}}, "x"), {})
    assert [miss.what for miss in problem.value.misses] == ["save /id"]
    assert told(problem.value) == "request.unexpected"


def test_a_server_that_drips_has_the_same_deadline(options: Options, port: int) -> None:
    begun = time.monotonic()
    with pytest.raises(NoAnswer) as problem:
        Client(options["ca_bundle"]).send("GET", f"https://localhost:{port}/drip", timeout_s=0.5)
    assert told(problem.value) == "request.timeout"
    assert problem.value.status == "unreachable"
    assert time.monotonic() - begun < 3


def silent() -> t.Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_says_nothing_has_it_too(options: Options) -> None:
    for port in silent():
        with pytest.raises(NoAnswer) as problem:
            Client(options["ca_bundle"]).send("GET", f"https://localhost:{port}/", timeout_s=0.3)
        assert told(problem.value) == "request.timeout"


def test_nothing_listens(options: Options) -> None:
    with pytest.raises(NoAnswer) as problem:
        Client(options["ca_bundle"]).send("GET", "https://localhost:1/")
    assert told(problem.value) == "request.refused"


def test_a_certificate_that_is_not_trusted(port: int) -> None:
    with pytest.raises(NoAnswer) as problem:
        Client().send("GET", f"https://localhost:{port}/echo")
    assert told(problem.value) == "request.certificate"


@pytest.mark.parametrize(("number", "code"), [(socket.EAI_NONAME, "request.no_such_name"), (socket.EAI_AGAIN, "request.resolver")])
def test_no_such_name(options: Options, monkeypatch: pytest.MonkeyPatch, number: int, code: str) -> None:
    def asked(*_words: object, **_more: object) -> t.NoReturn:
        raise socket.gaierror(number, "as the resolver says it")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    with pytest.raises(NoAnswer) as problem:
        Client(options["ca_bundle"]).send("GET", "https://nowhere.invalid/")
    assert told(problem.value) == code


def test_a_header_that_cannot_be_sent_does_not_show_it(options: Options, port: int) -> None:
    with pytest.raises(NoAnswer) as problem:
        Client(options["ca_bundle"]).send("GET", f"https://localhost:{port}/echo", headers={"Authorization": "Bearer a\nb-secret"})
    assert told(problem.value) == "request.malformed"
    assert "secret" not in str(problem.value.params)


def test_a_bundle_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CannotKnow) as problem:
        Client(str(tmp_path / "none.pem"))
    assert told(problem.value) == "request.ca_bundle"


def test_redirects_are_answers(options: Options, port: int, shop: shops.Shop) -> None:
    shop.hooks["GET", "/gone"] = lambda request, body: request.answer(302, b"", Location="/echo")
    assert Client(options["ca_bundle"]).send("GET", f"https://localhost:{port}/gone").status == 302


def test_totp_is_that_of_the_rfc() -> None:
    # RFC 6238, appendix B, SHA-1, the last six of the eight digits
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [totp(seed, at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def test_a_request_is_whole_before_it_is_sent() -> None:
    assert _requests.parse({"http": "POST api:/x/{order}", "json": {"a": "{cid}"}}, {}, "x").words == {"order", "cid"}
