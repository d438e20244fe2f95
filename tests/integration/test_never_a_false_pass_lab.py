# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the lab: what breaks while we look is its own state, never a pass; nothing leaks; looking changes nothing.

Needs a lab that was mended (``make demo``); molecule's ``verify`` runs it. Everything that is broken here is put back here.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import ssl
import stat
import time
import typing as t
import urllib.request

import pytest
import yaml

from .argv import TIMES, Watch, plant
from .conftest import ROOT, Project, Ran
from .test_lab import LAB, connect

GOOD = {"pass", "attested"}
HOSTS = ("edge1", "app1", "db1", "cache1", "ops1", "probe1")


def audit(project: Project, *arguments: str, over: dict[str, t.Any] | None = None, playbook: str = "playbooks/audit.yml") -> Ran:
    """Audit the lab, with *over* (hosts and their variables) laid over its inventory."""
    sources: list[t.Any] = ["-i", ROOT / "staging"]
    if over:
        sources += ["-i", project.inventory("over.yml", {"all": {"hosts": over}})]
    return project.play(playbook, *sources, *arguments)


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


def journal_end(host: str) -> str:
    """Return where the journal of *host* ends now."""
    return str(connect(host).check_output("journalctl --no-pager --quiet -n 0 --show-cursor | tail -1").partition("cursor: ")[2])


def journal_since(host: str, mark: str) -> str:
    return str(connect(host).check_output("journalctl --no-pager --quiet --after-cursor=%s", mark))


@dataclasses.dataclass
class Looked:
    """An audit of the mended lab, and what each host's journal told of it."""

    ran: Ran
    journals: dict[str, str]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    marks = {host: journal_end(host) for host in HOSTS}
    ran = audit(Project(tmp_path_factory.mktemp("looked")))
    return Looked(ran, {host: journal_since(host, mark) for host, mark in marks.items()})


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


def test_a_host_that_is_down(project: Project) -> None:
    ran = audit(project, "-t", "redis.persistence,operations.support", over={"cache1": {"ansible_port": 1, "ansible_ssh_common_args": "-o ControlMaster=no"}})
    assert ran.state("redis.persistence") == "unknown"
    assert "verdict.host_down" in ran.problems()
    assert ran.state("operations.support") in GOOD


@pytest.mark.parametrize(
    ("over", "item", "code"),
    [
        ({"cache1": {"redis_password": "api#SESSION_KEY"}}, "redis.persistence", "redis_persistence.password_wrong"),
        ({"cache1": {"redis_port": 6380}}, "redis.persistence", "redis_persistence.refused"),
        ({"edge1": {"ansible_become": False}}, "environment.tls", "common.missing_privilege"),
    ],
)
def test_what_stands_in_the_way_has_a_name(project: Project, over: dict[str, t.Any], item: str, code: str) -> None:
    ran = audit(project, "-t", item, over=over)
    assert ran.rc == 2, ran.output
    assert ran.state(item) == "unknown"
    assert {row["state"] for row in ran.items[item]["observations"] if row["reason"]["code"] == code} == {"unknown"}, ran.codes(item)


def test_a_secret_store_that_does_not_answer(project: Project) -> None:
    store = {"kind": "openbao", "url": "https://127.0.0.1:1", "mount": "comanda", "token_file": str(LAB / "openbao_token")}
    ran = audit(project, "-t", "redis", "-e", json.dumps({"environment_secrets_store": store}))
    assert (ran.state("redis.persistence"), ran.codes("redis.persistence")) == ("unknown", {"common.secret_missing"})


@pytest.mark.parametrize(("host", "item"), [("cache1", "redis.persistence"), ("probe1", "environment.tls")])
def test_a_library_that_is_missing(project: Project, host: str, item: str) -> None:
    bare = "/usr/local/bin/golive-test-python"
    connect(host).check_output("printf '#!/bin/sh\\nexec /usr/bin/python3 -S \"$@\"\\n' > %s && chmod 755 %s", bare, bare)
    try:
        ran = audit(project, "-t", item, over={host: {"ansible_python_interpreter": bare}})
    finally:
        connect(host).check_output("rm %s", bare)
    assert ran.state(item) == "unknown"
    assert "common.library_missing" in ran.codes(item)


def test_a_clock_that_is_off(project: Project) -> None:
    """An interpreter that reads the clock ten seconds late stands for a host whose clock is."""
    python, folder = "/usr/local/bin/golive-test-python", "/usr/local/lib/golive-test"
    late = "import time as t; real = t.time; t.time = lambda: real() - 10"
    connect("cache1").check_output("mkdir -p %s && echo %s > %s/sitecustomize.py", folder, late, folder)
    connect("cache1").check_output("printf '#!/bin/sh\\nPYTHONPATH=%s exec /usr/bin/python3 \"$@\"\\n' > %s && chmod 755 %s", folder, python, python)
    try:
        ran = audit(project, "-t", "redis", over={"cache1": {"ansible_python_interpreter": python}})
    finally:
        connect("cache1").check_output("rm -r %s %s", python, folder)
    assert ran.state("redis.persistence") == "unknown"
    assert ran.codes("redis.persistence") == {"verdict.clock_skew"}


def test_evidence_under_other_options_or_of_another_machine_is_stale(project: Project) -> None:
    assert audit(project, "-t", "redis").state("redis.persistence") == "pass"
    assert audit(project, "-t", "operations").state("redis.persistence") == "pass"
    ran = audit(project, "-t", "operations", over={"cache1": {"redis_strategy": "session"}})
    assert ran.codes("redis.persistence") == {"verdict.stale_basis"}
    connect("cache1").check_output("cp /etc/machine-id /etc/machine-id.golive-test && echo 0123456789abcdef0123456789abcdef > /etc/machine-id")
    try:
        ran = audit(project, "-t", "operations")
    finally:
        connect("cache1").check_output("cat /etc/machine-id.golive-test > /etc/machine-id && rm /etc/machine-id.golive-test")
    assert (ran.state("redis.persistence"), ran.codes("redis.persistence")) == ("stale", {"verdict.stale_machine"})


def test_dns_that_is_dead(project: Project) -> None:
    with without("probe1", "dnsmasq"):
        ran = audit(project, "-t", "environment.tls,operations.support")
    assert ran.rc == 2
    assert (ran.state("operations.support"), ran.codes("operations.support")) == ("unknown", {"support_channel.resolver"})
    assert ran.state("environment.tls") == "unknown"
    names = [(row["state"], row["reason"]["code"]) for row in ran.items["environment.tls"]["observations"] if row["check"] == "tls_certificate"]
    assert names == [("unknown", "tls_certificate.name_unresolved")] * 3


def test_a_server_that_hangs_is_a_timeout(project: Project) -> None:
    with without("cache1", "redis-server", "SIGSTOP"):
        ran = audit(project, "-t", "redis")
    assert (ran.state("redis.persistence"), ran.codes("redis.persistence")) == ("unknown", {"redis_persistence.no_answer"})


def test_a_fix_that_fails_on_its_only_host_is_told(project: Project) -> None:
    ran = audit(project, "-t", "environment.tls", over={"edge1": {"ansible_become": False}}, playbook="golive.yml")
    assert ran.rc == 2, ran.output
    assert ran.state("environment.tls") == "fail"
    assert "verdict.fix_failed" in ran.codes("environment.tls")


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
AUDITS = {"db1": 2, "probe1": 2}


def test_one_module_run_a_host(looked: Looked) -> None:
    for host, journal in looked.journals.items():
        ran = collections.Counter(re.findall(r" ansible-resto\.golive\.(\w+)\[\d+\]: Invoked", journal))
        # A host that nothing is asked of gets the probe alone.
        assert ran == {"probe": 1, "audit": AUDITS.get(host, 1)} or (ran == {"probe": 1} and host not in AUDITS), (host, ran)


#: What the store holds and is no secret: addresses without a password.
NO_SECRETS = {"worker#REDIS_URL"}


def asked_of_the_store(path: str) -> t.Any:
    """Return the data that the lab's secret store answers to *path*."""
    token = (LAB / "openbao_token").read_text().strip()
    context = ssl.create_default_context(cafile=str(LAB / "pebble-root.pem"))
    request = urllib.request.Request(f"https://10.89.7.15:8200/v1/comanda/{path}", headers={"X-Vault-Token": token})
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)["data"]


def stored(folder: str = "") -> t.Iterator[tuple[str, str]]:
    """Yield name (``path#key``) and value of everything in the store, in folders too."""
    for name in asked_of_the_store(f"metadata/{folder}?list=true")["keys"]:
        if name.endswith("/"):
            yield from stored(folder + name)
        else:
            for key, value in asked_of_the_store(f"data/{folder}{name}")["data"].items():
                yield f"{folder}{name}#{key}", str(value)


def secrets() -> list[str]:
    """Every value in the lab's secret store, line by line (JSON writes a key's line breaks otherwise), and the token that opens it."""
    values = [value for name, value in stored() if name not in NO_SECRETS] + [(LAB / "openbao_token").read_text().strip()]
    lines = {line for value in values for line in value.splitlines() if not line.startswith("-----")}
    return sorted(line for line in lines if len(line) >= 8)


def test_the_whole_store_is_looked_for() -> None:
    """What it is made of, so that a path that is not listed any more is missed."""
    declared = yaml.safe_load((ROOT / "lab/secrets.yml").read_text(encoding="utf-8"))["lab_secrets"]
    assert {f"{path}#{key}" for path, keys in declared.items() for key in keys} <= {name for name, _value in stored()}


@pytest.mark.parametrize("host", [None, "cache1", "probe1"])
def test_a_secret_in_arguments_would_be_seen(host: str | None) -> None:
    with Watch(["golive-planted-here", "golive-never-planted"]) as watch:
        plant("golive-planted-", "here", host)
    assert watch.found.keys() == {0}
    assert len(watch.pids[0]) >= TIMES, "each of them is seen, however short it lives"


#: Where what was put down for a moment may be left behind.
PLACES = ("/tmp", "/var/tmp", "/var/log", "/home", "/root", "/run", "/dev/shm")
#: Below these a secret may stand, or nothing new does.
PLACES_OF_SECRETS = (
    "/run/credentials",  # systemd's LoadCredential, which only the service may read
    "/run/log/journal",  # looked at as the journal, from where it stood before
    "/var/log/journal",
)


@dataclasses.dataclass
class Mended:
    """A real run of everything, as talkative as it gets, and what was to be seen of it besides: programs' arguments, journals, files that were left."""

    project: Project
    ran: Ran
    planted: list[str]
    argued: dict[int, set[str]]
    traces: dict[str, str]


def left_on(host: str, since: str) -> str:
    """Return the content of all files that changed on *host* since then, where none should be left."""
    passed_over = " -o ".join(f"-path {place}" for place in PLACES_OF_SECRETS)
    # A file that goes while it is read was not left behind, so the return code says nothing. One may hold anything, not only text.
    command = f"find {' '.join(PLACES)} \\( {passed_over} \\) -prune -o -type f -newerct @{since} -size -20M -exec cat {{}} + | base64 --wrap=0"
    return base64.b64decode(connect(host).run(command).stdout).decode("utf-8", "replace")


def left_here(since: float, needles: t.Sequence[str], besides: pathlib.Path) -> dict[str, str]:
    """Return those files of the control node that changed since then and hold one of *needles*; its home has more than ours in it."""
    found = {}
    wanted = [needle.encode() for needle in needles]
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/run", str(pathlib.Path.home() / ".ansible")):
        for folder, _folders, files in os.walk(place):
            for path in (pathlib.Path(folder, name) for name in files):
                with contextlib.suppress(OSError):
                    seen = path.lstat()
                    fresh = stat.S_ISREG(seen.st_mode) and seen.st_ctime >= since and seen.st_size < 20 << 20
                    data = path.read_bytes() if fresh and not path.is_relative_to(besides) else b""
                    if any(needle in data for needle in wanted):
                        found[str(path)] = data.decode("utf-8", "replace")
    return found


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Mended:
    project, planted = Project(tmp_path_factory.mktemp("mended")), secrets()
    marks = {host: journal_end(host) for host in HOSTS}
    since = {host: connect(host).check_output("date +%s") for host in HOSTS}
    begun = time.time()
    with Watch([*planted, "golive-planted-meanwhile"]) as watch:
        ran = audit(project, "-vvv", playbook="golive.yml")
        plant("golive-planted-", "meanwhile", "cache1")
    traces = {f"journal of {host}": journal_since(host, mark) for host, mark in marks.items()}
    traces |= {f"files on {host}": left_on(host, since[host]) for host in HOSTS}
    traces |= left_here(begun, planted, project.reports)
    traces |= {str(path): path.read_text() for path in project.reports.rglob("*") if path.is_file()}
    return Mended(project, ran, planted, watch.found, {"output": ran.output, **traces})


def test_a_file_that_was_left_would_be_seen(tmp_path: pathlib.Path) -> None:
    begun, needle = time.time(), "-".join(("golive", "planted", "here"))
    (tmp_path / "left").write_text(needle)
    assert str(tmp_path / "left") in left_here(begun - 1, [needle], tmp_path / "reports")
    since = connect("app1").check_output("date +%s")
    connect("app1").check_output("printf %s%s golive-planted- file > /dev/shm/golive-test")
    try:
        assert "golive-planted-file" in left_on("app1", since)
    finally:
        connect("app1").check_output("rm /dev/shm/golive-test")


def test_secrets_are_nowhere(mended: Mended) -> None:
    planted, argued = mended.planted, dict(mended.argued)
    assert len(planted) > 15
    assert argued.pop(len(planted)) == {"python3"}
    assert not argued, "a secret stood among the arguments of these programs"
    leaks = {name: [index for index, secret in enumerate(planted) if secret in text] for name, text in mended.traces.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


#: Where molecule's own runs are kept, by scripts/test.sh, and the reports that they left.
MOLECULE_LOG = ROOT / ".cache/logs/molecule.log"


def test_secrets_are_in_no_word_of_the_runs_from_bare() -> None:
    """There every task that puts a secret somewhere really did, with ``--diff``."""
    if not MOLECULE_LOG.exists():
        pytest.skip("no run from bare was kept: scripts/test.sh molecule does that")
    log = re.sub(r"\x1b\[[0-9;]*m", "", MOLECULE_LOG.read_text(encoding="utf-8", errors="replace"))
    assert "PLAY RECAP" in log
    # Molecule draws a line beside what a playbook prints, and breaks what is long anywhere.
    told = {"log": log, "log, unbroken": re.sub(r"\s*\n *│ *", "", log)}
    told |= {str(path): path.read_text(encoding="utf-8") for path in (ROOT / "reports/staging").rglob("*") if path.is_file()}
    planted = secrets()
    leaks = {name: [index for index, secret in enumerate(planted) if secret in text] for name, text in told.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


#: Says what a run could change on a host; molecule compares the bare lab by it.
STATE = (ROOT / "lab/state.sh").read_text(encoding="utf-8")


def snapshot(host: str) -> set[str]:
    return set(connect(host).check_output("sh -c %s", STATE).splitlines())


def test_a_real_run_of_what_is_mended_rescues_nothing(mended: Mended) -> None:
    for host, counted in mended.ran.recap.items():
        # The one that may fail is the verdict's, on the control node: it is NO-GO.
        wrong = ("unreachable", "rescued", "ignored") if host == "localhost" else ("unreachable", "failed", "rescued", "ignored")
        assert {word: counted[word] for word in wrong if counted[word]} == {}, host
    assert set(HOSTS) <= set(mended.ran.recap)


def test_check_mode_changes_nothing_and_says_the_same(mended: Mended) -> None:
    real = mended.ran
    before = {host: snapshot(host) for host in HOSTS}
    checked = audit(mended.project, "--check", "-v", "-e", "golive_fail_on_no_go=false", playbook="golive.yml")
    assert {host: sorted(lines ^ snapshot(host)) for host, lines in before.items()} == {host: [] for host in HOSTS}
    assert checked.report is None
    assert checked.rc == 0, checked.output
    assert re.search(r'"keep   \d{8}T\d{6}Z-[0-9a-f]{8} \d{4}-\d\d-\d\d \d\d:\d\dZ: [a-z]', checked.output), "nobody says which copies stay, and why"
    # A fix that fails is rescued, and Ansible ends well.
    assert {host: counted for host, counted in checked.recap.items() if counted["failed"] or counted["rescued"] or counted["unreachable"]} == {}
    assert set(HOSTS) <= set(checked.recap)
    assert checked.decided["states"] == {name: item["state"] for name, item in real.items.items()}
    assert "WARNING" not in real.output + checked.output
    assert "DEPRECATION" not in real.output + checked.output
