# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey as users run it, by the audit on several hosts, against a small real shop with a real database on this machine. No lab."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
import urllib.parse

import psycopg
import pytest

from .conftest import BIN, ROOT, Project, Ran

sys.path.insert(0, str(ROOT / "tests" / "unit" / "plugins" / "module_utils" / "requests"))
import postgres as databases
import shop as shops

KEY = "app-secret-of-the-shop"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
RUN = "GOLIVE_TEST_RUN"
STAGES = ("inbound", "reply", "order", "panel", "close")
TABLES = """
create table if not exists tenants (slug text, is_test bool);
create table if not exists messages (cid text, direction text);
create table if not exists events (id text unique);
create table if not exists orders (id bigint generated always as identity, cid text, state text default 'open', created_at timestamptz default now());
truncate tenants, messages, events, orders;
insert into tenants values ('test-a', true);
"""


class Shop:
    """A shop whose webhook makes an order at once. `dedupe` and `answers` are what a test breaks; it hangs where `hangs_in` says until `hold` is set."""

    def __init__(self, database: databases.Postgres) -> None:
        self.database = database
        self.state = shops.Shop()
        self.dedupe = True
        self.answers = True
        self.hangs_in = ""
        self.hold = threading.Event()
        self.called = threading.Event()
        self.state.hooks.update(
            {
                ("POST", "/webhooks/whatsapp"): self.webhook,
                ("GET", "/replies"): self.replies,
                ("GET", "/api/events"): self.events,
                ("DELETE", "/forget"): self.forget,
            }
        )

    def rows(self, query: str, *values: t.Any) -> list[t.Any]:
        with psycopg.connect(host="127.0.0.1", port=self.database.port, user="postgres", dbname="postgres") as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def webhook(self, request: shops.Handler, body: bytes) -> None:
        digest = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(digest, request.headers.get("X-Hub-Signature-256", "")):
            return request.answer(401, {})
        message = json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]
        cid = message["text"]["body"].split()[-1]
        fresh = self.rows("insert into events values (%s) on conflict do nothing returning id", message["id"]) or not self.dedupe
        if fresh:
            self.rows("insert into messages values (%s, 'in')", cid)
            if self.answers:
                self.rows("insert into messages values (%s, 'out')", cid)
            [(number,)] = self.rows("insert into orders (cid) values (%s) returning id", cid)
            self.state.hooks["POST", f"/close/{number}"] = self.close
            self.state.publish(f"order {cid}")
        self.pause("webhook")
        return request.answer(200, {})

    def pause(self, name: str) -> None:
        if name == self.hangs_in:
            self.called.set()
            self.hold.wait(30)

    def replies(self, request: shops.Handler, body: bytes) -> None:
        cid = dict(urllib.parse.parse_qsl(request.path.partition("?")[2]))["cid"]
        if self.rows("select 1 from orders"):  # it looks before it sends, too
            self.pause("replies")
        request.answer(200, [cid for _one in self.rows("select 1 from messages where cid = %s and direction = 'out'", cid)])

    def close(self, request: shops.Handler, body: bytes) -> None:
        self.pause("close")
        self.rows("update orders set state = 'closed' where id = %s", request.path.rpartition("/")[2])
        request.answer(200, {})

    def events(self, request: shops.Handler, body: bytes) -> None:
        self.state.sessions["open"] = "anybody"
        request.headers["Authorization"] = "Bearer open"
        shops.events(request, body)

    def forget(self, request: shops.Handler, body: bytes) -> None:
        cid = dict(urllib.parse.parse_qsl(request.path.partition("?")[2]))["cid"]
        self.rows("delete from messages where cid = %s", cid)
        self.pause("forget")
        self.rows("delete from orders where cid = %s", cid)
        request.answer(200, {})


@pytest.fixture(scope="module")
def database() -> t.Iterator[databases.Postgres]:
    with databases.running() as server:
        server.run("create role reader login", *TABLES.split(";")[:-1], "grant select on all tables in schema public to reader")
        yield server


@pytest.fixture
def shop(database: databases.Postgres) -> Shop:
    database.run(*TABLES.split(";")[:-1])
    return Shop(database)


@pytest.fixture
def staging(project: Project, shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """An inventory of this shop: the probe, the database's host and the app's are three names of this machine."""
    ca, pem = shops.certificate(tmp_path)
    with shops.serving(shop.state, pem) as port:
        here = f"https://localhost:{port}"
        variables = {
            "golive_owner": "ana@comanda.example",
            "golive_ca_bundle": str(ca),
            "golive_tenants": {"a": {"id": "test-a", "phone": "+570000000001"}},
            "golive_tenants_flag": {"sql": "select 1 from tenants where slug = {tenant} and is_test"},
            "environment_secrets_store": {"kind": "ansible_vault"},
            "shop_secrets": {"signing": KEY},
            "integrations_providers": {"whatsapp": {"webhook": f"{here}/webhooks/whatsapp", "account": "1", "keys": {"signing": "shop_secrets#signing"}}},
            "acceptance_journey": {
                "inbound": {
                    "send": {"whatsapp": "2 arepas {cid}"},
                    "see": {"sql": "select 1 from messages where cid = {cid} and direction = 'in'"},
                    "within_s": 5,
                },
                "reply": {"see": {"http": f"GET {here}/replies?cid={{cid}}", "contains": "{cid}"}, "within_s": 2},
                "order": {"see": {"sql": "select id as order from orders where cid = {cid}"}, "within_s": 5},
                "panel": {"see": {"sse": f"{here}/api/events", "contains": "{cid}"}, "within_s": 5},
                "close": {
                    "send": f"POST {here}/close/{{order}}",
                    "see": {"sql": "select 1 from orders where id = {order} and state = 'closed'"},
                    "within_s": 5,
                },
                "clean": {
                    "undo": f"DELETE {here}/forget?cid={{cid}}",
                    "see": {"sql": "select cid from orders where cid like 'golive-%' and (cid = any({cids}) or created_at < {before})"},
                },
            },
        }
        groups = {
            "app": {"hosts": {"a1": LOCAL}},
            "probe": {"hosts": {"p1": LOCAL}},
            "postgres": {
                "hosts": {"d1": LOCAL},
                "vars": {"postgres_host": "127.0.0.1", "postgres_port": shop.database.port, "postgres_user": "reader", "postgres_database": "postgres"},
            },
        }
        yield project.inventory("hosts.yml", {"all": {"vars": variables, "children": groups}}).parent
        shop.hold.set()


def audit(project: Project, staging: pathlib.Path, *arguments: str) -> Ran:
    return project.play("playbooks/audit.yml", "-i", staging, "-t", "acceptance", "-e", "golive_fail_on_no_go=false", *arguments)


def states(ran: Ran) -> dict[str, str]:
    """State and first reason of each stage."""
    return {stage: f"{ran.state(f'acceptance.e2e_{stage}')} {ran.items[f'acceptance.e2e_{stage}']['reason']['code'].rpartition('.')[2]}" for stage in STAGES}


WELL = dict.fromkeys(STAGES, "pass seen")


def test_from_message_to_closed_order_in_two_runs_of_two_hosts(project: Project, staging: pathlib.Path, shop: Shop) -> None:
    """What no run that is known left goes with this one's own when it is an hour old; before that, its run may still be at work."""
    for cid, minutes in (("golive-old", 61), ("golive-young", 59)):
        shop.rows("insert into orders (cid, created_at) values (%s, now() - make_interval(mins => %s))", cid, minutes)
    ran = audit(project, staging, "-vvv")
    assert states(ran) == WELL, ran.output
    assert len(re.findall(r"Using module file \S*/modules/audit\.py", ran.output)) == 4
    assert KEY not in ran.output
    assert shop.rows("select cid from orders") == [("golive-young",)]
    [row] = ran.items["acceptance.e2e_order"]["observations"]
    assert 0 < row["duration_ms"] < 10_000
    assert [piece["assertion"] for piece in row["evidence"]] == ["order_journey.seen", "order_journey.race_once"]
    assert not list(project.reports.glob("staging/runs/*/cids/*"))


def test_an_order_twice_is_seen(project: Project, staging: pathlib.Path, shop: Shop) -> None:
    shop.dedupe = False
    ran = audit(project, staging, "-vvv")
    found = states(ran)
    assert (found["order"], found["panel"]) == ("fail seen_too_often", "fail seen_too_often")
    assert shop.rows("select * from orders") == []


def test_a_silent_bot_turns_the_reply_and_nothing_else(project: Project, staging: pathlib.Path, shop: Shop) -> None:
    shop.answers = False
    ran = audit(project, staging, "-vvv")
    assert states(ran) == {**WELL, "reply": "fail not_seen"}


def test_one_host_after_the_other_never_reads_as_a_failure_nor_as_more_than_was_seen(project: Project, staging: pathlib.Path) -> None:
    found = states(audit(project, staging, "--forks", "1"))
    assert {found["reply"], found["panel"]} == {"pass seen"}
    assert not [state for state in found.values() if state.startswith("fail")]
    assert found["close"].startswith("unknown")


def test_nothing_is_sent_unless_the_database_says_that_it_is_a_test(project: Project, staging: pathlib.Path, shop: Shop) -> None:
    shop.rows("update tenants set is_test = false")
    assert states(audit(project, staging)) == dict.fromkeys(STAGES, "unknown not_a_test_tenant")
    assert shop.state.requests == []


def test_a_limit_without_the_database_sends_nothing(project: Project, staging: pathlib.Path, shop: Shop) -> None:
    assert states(audit(project, staging, "--limit", "p1,localhost")) == dict.fromkeys(STAGES, "unknown flag_unknown")
    assert shop.state.requests == []


@pytest.mark.parametrize("moment", ["webhook", "replies", "close", "forget"])
def test_a_run_that_was_killed_is_swept_by_the_next(project: Project, staging: pathlib.Path, shop: Shop, moment: str) -> None:
    shop.hangs_in = moment
    variables = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), RUN: str(project.directory)}
    argv = [BIN / "ansible-playbook", ROOT / "playbooks/audit.yml", "-e", f"golive_report_dir={project.reports}", "-i", staging, "-t", "acceptance"]
    killed = subprocess.Popen([str(one) for one in argv], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, start_new_session=True)
    while not shop.called.wait(1):
        assert killed.poll() is None, "it ended before it came to where it is killed"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    left = {cid for (cid,) in shop.rows("select cid from orders")}
    assert left
    shop.hold.set()
    end = time.monotonic() + 40  # what runs on the host outlives who started it: its own deadline ends it, and it may still send the copies
    while (pathlib.Path(f"/proc/{killed.pid}").exists() or _working(project)) and time.monotonic() < end:
        time.sleep(0.2)
    ran = audit(project, staging)
    assert states(ran) == WELL, ran.output
    assert shop.rows("select cid from orders") == []
    assert not left & {path.name for path in project.reports.glob("staging/runs/*/cids/*")}


def _working(project: Project) -> bool:
    """Whether a process of the killed run is still there: each inherited its mark."""
    mark = f"{RUN}={project.directory}".encode()
    for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in process.read_bytes().split(b"\0"):
                return True
    return False
