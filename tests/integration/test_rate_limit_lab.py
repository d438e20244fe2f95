# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's limits on the lab's edge: what nginx refuses is taken back to the letter, check mode foretells what happens, and a second run changes nothing.

Needs a lab that runs and was mended (``make demo`` or molecule's ``converge``), and leaves it so.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
#: Nobody's but ours, and refused only beside the role's own file: a server block takes one limit_req_status.
STRAY = "/etc/nginx/comanda.d/api/zz_test.conf"
OURS = ["/etc/nginx/conf.d/golive_rate_limit.conf", "/etc/nginx/comanda.d/admin/golive_rate_limit.conf", "/etc/nginx/comanda.d/api/golive_rate_limit.conf"]
ROLE: dict[str, t.Any] = {"name": "Limit", "ansible.builtin.include_role": {"name": "resto.golive.security"}}
#: Never handled by accident: a play that fails leaves its handlers to the next one.
FLUSH = {"name": "Reload", "ansible.builtin.meta": "flush_handlers"}


def play(folder: pathlib.Path, *tasks: dict[str, t.Any], arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([{"name": "Edge", "hosts": "edge", "gather_facts": False, "tasks": list(tasks)}], sort_keys=False))
    argv = [str(PLAYBOOK), "-i", str(ROOT / "staging"), *arguments, str(path)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def edge(folder: pathlib.Path, *argv: str) -> str:
    done = play(folder, {"name": "Ask", "ansible.builtin.command": {"argv": list(argv)}, "become": True, "changed_when": False}, arguments=("-v",))
    assert done.returncode == 0, done.stdout
    return done.stdout


def sums(folder: pathlib.Path) -> str:
    """Return what the role's files hold, as checksums by path."""
    return "\n".join(sorted(set(re.findall(r"[0-9a-f]{64}  /etc/nginx/\S+?(?=[\\\"\s])", edge(folder, "sha256sum", *OURS)))))


def changed(done: subprocess.CompletedProcess[str]) -> int:
    found = re.search(r"edge1 .*changed=(\d+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return int(found[1])


@pytest.fixture
def stray(tmp_path: pathlib.Path) -> t.Iterator[None]:
    """A limit of the team's own that the role's does not go with; afterwards the lab is as it was."""
    put = {"name": "Put", "ansible.builtin.copy": {"dest": STRAY, "content": "limit_req_status 418;\n", "mode": "0644"}, "become": True}
    gone: dict[str, t.Any] = {"name": "Take away", "ansible.builtin.file": {"path": "{{ item }}", "state": "absent"}, "become": True}
    assert play(tmp_path, {**gone, "loop": OURS}, put).returncode == 0
    yield
    assert play(tmp_path, {**gone, "loop": [STRAY]}, ROLE, FLUSH).returncode == 0


def test_a_second_run_changes_nothing(tmp_path: pathlib.Path) -> None:
    for arguments in ((), ("--check",)):
        done = play(tmp_path, ROLE, FLUSH, arguments=arguments)
        assert done.returncode == 0, done.stdout
        assert changed(done) == 0
        assert "WARNING" not in done.stdout + done.stderr


def test_check_mode_foretells_and_leaves_it(tmp_path: pathlib.Path) -> None:
    before = sums(tmp_path)
    assert before.count("\n") == 2
    fewer = ("-e", '{"security_rate_limit_routes": [{"request": "POST admin:/login", "rate": "20/m", "burst": 5}]}')
    done = play(tmp_path, ROLE, FLUSH, arguments=("--check", "--diff", *fewer))
    assert done.returncode == 0, done.stdout
    assert "+limit_req_zone $golive_limit_1 zone=golive_limit_1:10m rate=20r/m;" in done.stdout
    assert changed(done) > 0
    assert sums(tmp_path) == before


@pytest.mark.usefixtures("stray")
def test_what_nginx_refuses_is_taken_back(tmp_path: pathlib.Path) -> None:
    done = play(tmp_path, ROLE, FLUSH)
    assert done.returncode != 0
    assert "limit_req_status" in done.stdout
    assert "directive is duplicate" in done.stdout
    assert "The limits were taken back, nginx is as it was" in done.stdout
    edge(tmp_path, "nginx", "-t", "-q")
    left = edge(tmp_path, "find", "/etc/nginx", "-name", "golive_rate_limit.conf")
    assert "/golive_rate_limit.conf" not in left


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ('{"request": "POST admin:/login", "rate": "10/m", "key": "login"}', "who sends a cookie is known to the application alone"),
        ('{"request": "GET api:/healthz", "rate": "10/h"}', "nginx counts by second and minute"),
        ('{"request": "GET https://other.comanda.test/x", "rate": "10/m"}', "its name is not in golive_domains"),
        ('{"request": "GET website:/", "rate": "10/m"}', "include /etc/nginx/comanda.d/website/*.conf;"),
    ],
)
def test_what_nginx_cannot_do_is_refused_before_anything_changes(tmp_path: pathlib.Path, route: str, told: str) -> None:
    done = play(tmp_path, ROLE, arguments=("-e", f'{{"security_rate_limit_routes": [{route}]}}'))
    assert done.returncode != 0
    assert told in done.stdout
    assert changed(done) == 0
