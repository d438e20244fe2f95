# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's requests, logins, hours and queries against comanda as the lab runs it. Needs the lab (`make lab`).

A second opinion: the files are read and their words filled in here, by nothing of the collection's.
"""

from __future__ import annotations

import http.cookies
import json
import re
import ssl
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import testinfra
import yaml

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab"
EDGE, STORE = "10.89.7.11", "https://10.89.7.15:8200/v1/comanda/data"
COMMON = yaml.safe_load((ROOT / "inventories/common/10_system.yml").read_text(encoding="utf-8"))
STAGING = yaml.safe_load((ROOT / "inventories/staging/group_vars/all/50_staging.yml").read_text(encoding="utf-8"))
POSTGRES = yaml.safe_load((ROOT / "inventories/staging/group_vars/postgres.yml").read_text(encoding="utf-8"))
REQUESTS, LOGINS, REALMS = COMMON["golive_requests"], COMMON["golive_logins"], COMMON["golive_realms"]
WORD = re.compile(r"\{(\w+)\}")


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """The value with its words in braces filled in."""
    if isinstance(value, str):
        return WORD.sub(lambda found: words[found[1]], value)
    if isinstance(value, dict):
        return {name: filled(one, words) for name, one in value.items()}
    return [filled(one, words) for one in value] if isinstance(value, list) else value


def secret(name: str) -> str:
    path, _separator, key = name.partition("#")
    request = urllib.request.Request(f"{STORE}/{path}", headers={"X-Vault-Token": (LAB / "openbao_token").read_text(encoding="utf-8").strip()})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=LAB / "tls" / "ca.pem"), timeout=10) as answer:
        return str(json.load(answer)["data"]["data"][key])


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def at(self, pointer: str) -> Any:
        found = json.loads(self.body)
        for key in pointer.strip("/").split("/"):
            found = found[key]
        return found


def send(where: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """`METHOD domain:/path`. The lab's certificate may be bare: trust is the business of environment.tls, not ours."""
    method, _separator, url = where.partition(" ")
    domain, _separator, path = url.partition(":")
    connection = HTTPSConnection(EDGE, timeout=15, context=ssl._create_unverified_context())
    connection.request(method, quote(path, safe="/?=&:%+"), body or None, {"Host": STAGING["golive_domains"][domain], **headers})
    answer = connection.getresponse()
    found = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return found


class Visitor:
    """Somebody who is logged in, in both realms, as these say."""

    def __init__(self, name: str) -> None:
        login = LOGINS[name]
        words = {"user": login["user"], "password": secret(login["password"])}
        realm = REALMS["api"]
        answer = send(realm["send"]["http"], {"Content-Type": "application/json"}, json.dumps(filled(realm["send"]["json"], words)).encode())
        self.headers = {"api": {"Authorization": f"Bearer {answer.at(realm['token'])}"}}
        self.refresh_token = answer.at("/refresh_token")
        realm = REALMS["admin"]
        kind, _separator, cookie = realm["csrf"]["from"].partition(":")
        assert kind == "cookie"
        header = realm["csrf"]["to"].partition(":")[2]
        jar = self._cookies(send(realm["send"]["http"].replace("POST", "GET"), {}))
        form = urlencode(filled(realm["send"]["form"], words)).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._line(jar), header: jar[cookie]}
        jar |= self._cookies(send(realm["send"]["http"], sent, form))
        self.headers["admin"] = {"Cookie": self._line(jar), header: jar[cookie]}

    @staticmethod
    def _cookies(answer: Answer) -> dict[str, str]:
        jar: dict[str, str] = {}
        for line in answer.headers.get_all("Set-Cookie") or []:
            jar |= {name: one.value for name, one in http.cookies.SimpleCookie(line).items() if one.value}
        return jar

    @staticmethod
    def _line(jar: Mapping[str, str]) -> str:
        return "; ".join(f"{name}={value}" for name, value in jar.items())

    def do(self, where: str, words: Mapping[str, str], body: Any = None) -> Answer:
        headers = {"X-Request-ID": words["cid"], **self.headers[re.split(r"[ :]", where)[1]]}
        if body is None:
            return send(filled(where, words), headers)
        return send(filled(where, words), {**headers, "Content-Type": "application/json"}, json.dumps(filled(body, words)).encode())


@pytest.fixture(scope="module")
def visitors() -> dict[str, Visitor]:
    return {name: Visitor(name) for name in LOGINS}


@pytest.fixture(scope="module")
def words(visitors: dict[str, Visitor]) -> Iterator[dict[str, str]]:
    """The words of one run, an order among them (one: the edge may limit how many); it is taken back afterwards."""
    found = {"cid": f"golive-{uuid.uuid4()}", "tenant": COMMON["golive_tenants"]["a"]["id"]}
    order = REQUESTS["order"]
    found["order"] = visitors[order["as"]].do(order["http"], found, order["json"]).at(order["save"]["order"])
    yield found
    gone = visitors["owner"].do(REQUESTS["forget"]["http"], found)
    assert gone.at("/orders") == 1


def test_logins(visitors: dict[str, Visitor]) -> None:
    for name, visitor in visitors.items():
        for realm, rules in REALMS.items():
            told = visitor.do(rules["me"], {"cid": "golive-me-only"})
            assert told.status == 200, (name, realm)
            assert (told.at("/email"), told.at("/role")) == (LOGINS[name]["user"], LOGINS[name].get("role", name))
            assert send(rules["me"], {}).status == 401
    renewal = REALMS["api"]["refresh"]
    body = json.dumps(filled(renewal["json"], {"refresh_token": visitors["owner"].refresh_token})).encode()
    assert send(renewal["http"], {"Content-Type": "application/json"}, body).status == 200


@pytest.mark.parametrize("name", [name for name in REQUESTS if name not in ("order", "forget")])
def test_requests(visitors: dict[str, Visitor], words: dict[str, str], name: str) -> None:
    declared = REQUESTS[name] if isinstance(REQUESTS[name], dict) else {"http": REQUESTS[name]}
    if "as" not in declared:
        assert send(filled(declared["http"], words), {}).status == 200
        return
    wanted = declared.get("expect", {}).get("status", 200)
    allowed = COMMON["operations_roles_matrix"][name]
    for login in ("owner", "employee"):
        status = visitors[login].do(declared["http"], words, declared.get("json")).status
        assert status == (wanted if login in allowed else 403), login
    # Another restaurant's: where an object is named there is none, else it is one's own.
    assert "{order}" not in declared["http"] or visitors["other_owner"].do(declared["http"], words, declared.get("json")).status == 404
    assert send(filled(declared["http"], words), {}).status == 401


def test_every_route_behind_a_login_is_in_the_matrix(visitors: dict[str, Visitor]) -> None:
    paths = send(COMMON["operations_roles_routes"], {}).at("/paths")
    behind = {f"{method.upper()} {path}" for path, place in paths.items() for method, told in place.items() if told["security"]}
    matrix = {name: REQUESTS[name] for name, allowed in COMMON["operations_roles_matrix"].items() if "anonymous" not in allowed}
    declared = {name: request if isinstance(request, str) else request["http"] for name, request in matrix.items()}
    said = {re.sub(r"\{\w+\}", "{}", re.sub(r" \w+:", " ", where).partition("?")[0]) for where in declared.values()}
    said |= {re.sub(r"\{\w+\}", "{}", re.sub(r" \w+:", " ", where)) for where in (REALMS["admin"]["me"], REALMS["api"]["me"], "GET admin:/api/events")}
    shaped = {re.sub(r"\{\w+\}", "{}", where) for where in behind}
    # The day and the user are named in the request, and the same place is emptied by DELETE.
    shaped = {where.replace("special-days/{}", "special-days/2026-12-31").replace("users/{}", "users/0") for where in shaped}
    assert shaped - {"DELETE /api/hours/special-days/2026-12-31"} == said


@pytest.mark.parametrize("tenant", ["a", "b"])
def test_promised_hours(tenant: str) -> None:
    """Each promised shift: open at its first instant and at the last minute, closed at its end."""
    told = COMMON["golive_tenants"][tenant]
    opened = {"a": ("2026-11-24T12:00:00-05:00", "2026-11-24T21:59:00-05:00"), "b": ("2026-11-28T01:59:00+01:00", "2026-12-24T13:00:00+01:00")}
    closed = {"a": ("2026-11-24T15:30:00-05:00", "2026-11-29T18:00:00-05:00"), "b": ("2026-11-28T02:00:00+01:00", "2026-12-25T21:00:00+01:00")}
    ask = COMMON["operations_business_hours_ask"]
    for instants, expected in ((opened, True), (closed, False)):
        for at in instants[tenant]:
            answer = send(filled(ask["http"], {"tenant": told["id"], "at": at.replace("+", "%2B")}), {})
            assert answer.at(ask["save"]["open"]) is expected, at


def test_queries() -> None:
    """Every SQL of the inventory is one that the database can plan: tables and columns are there."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.extend([value["sql"]] if isinstance(value.get("sql"), str) else [])
            for one in value.values():
                collect(one)
        elif isinstance(value, list):
            for one in value:
                collect(one)

    for file in (COMMON, STAGING):
        collect(file)
    found += [COMMON["security_audit_query"], *POSTGRES["postgres_restore_invariants"].values()]
    assert len(found) >= 10
    known = f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    database = testinfra.get_host("ssh://golive@127.0.0.1:22013", ssh_identity_file=str(LAB / "id_ed25519"), ssh_extra_args=known)
    for query in found:
        with database.sudo("postgres"):
            bound = re.sub(r"any\(\{\w+\}\)", "any(array['x'])", query)
            bound = bound.replace("{backup_at}", "now()").replace("{before}", "now()")
            planned = WORD.sub("'x'", bound)
            answer = database.run("psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 comanda --command %s", f"explain {planned}")
        assert answer.rc == 0, (query, answer.stderr)


def test_key_rotation_as_declared() -> None:
    """The command on the app host, without a word about secrets: the next key was published before it signs."""
    known = f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    app = testinfra.get_host("ssh://golive@127.0.0.1:22012", ssh_identity_file=str(LAB / "id_ed25519"), ssh_extra_args=known)
    before = {key["kid"] for key in send(COMMON["security_rotation_jwks"], {}).at("/keys")}
    old = Visitor("owner")
    with app.sudo():
        assert app.check_output(" ".join(COMMON["security_rotation_command"])).startswith("rotated: ")
    after = {key["kid"] for key in send(COMMON["security_rotation_jwks"], {}).at("/keys")}
    assert len(after - before) == 1
    assert before <= after
    assert old.do(REALMS["api"]["me"], {"cid": "golive-rotated"}).status == 200
