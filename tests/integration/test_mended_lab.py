# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the lab, one real run of everything on what is mended: no secret is left or shown anywhere, nothing is rescued, and ``--check`` says the same.

Needs a lab that was mended (``make demo``); molecule's ``verify`` runs it.
"""

from __future__ import annotations

import base64
import concurrent.futures
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

from .argv import LIVES_S, TIMES, Watch, plant
from .conftest import ROOT, Project, Ran
from .lab_audit import HOSTS, audit, journal_end, journal_whole
from .test_lab import LAB, connect

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
    for _try in range(10):
        with Watch(["golive-planted-here", "golive-never-planted"]) as watch:
            plant("golive-planted-", "here", host)
        if watch.longest_s < LIVES_S:  # else the machine stood still for so long that nobody could have seen them all
            break
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
        for folder, folders, files in os.walk(place):
            # A process file system, of a tree that is being made: who reads its kmsg waits for the kernel to speak.
            folders[:] = [name for name in folders if not pathlib.Path(folder, name, "kmsg").exists()]
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
    traces = {f"journal of {host}": journal_whole(host, mark) for host, mark in marks.items()}
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
    assert log.count("GO-LIVE") >= 3, "under --check, from bare, and once more"
    # Molecule draws a line beside what a playbook prints, and breaks what is long anywhere.
    told = {"log": log, "log, unbroken": re.sub(r"\s*\n *│ *", "", log)}
    told |= {str(path): path.read_text(encoding="utf-8") for path in (ROOT / "reports/staging").rglob("*") if path.is_file()}
    planted = secrets()
    leaks = {name: [index for index, secret in enumerate(planted) if secret in text] for name, text in told.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


#: Says what a run could change on a host; molecule compares the bare lab by it.
STATE = (ROOT / "lab/state.sh").read_text(encoding="utf-8")
#: What changes by itself every hour does not come in between.
BACKUP_NOT_DUE = (ROOT / "tests/defects/backup_not_due.sh").read_text(encoding="utf-8")


def states() -> dict[str, set[str]]:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(HOSTS, pool.map(lambda host: set(connect(host).check_output("sh -c %s", STATE).splitlines()), HOSTS), strict=True))


def test_a_real_run_of_what_is_mended_rescues_nothing(mended: Mended) -> None:
    for host, counted in mended.ran.recap.items():
        # The one that may fail is the verdict's, on the control node: it is NO-GO.
        wrong = ("unreachable", "rescued", "ignored") if host == "localhost" else ("unreachable", "failed", "rescued", "ignored")
        assert {word: counted[word] for word in wrong if counted[word]} == {}, host
    assert set(HOSTS) <= set(mended.ran.recap)


def test_check_mode_changes_nothing_and_says_the_same(mended: Mended) -> None:
    real = mended.ran
    connect("db1").check_output(BACKUP_NOT_DUE)
    before = states()
    checked = audit(mended.project, "--check", "-vvv", "-e", "golive_fail_on_no_go=false", playbook="golive.yml")
    assert {host: sorted(lines ^ before[host]) for host, lines in states().items()} == {host: [] for host in HOSTS}
    assert [index for index, secret in enumerate(mended.planted) if secret in checked.output] == []
    assert checked.report is None
    assert checked.rc == 0, checked.output
    assert re.search(r'"keep   \d{8}T\d{6}Z-[0-9a-f]{8} \d{4}-\d\d-\d\d \d\d:\d\dZ: [a-z]', checked.output), "nobody says which copies stay, and why"
    # A fix that fails is rescued, and Ansible ends well.
    assert {host: counted for host, counted in checked.recap.items() if counted["failed"] or counted["rescued"] or counted["unreachable"]} == {}
    assert set(HOSTS) <= set(checked.recap)
    assert checked.decided["states"] == {name: item["state"] for name, item in real.items.items()}
    assert "WARNING" not in real.output + checked.output
    assert "DEPRECATION" not in real.output + checked.output
