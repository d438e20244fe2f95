# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty checks that everybody writes for a web server: the engine, pytest-testinfra over SSH and on the host, and plain tasks."""

from __future__ import annotations

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.resto.golive.tests.bench import lab, overlay, reads
from ansible_collections.resto.golive.tests.bench.engine import AUDIT
from ansible_collections.resto.golive.tests.bench.measure import median_s, ratio, rounds
from ansible_collections.resto.golive.tests.bench.table import Floor, Row, seconds

HERE = pathlib.Path(__file__).parent
HOST = "edge1"
COUNT = len(reads.WEB_SERVER)
TESTS = HERE / "web_server_testinfra.py"
#: What testinfra needs on a host: pure Python, so it can be carried there. (pygments is pytest's.)
CARRIED = ("py.py", "_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments", "testinfra")


def rows() -> list[Row]:
    told = f"(seen.golive.rows | selectattr('status', 'eq', 'pass') | length) == {COUNT}"
    proof = [{**AUDIT, "register": "seen"}, {"name": "All of them", "ansible.builtin.assert": {"that": told}, "tags": ["always"]}]
    ours(lab.playbook("web_server_proof", {"hosts": HOST, "tasks": proof}))
    book = lab.playbook("web_server", {"hosts": HOST, "tasks": [AUDIT]})
    plain = lab.playbook("web_server_plain", {"hosts": HOST, "tasks": plain_tasks()})
    over_ssh()
    seen = rounds(3, ours=lambda: ours(book), testinfra=over_ssh, plain=lambda: lab.play(plain))
    with carried():
        there = statistics.median(on_the_host() for _run in range(5))
    took = seconds(median_s(seen["ours"]))
    what = f"{COUNT} common checks, one host"
    return [
        Row(f"{what}; testinfra over SSH", took, seconds(median_s(seen["testinfra"])), ratio(seen["testinfra"], seen["ours"]), Floor(at_least=4)),
        Row(f"{what}; plain tasks over SSH", took, seconds(median_s(seen["plain"])), ratio(seen["plain"], seen["ours"])),
        Row(f"{what}; testinfra typed on the host itself: faster than any run over SSH", took, seconds(there), there / median_s(seen["ours"])),
    ]


def ours(book: pathlib.Path) -> str:
    return lab.play(book, "-t", reads.WEB_SERVER_TAG, collections=overlay.COLLECTIONS)


def testinfra(*arguments: str) -> list[str]:
    # Nothing of this project's own pytest settings, no cache, and only the one plugin.
    return ["-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", *arguments]


def over_ssh() -> None:
    with tempfile.TemporaryDirectory(prefix="cp", dir="/tmp") as sockets:
        shared = f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={sockets}/%C"
        hosts = [f"--hosts=ssh://{HOST}", f"--ssh-config={lab.SSH_CONFIG}", f"--ssh-extra-args={shared}"]
        told = lab.checked(
            [sys.executable, *testinfra(*hosts, str(TESTS))], env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "PYTHONDONTWRITEBYTECODE": "1"}
        )
        lab.hang_up(pathlib.Path(sockets))
    if f"{COUNT} passed" not in told:
        sys.exit(f"testinfra did not pass {COUNT} tests: {told[-500:]}")


@contextlib.contextmanager
def carried() -> t.Iterator[None]:
    """Carry testinfra to the host for as long as it is needed."""
    import pytest

    packages = pathlib.Path(pytest.__file__).parents[1]
    distributions = [path.name for path in packages.glob("pytest_testinfra-*.dist-info")]
    pack = ["tar", "--create", "--gzip", "--exclude=__pycache__", "-C", str(packages), *CARRIED, *distributions, "-C", str(HERE), TESTS.name, "reads.py"]
    data = subprocess.run(pack, capture_output=True, check=True).stdout
    subprocess.run(lab.ssh(HOST, "sh", "-c", "mkdir /tmp/golive-bench-testinfra && tar -xz -C /tmp/golive-bench-testinfra"), input=data, check=True)
    try:
        on_the_host()  # compiles what it imports, as an installed one is
        yield
    finally:
        subprocess.run(lab.ssh(HOST, "rm", "-rf", "/tmp/golive-bench-testinfra"), check=True)


def on_the_host() -> float:
    """Return what testinfra takes on the host, by the host's own clock, the connection left out."""
    command = ["python3", *testinfra("--hosts=local://", TESTS.name)]
    script = (
        "import os, subprocess, time; os.chdir('/tmp/golive-bench-testinfra'); began = time.monotonic(); "
        f"told = subprocess.run({command!r}, capture_output=True, text=True); took = time.monotonic() - began; "
        f"assert '{COUNT} passed' in told.stdout, told; print(took)"
    )
    return float(subprocess.run(lab.ssh(HOST, "python3", "-c", script), capture_output=True, text=True, check=True).stdout)


def plain_tasks() -> list[dict[str, t.Any]]:
    """The same assertions with Ansible's own modules, grouped in loops as people write them."""

    def of(kind: str) -> list[tuple[str, t.Any]]:
        return [(subject, wanted) for name, subject, wanted in reads.WEB_SERVER if name == kind]

    lines = [dict(zip(("path", "line"), subject.split(":", 1), strict=True)) for subject, _wanted in of("line")]
    files = [{"path": subject, "owner": owner, "mode": mode} for subject, (owner, mode) in of("file")]
    return [
        {"name": "Packages", "ansible.builtin.package_facts": {"manager": "apt"}},
        {"name": "Packages are there", "ansible.builtin.assert": {"that": [f"'{subject}' in ansible_facts.packages" for subject, _wanted in of("package")]}},
        {
            "name": "Processes",
            "ansible.builtin.command": {"argv": ["pgrep", "-x", "{{ item }}"]},
            "changed_when": False,
            "loop": [subject for subject, _wanted in of("process")],
        },
        {"name": "Ports", "ansible.builtin.wait_for": {"port": "{{ item }}", "timeout": 1}, "loop": [int(subject) for subject, _wanted in of("port")]},
        {
            "name": "Files",
            "ansible.builtin.file": {"path": "{{ item.path }}", "owner": "{{ item.owner }}", "mode": "{{ item.mode }}"},
            "check_mode": True,
            "register": "file",
            "failed_when": "file is changed or file is failed",
            "loop": files,
        },
        {
            "name": "Lines",
            "ansible.builtin.lineinfile": {"path": "{{ item.path }}", "line": "{{ item.line }}"},
            "check_mode": True,
            "register": "line",
            "failed_when": "line is changed or line is failed",
            "loop": lines,
        },
    ]
