# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the lab: what breaks while we look is its own state, never a pass; nothing leaks; looking changes nothing.

Needs a lab that was mended (``make demo``); molecule's ``verify`` runs it. Everything that is broken here is put back here.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import typing as t

import pytest
import yaml

from .conftest import ROOT, Project, Ran
from .lab_audit import HOSTS, audit, journal_end, journal_since
from .test_lab import LAB, connect

GOOD = {"pass", "attested"}


@contextlib.contextmanager
def without(host: str, service: str, signal: str = "stop") -> t.Iterator[None]:
    """Take *service* of *host* away for a while."""
    undo = "start" if signal == "stop" else f"kill --signal={signal.replace('STOP', 'CONT')}"
    act = "stop" if signal == "stop" else f"kill --signal={signal}"
    connect(host).check_output(f"systemctl {act} {service}")
    try:
        yield
    finally:
        connect(host).check_output(f"systemctl {undo} {service}")


@dataclasses.dataclass
class Looked:
    """An audit of the mended lab, whose ledger it is in, and what each host's journal told of it."""

    project: Project
    ran: Ran
    journals: dict[str, str]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    marks = {host: journal_end(host) for host in HOSTS}
    project = Project(tmp_path_factory.mktemp("looked"))
    return Looked(project, audit(project), {host: journal_since(host, mark) for host, mark in marks.items()})


@pytest.fixture
def proven(looked: Looked, tmp_path: pathlib.Path) -> Project:
    """A project in whose ledger all was just seen good: what breaks now must take it away, not only fail to be proven."""
    shutil.copytree(looked.project.reports, tmp_path / "reports", symlinks=True)
    return Project(tmp_path)


def test_the_mended_lab_is_good_where_there_are_checks_and_no_go_all_the_same(looked: Looked) -> None:
    ran = looked.ran
    assert ran.rc == 2
    assert (ran.state("redis.persistence"), ran.state("security.secret_scan"), ran.state("operations.support")) == ("pass", "pass", "attested")
    # Looking alone does not prove that renewal works: the drill's evidence is in another ledger.
    assert ran.state("environment.tls") == "unknown"
    assert "verdict.not_run" in ran.codes("environment.tls")


def test_the_journey_takes_less_than_ten_seconds(looked: Looked) -> None:
    for stage in ("inbound", "reply", "order", "panel", "close"):
        [row] = looked.ran.items[f"acceptance.e2e_{stage}"]["observations"]
        assert (row["check"], row["status"]) == ("order_journey", "pass"), stage
        assert 0 < row["duration_ms"] < 10_000


def test_a_host_that_is_down(proven: Project) -> None:
    ran = audit(proven, "-t", "redis.persistence,operations.support", over={"cache1": {"ansible_port": 1, "ansible_ssh_common_args": "-o ControlMaster=no"}})
    ran.blocks("redis.persistence", "unknown", "common.host_unreachable")
    assert ran.problems() == {"verdict.host_down"}
    assert ran.state("operations.support") in GOOD


@pytest.mark.parametrize(
    ("over", "item", "code"),
    [
        ({"cache1": {"redis_password": "api#SESSION_KEY"}}, "redis.persistence", "redis_persistence.password_wrong"),
        ({"cache1": {"redis_port": 6380}}, "redis.persistence", "redis_persistence.refused"),
        ({"edge1": {"ansible_become": False}}, "environment.tls", "common.missing_privilege"),
    ],
)
def test_what_stands_in_the_way_has_a_name(proven: Project, over: dict[str, t.Any], item: str, code: str) -> None:
    ran = audit(proven, "-t", item, over=over)
    ran.blocks(item, "unknown", code)
    assert {row["state"] for row in ran.items[item]["observations"] if row["reason"]["code"] == code} == {"unknown"}, ran.codes(item)


def test_a_secret_store_that_does_not_answer(proven: Project) -> None:
    store = {"kind": "openbao", "url": "https://127.0.0.1:1", "mount": "comanda", "token_file": str(LAB / "openbao_token")}
    ran = audit(proven, "-t", "redis", "-e", json.dumps({"environment_secrets_store": store}))
    ran.blocks("redis.persistence", "unknown", "common.secret_missing")
    assert ran.codes("redis.persistence") == {"common.secret_missing"}


@pytest.mark.parametrize(("host", "item"), [("cache1", "redis.persistence"), ("probe1", "environment.tls")])
def test_a_library_that_is_missing(proven: Project, host: str, item: str) -> None:
    bare = "/usr/local/bin/golive-test-python"
    connect(host).check_output("printf '#!/bin/sh\\nexec /usr/bin/python3 -S \"$@\"\\n' > %s && chmod 755 %s", bare, bare)
    try:
        ran = audit(proven, "-t", item, over={host: {"ansible_python_interpreter": bare}})
    finally:
        connect(host).check_output("rm %s", bare)
    ran.blocks(item, "unknown", "common.library_missing")


def test_a_clock_that_is_off(proven: Project) -> None:
    """An interpreter that reads the clock ten seconds late stands for a host whose clock is."""
    python, folder = "/usr/local/bin/golive-test-python", "/usr/local/lib/golive-test"
    late = "import time as t; real = t.time; t.time = lambda: real() - 10"
    connect("cache1").check_output("mkdir -p %s && echo %s > %s/sitecustomize.py", folder, late, folder)
    connect("cache1").check_output("printf '#!/bin/sh\\nPYTHONPATH=%s exec /usr/bin/python3 \"$@\"\\n' > %s && chmod 755 %s", folder, python, python)
    try:
        ran = audit(proven, "-t", "redis", over={"cache1": {"ansible_python_interpreter": python}})
    finally:
        connect("cache1").check_output("rm -r %s %s", python, folder)
    ran.blocks("redis.persistence", "unknown", "verdict.clock_skew")
    assert ran.codes("redis.persistence") == {"verdict.clock_skew"}


def test_evidence_under_other_options_or_of_another_machine_is_stale(project: Project) -> None:
    assert audit(project, "-t", "redis").state("redis.persistence") == "pass"
    assert audit(project, "-t", "operations").state("redis.persistence") == "pass"
    ran = audit(project, "-t", "operations", over={"cache1": {"redis_strategy": "session"}})
    ran.blocks("redis.persistence", "stale", "verdict.stale_basis")
    connect("cache1").check_output("cp /etc/machine-id /etc/machine-id.golive-test && echo 0123456789abcdef0123456789abcdef > /etc/machine-id")
    try:
        ran = audit(project, "-t", "operations")
    finally:
        connect("cache1").check_output("cat /etc/machine-id.golive-test > /etc/machine-id && rm /etc/machine-id.golive-test")
    ran.blocks("redis.persistence", "stale", "verdict.stale_machine")


def test_dns_that_is_dead(proven: Project) -> None:
    with without("probe1", "dnsmasq"):
        ran = audit(proven, "-t", "environment.tls,operations.support")
    ran.blocks("operations.support", "unknown", "support_channel.resolver")
    ran.blocks("environment.tls", "unknown", "tls_certificate.name_unresolved")
    names = [(row["state"], row["reason"]["code"]) for row in ran.items["environment.tls"]["observations"] if row["check"] == "tls_certificate"]
    assert names == [("unknown", "tls_certificate.name_unresolved")] * 3


def test_a_server_that_hangs_is_a_timeout(proven: Project) -> None:
    with without("cache1", "redis-server", "SIGSTOP"):
        ran = audit(proven, "-t", "redis")
    ran.blocks("redis.persistence", "unknown", "redis_persistence.no_answer")


def test_a_fix_that_fails_on_its_only_host_is_told(project: Project) -> None:
    ran = audit(project, "-t", "environment.tls", over={"edge1": {"ansible_become": False}}, playbook="golive.yml")
    ran.blocks("environment.tls", "fail", "verdict.fix_failed")


#: The limits of the sites, and what they are counted in.
LIMITS = "/etc/nginx/conf.d/golive_rate_limit.conf /etc/nginx/comanda.d"
#: Nginx takes this, and no second zone of that name beside it.
IN_THE_WAY = ("/etc/nginx/conf.d/aa_golive_test.conf", "limit_req_zone $uri zone=golive_limit_1:1m rate=1r/s;")
ONLY_LIMITS = [
    {
        "hosts": "edge1",
        "gather_facts": False,
        "become": True,
        "tasks": [{"ansible.builtin.import_role": {"name": "resto.golive.security", "tasks_from": "remediate_rate_limit.yml"}}],
    }
]


def test_limits_that_nginx_refuses_are_taken_back(project: Project) -> None:
    """Of the files one was there, in another form, and the others were not."""
    edge = connect("edge1")
    content = f"find {LIMITS} -type f -name 'golive_*' -exec sha256sum {{}} +"
    edge.check_output(f"tar -C / -cf /root/golive-test.tar {LIMITS}")
    edge.check_output(f"echo %s > %s && find {LIMITS} -type f -name 'golive_*' -exec rm {{}} + && echo '# older' > {LIMITS.split()[0]}", *reversed(IN_THE_WAY))
    try:
        edge.check_output("nginx -t -q")
        before = edge.check_output(content)
        assert len(before.splitlines()) == 1
        playbook = project.directory / "limits.yml"
        playbook.write_text(yaml.safe_dump(ONLY_LIMITS))
        ran = project.play(str(playbook), "-i", ROOT / "staging")
        assert ran.recap["edge1"]["failed"] == 1, ran.output
        assert "The limits were taken back, nginx is as it was" in ran.output
        assert 'zone "golive_limit_1" conflicts' in ran.output.replace("\\", "")
        assert edge.check_output(content) == before
        edge.check_output("nginx -t -q")
    finally:
        edge.check_output("rm %s && tar -C / -xf /root/golive-test.tar && rm /root/golive-test.tar", IN_THE_WAY[0])


#: Beyond the one: the journey's short second run, on the hosts that take part in it. On the only probe it ends with the check that would disturb the others.
#: A host that nothing is asked of gets the probe alone.
AUDITS = {"edge1": 1, "app1": 0, "db1": 2, "cache1": 1, "ops1": 1, "probe1": 2}


def test_one_module_run_a_host(looked: Looked) -> None:
    """Of every collection: a task for each item would be another one's."""
    ran = {host: collections.Counter(re.findall(r" ansible-([\w.]+)\[\d+\]: Invoked", journal)) for host, journal in looked.journals.items()}
    assert ran == {host: collections.Counter({"resto.golive.probe": 1, "resto.golive.audit": AUDITS[host]}) for host in HOSTS}
