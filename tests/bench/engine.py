# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine alone: 45 trivial checks on all hosts, against one module a task, bare SSH, one host more, and a far away lab."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from ansible_collections.resto.golive.tests.bench import lab, overlay, reads
from ansible_collections.resto.golive.tests.bench.delay import proxies
from ansible_collections.resto.golive.tests.bench.measure import Sample, median_cpu_s, median_s, ratio, rounds
from ansible_collections.resto.golive.tests.bench.table import Floor, Row, seconds

EACH_WAY_S = 0.025
AUDIT = {"name": "Observe", "resto.golive.audit": {}, "tags": ["always"]}
PICK = ("-t", reads.EVERYWHERE_TAG)
COUNT = len(reads.EVERYWHERE)


def rows() -> list[Row]:
    prove()
    book = lab.playbook("engine", {"hosts": "all", "tasks": [AUDIT]})
    apart = lab.playbook("apart", {"hosts": "all", "tasks": [{"name": name, f"resto.golive.{name}": {}} for name in overlay.names("everywhere")]})
    pairs = rounds(2, ours=lambda: wave(book), apart=lambda: lab.play(apart, collections=overlay.COLLECTIONS))
    ping = lab.playbook("ping", {"hosts": "all", "tasks": [{"name": "Ping", "ansible.builtin.ping": {}}]})
    near = rounds(5, ours=lambda: wave(book), bare=bare, ping=lambda: lab.play(ping))
    hosts = len(lab.ports())
    what = f"engine: {COUNT} trivial checks, {hosts} hosts"
    return [
        Row(f"{what}; one module a task", _s(pairs["ours"]), _s(pairs["apart"]), ratio(pairs["apart"], pairs["ours"]), Floor(at_least=20)),
        Row(f"{what}; bare `ssh host python3`, side by side", _s(near["ours"]), _s(near["bare"]), ratio(near["ours"], near["bare"]), Floor(at_most=2.5)),
        Row(
            f"engine: {COUNT} trivial checks, {hosts} hosts; one ansible.builtin.ping on each",
            _s(near["ours"]),
            _s(near["ping"]),
            ratio(near["ours"], near["ping"]),
        ),
        Row(
            f"one ansible.builtin.ping on each of {hosts} hosts, which looks at nothing; bare `ssh host python3`, which looks at all",
            _s(near["ping"]),
            _s(near["bare"]),
            ratio(near["ping"], near["bare"]),
        ),
        further_host(book),
        far_away(book),
    ]


def wave(book: pathlib.Path, *more: object) -> str:
    """One audit of the bench's checks by the real door and the real runner."""
    return lab.play(book, *PICK, *more, collections=overlay.COLLECTIONS)


def prove() -> None:
    """See once, untimed, that every check of either way ran on every host and passed: fast is easy for what does nothing."""
    told = "golive.rows | selectattr('status', 'eq', 'pass') | length"
    ours = [{**AUDIT, "register": "seen"}, {"name": "All of them", "ansible.builtin.assert": {"that": f"seen.{told} == {COUNT}"}, "tags": ["always"]}]
    wave(lab.playbook("engine_proof", {"hosts": "all", "tasks": ours}))
    one_by_one = [{"name": name, f"resto.golive.{name}": {}, "register": "seen", "failed_when": f"seen.{told} != 1"} for name in overlay.names("everywhere")]
    lab.play(lab.playbook("apart_proof", {"hosts": "edge1", "tasks": one_by_one}), collections=overlay.COLLECTIONS)


def bare() -> None:
    """The floor: the same reads, their source on the standard input of the hosts' Python, all hosts at once, nothing else."""
    script = pathlib.Path(reads.__file__).read_text(encoding="utf-8") + (
        "\nimport json\nseen = [look(kind, subject) == wanted for kind, subject, wanted in EVERYWHERE]\nprint(json.dumps(seen))\nassert all(seen)\n"
    )
    running = [subprocess.Popen(lab.ssh(host, "sudo", "python3", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) for host in lab.ports()]
    for child in running:
        assert child.stdin is not None
        child.stdin.write(script.encode())
        child.stdin.close()
    for child in running:
        assert child.stdout is not None
        child.stdout.read()
        if child.wait():
            sys.exit("the bare floor failed on a host")


def further_host(book: pathlib.Path) -> Row:
    """Every host under a second name: twice as many, and what the control node's processes took for each that was added."""
    once = lab.ports()
    twins = lab.inventory("twins", {f"{host}twin": {"ansible_port": port} for host, port in once.items()})
    seen = rounds(3, six=lambda: wave(book), twelve=lambda: wave(book, "-i", twins))
    more = (median_cpu_s(seen["twelve"]) - median_cpu_s(seen["six"])) / len(once)
    return Row(
        f"engine: controller CPU of a further host, {len(once)} to {2 * len(once)}",
        f"{seconds(median_cpu_s(seen['twelve']))} CPU",
        f"{seconds(median_cpu_s(seen['six']))} CPU",
        more,
        Floor(at_most=0.2),
        "s",
    )


def far_away(book: pathlib.Path) -> Row:
    with proxies(lab.ports(), EACH_WAY_S) as late:
        far = lab.inventory(
            "far", {host: {"ansible_port": late[host], "ansible_ssh_extra_args": f"-o HostKeyAlias=[127.0.0.1]:{port}"} for host, port in lab.ports().items()}
        )
        seen = rounds(3, near=lambda: wave(book), far=lambda: wave(book, "-i", far))
    return Row("engine: 50 ms of round trip more", _s(seen["far"]), _s(seen["near"]), ratio(seen["far"], seen["near"]), Floor(at_most=1.5))


def _s(samples: list[Sample]) -> str:
    return seconds(median_s(samples))
