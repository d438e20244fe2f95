# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""comanda as the lab runs it, from where its guests are (probe1) and from inside app1. Needs the lab (`make lab`).

A second opinion on lab/deploy_comanda.yml: nothing here reads what Ansible reported.
"""

from __future__ import annotations

import json
import shlex
import ssl
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab"
PORTS = {"app1": 22012, "db1": 22013, "probe1": 22016}
NAMES = ("www.comanda.test", "admin.comanda.test", "api.comanda.test")
UNITS = ("api", "panel", "website", "worker")


def host(name: str) -> Host:
    """A host of the lab, over SSH to its published port, with the lab's own key and known hosts."""
    known = f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    return testinfra.get_host(f"ssh://golive@127.0.0.1:{PORTS[name]}", ssh_identity_file=str(LAB / "id_ed25519"), ssh_extra_args=known)


def until_there(look: Callable[[], list[dict[str, Any]]], within_s: float = 15) -> list[dict[str, Any]]:
    """What is found, as soon as something is; what is missing when the time is over is told by the assertion that follows."""
    end = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def probe() -> Host:
    return host("probe1")


@pytest.fixture(scope="module")
def app() -> Host:
    return host("app1")


def curl(where: Host, url: str, *options: str) -> tuple[int, str]:
    """Status and body. The lab's certificate may be bare (self-signed) or from Pebble: trust is the business of environment.tls, not ours."""
    command = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "10", "--write-out", "\n%{http_code}", *options, url]
    body, _separator, status = where.check_output(shlex.join(command)).rpartition("\n")
    return int(status), body


@pytest.mark.parametrize("name", NAMES)
def test_the_three_names_answer(probe: Host, name: str) -> None:
    status, _body = curl(probe, f"https://{name}/healthz")
    assert status == 200


def test_every_part_is_ready(probe: Host) -> None:
    status, body = curl(probe, "https://api.comanda.test/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ready", "parts": {"postgres": "ok", "redis": "ok"}})


def test_version_says_what_was_built(probe: Host, app: Host) -> None:
    _status, body = curl(probe, "https://api.comanda.test/version")
    version = json.loads(body)
    manifest = json.loads(app.file("/srv/comanda/current/manifest.json").content_string)
    built = (LAB / "releases" / f"comanda-{manifest['version']}.tar.gz.sha256").read_text(encoding="utf-8").split()[0]
    assert version["digest"] == f"sha256:{built}"
    assert version["commit"] == manifest["commit"]
    assert version["migration"] == "0007"


def test_files_are_those_of_the_manifest(app: Host) -> None:
    manifest = json.loads(app.file("/srv/comanda/current/manifest.json").content_string)
    seen = app.check_output("cd /srv/comanda/current && find . -type f ! -name digest ! -name manifest.json -printf '%P\\0' | xargs -0 sha256sum")
    there = {name: digest for digest, name in (line.split("  ", 1) for line in seen.splitlines())}
    assert there == manifest["files"]


def test_pages(probe: Host) -> None:
    for url, wanted in {
        "https://www.comanda.test/": "<ul data-menu>",
        "https://www.comanda.test/r/test-madrid": "Arepa de prueba",
        "https://www.comanda.test/soporte": "tel:+576010000000",
        "https://admin.comanda.test/login": "data-login",
    }.items():
        status, body = curl(probe, url)
        assert status == 200, url
        assert wanted in body, url


def test_an_order_reaches_the_worker_under_its_own_id(probe: Host, app: Host) -> None:
    cid = f"golive-{uuid.uuid4()}"
    order = json.dumps({"items": [{"sku": "TEST-1", "quantity": 1}], "note": cid})
    headers = ("--header", "Content-Type: application/json", "--header", f"X-Request-ID: {cid}")
    assert curl(probe, "https://api.comanda.test/v1/orders", *headers, "--data", order)[0] == 401
    headers += ("--header", f"Authorization: Bearer {token(probe)}")
    status, body = curl(probe, "https://api.comanda.test/v1/orders", *headers, "--data", order)
    assert status == 201, body
    lines = until_there(lambda: app_lines(app, "worker", cid))
    assert [line["message"] for line in lines] == ["message delivered"]
    place = f"https://api.comanda.test/v1/test/test-bogota/orders?cid={cid}"
    assert json.loads(curl(probe, place, *headers, "--request", "DELETE")[1])["orders"] == 1
    [taken] = [line for line in app_lines(app, "api", cid) if line["message"] == "order taken"]
    assert taken["trace_id"] == lines[0]["trace_id"]
    assert {"ts", "level", "service", "tenant"} <= taken.keys()
    assert taken["ts"].endswith("Z")


def token(probe: Host) -> str:
    """The test owner's, for the password in the secret store."""
    store = {"X-Vault-Token": (LAB / "openbao_token").read_text(encoding="utf-8").strip()}
    request = urllib.request.Request("https://10.89.7.15:8200/v1/comanda/data/test/owner", headers=store)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=LAB / "tls" / "ca.pem"), timeout=10) as answer:
        password = json.load(answer)["data"]["data"]["password"]
    login = json.dumps({"email": "owner@a.test", "password": password})
    status, body = curl(probe, "https://api.comanda.test/v1/token", "--header", "Content-Type: application/json", "--data", login)
    assert status == 200, body
    return str(json.loads(body)["access_token"])


def app_lines(app: Host, unit: str, cid: str) -> list[dict[str, Any]]:
    """What a process logged about one request."""
    with app.sudo():
        journal = app.check_output("journalctl --unit=comanda-%s --since=-5min --output=cat | grep -F %s || test $? -eq 1", unit, cid)
    lines = (json.loads(line) for line in journal.splitlines() if line.startswith("{"))
    return [line for line in lines if line["request_id"] == cid]


@pytest.mark.parametrize("unit", UNITS)
def test_processes_are_nobodys_root_and_hold_no_secret_in_sight(app: Host, unit: str) -> None:
    service = app.service(f"comanda-{unit}")
    assert service.is_running
    assert service.is_enabled
    [process] = [process for process in app.process.filter(user="comanda") if process.args.endswith(f" {unit}")]
    # As its own user: root in a container may not look into other users' processes.
    with app.sudo("comanda"):
        environment = app.check_output("cat /proc/%s/environ", str(process.pid))
    assert "CREDENTIALS_DIRECTORY=" in environment or unit == "website"
    assert not [name for name in ("DATABASE_URL=", "REDIS_PASSWORD=", "SESSION_KEY=") if name in environment]


def test_credentials_are_roots_alone(app: Host) -> None:
    with app.sudo():
        files = app.check_output("find /etc/credstore -path '*comanda-*' -type f -printf '%u %m %p\\n'").splitlines()
    assert len(files) >= 8
    assert [line for line in files if not line.startswith("root 600 ")] == []


def test_a_restaurant_sees_only_its_own_rows() -> None:
    database = host("db1")
    become = "select set_config('app.tenant', id::text, true) from tenants where slug = 'test-bogota'"
    count = "select count(*), count(distinct tenant_id) from menu_items"
    session = f"set role comanda_app; {count}; begin; {become}; {count}"
    with database.sudo("postgres"):
        answer = database.check_output("psql --no-psqlrc --tuples-only --no-align --quiet comanda --command %s", session).splitlines()
    assert answer[0] == "0|0"
    assert answer[-1] == "4|1"
