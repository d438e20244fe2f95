# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on the lab: what its playbooks claim, looked at over plain SSH with testinfra, without our own modules.

Needs a lab that runs (``make lab``); molecule's ``verify`` runs it too. Nothing here changes a host.
"""

from __future__ import annotations

import functools
import stat
import typing as t
from pathlib import Path

import pytest
import testinfra
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / ".lab"
INVENTORY = yaml.safe_load((ROOT / "inventories/staging/hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["lab"]["children"]
HOSTS = {name: facts for group in INVENTORY.values() for name, facts in group["hosts"].items() if facts}
SERVICES = yaml.safe_load((ROOT / "lab/vars.yml").read_text(encoding="utf-8"))["lab_services"]
NAMES = ("www.comanda.test", "admin.comanda.test", "api.comanda.test")

#: Who serves what on which port of its own address; nobody else may listen there.
PORTS = {"edge1": {80, 443}, "app1": {8000, 8001, 8002}, "db1": {5432}, "cache1": {6379}, "ops1": {8200, 9090}, "probe1": {443, 2525, 14000}}


def expected_services(name: str) -> list[str]:
    groups = ["all", *(group for group, body in INVENTORY.items() if name in body["hosts"])]
    return [service for group in groups for service in SERVICES.get(group, [])]


@functools.cache
def connect(name: str) -> t.Any:
    known = f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    url = f"ssh://golive@127.0.0.1:{HOSTS[name]['ansible_port']}"
    return testinfra.get_host(url, ssh_identity_file=str(LAB / "id_ed25519"), ssh_extra_args=known, sudo=True)


@pytest.fixture(params=sorted(HOSTS))
def name(request: pytest.FixtureRequest) -> str:
    return t.cast("str", request.param)


def test_nothing_failed(name: str) -> None:
    assert connect(name).check_output("systemctl --failed --no-legend --plain") == ""


def test_its_services_run_now_and_at_boot(name: str) -> None:
    for service in expected_services(name):
        assert connect(name).service(service).is_running, service
        assert connect(name).service(service).is_enabled, service


def test_the_services_of_others_do_not_run(name: str) -> None:
    others = {service for services in SERVICES.values() for service in services} - set(expected_services(name))
    running = connect(name).check_output("systemctl list-units --type=service --state=running --no-legend --plain")
    assert not [service for service in others if f"{service}.service" in running]


def test_it_listens_where_it_should(name: str) -> None:
    listening = {int(line.split()[3].rsplit(":", 1)[1]) for line in connect(name).check_output("ss -Hltn").splitlines()}
    assert PORTS[name] <= listening
    assert not listening & ({port for ports in PORTS.values() for port in ports} - PORTS[name])


def test_no_two_hosts_share_an_identity() -> None:
    for fact in ("cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub", "sha256sum /etc/golive-lab/host.key"):
        assert len({connect(name).check_output(fact) for name in HOSTS}) == len(HOSTS), fact


def test_only_keys_get_in(name: str) -> None:
    settings = connect(name).check_output("sshd -T")
    assert "passwordauthentication no" in settings
    assert "permitrootlogin no" in settings


def test_what_the_lab_keeps_is_for_its_owner_alone() -> None:
    for path in (LAB, LAB / "tls", LAB / "hosts", LAB / "openbao_token", LAB / "id_ed25519", LAB / "tls" / "ca.key"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("domain", NAMES)
def test_a_name_leads_to_the_edge(domain: str) -> None:
    assert connect("probe1").check_output(f"getent ahostsv4 {domain}").split()[0] == HOSTS["edge1"]["lab_ip"]


def test_names_of_the_real_world_lead_nowhere() -> None:
    assert connect("app1").run("getent ahostsv4 www.debian.org").rc != 0


@pytest.mark.parametrize("domain", NAMES)
def test_http_goes_to_https(domain: str) -> None:
    assert connect("probe1").check_output(f"curl -s -o /dev/null -w '%{{http_code}} %{{redirect_url}}' http://{domain}/a") == f"301 https://{domain}/a"


@pytest.mark.parametrize("url", ["https://api.comanda.test/readyz", "https://admin.comanda.test/login", "https://www.comanda.test/"])
def test_the_shop_answers_through_the_edge(url: str) -> None:
    # Whether the certificate is any good is the collection's business: in the bare state it is not.
    assert connect("probe1").check_output(f"curl -sk -o /dev/null -w '%{{http_code}}' {url}") == "200"


@pytest.mark.parametrize("name", ["edge1", "probe1", "ops1"])
def test_the_lab_trusts_its_acme_ca(name: str) -> None:
    directory = connect(name).check_output("curl -sf --cacert /etc/comanda/pebble-root.pem https://probe1:14000/dir")
    assert "newOrder" in directory


def test_the_store_is_open_and_its_certificate_good() -> None:
    assert '"sealed":false' in connect("app1").check_output("curl -sf --cacert /etc/golive-lab/ca.pem https://ops1:8200/v1/sys/health")


def test_the_database_belongs_to_its_owner_and_the_app_is_nobody_special() -> None:
    db1 = connect("db1")
    sql = "runuser -u postgres -- psql -XAtc "
    assert db1.check_output(sql + "\"select pg_get_userbyid(datdba) from pg_database where datname = 'comanda'\"") == "comanda_owner"
    assert db1.check_output(sql + '"select rolname from pg_roles where rolsuper"') == "postgres"


def test_redis_asks_for_a_password() -> None:
    assert "NOAUTH" in connect("cache1").run("redis-cli ping").stdout


def test_prometheus_sees_everybody() -> None:
    down = connect("ops1").check_output("curl -sf http://localhost:9090/api/v1/query --data-urlencode 'query=max_over_time(up{job!=\"comanda\"}[30s]) == 0'")
    assert '"result":[]' in down
