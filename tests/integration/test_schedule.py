# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``resto.golive.schedule`` on a real systemd and a real cron directory: the lab's ops1 plays the control node, and a stand-in plays ansible-playbook.

Needs a lab that runs (``make lab``). What it makes there it takes away.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import typing as t

import pytest

from .test_lab import HOSTS, LAB, ROOT, connect

HOST = "ops1"
HOME = "/var/tmp/golive-schedule-test"
ARGUMENTS = "resto.golive.{} -i staging"

#: Says how it was started, and ends as it is told to.
STAND_IN = f"""#!/bin/sh
echo "who $(id -un) where $(pwd) locale $LC_ALL nice $(nice) input $(readlink /proc/self/fd/0) args $*"
exit "$(cat {HOME}/rc)"
"""

BOTH = {"restore_drill": "30 4 * * 0", "audit": "0 6 * * *"}


def schedule(*arguments: str, **variables: t.Any) -> dict[str, int]:
    """Run the playbook with ops1 in the place of localhost; returns what the recap counts."""
    there = {
        "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": HOSTS[HOST]["ansible_port"], "ansible_user": "golive",
        "ansible_ssh_private_key_file": str(LAB / "id_ed25519"), "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes",
        "golive_schedule_project": HOME, "golive_schedule_environment": "staging", "golive_schedule_program": f"{HOME}/ansible-playbook",
    }  # fmt: skip
    program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    argv = [sys.executable, program, "resto.golive.schedule", "-i", "localhost,", "-e", json.dumps({**there, **variables}), *arguments]
    env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert "WARNING]" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", done.stdout.partition("PLAY RECAP")[2])}


def sh(command: str) -> str:
    return t.cast("str", connect(HOST).check_output(command))


def until(found: t.Callable[[], str], wanted: t.Callable[[str], bool]) -> str:
    end = time.monotonic() + 30
    while not wanted(said := found()):
        assert time.monotonic() < end, said
        time.sleep(0.1)
    return said


def made() -> list[str]:
    found = sh("find /etc/systemd/system /etc/cron.d -name 'golive*staging*' -type f -printf '%f\\n'")
    return sorted(found.split())


@pytest.fixture(scope="module", autouse=True)
def project() -> t.Iterator[None]:
    """A project that golive owns, for the time of these tests."""
    sh(f"install -d -o golive -g golive {HOME} {HOME}/staging && printf %s {shlex.quote(STAND_IN)} > {HOME}/ansible-playbook && echo 0 > {HOME}/rc")
    sh(f"chmod 755 {HOME}/ansible-playbook")
    yield
    schedule(golive_schedule_state="absent")
    sh(f"rm -r {HOME} && systemctl reset-failed")
    assert made() == []


def started(job: str) -> str:
    """Start a job as its timer does, and return the line of the stand-in."""
    sh(f"systemctl start golive-{job}-staging.service || true")
    return told(f"--unit golive-{job}-staging.service", "who ")


def told(of: str, start: str) -> str:
    """Return the newest line of the journal that begins so, as soon as there is one: the journal reads what a service says when it comes to it."""
    line = re.compile(f"^{start}.*", re.MULTILINE)
    journal = f"journalctl --quiet --no-pager --output cat --lines 20 {of}"
    return str(line.findall(until(lambda: sh(journal), lambda said: bool(line.search(said))))[-1])


def test_check_mode_writes_nothing() -> None:
    assert schedule("--check", "--diff", golive_schedule_when=BOTH)["changed"] == 1
    assert made() == []


def test_timers() -> None:
    assert schedule(golive_schedule_when=BOTH)["changed"] == 2
    units = [f"golive-{job}-staging{kind}" for job in ("audit", "restore-drill") for kind in ("-failed.service", ".service", ".timer")]
    assert made() == sorted(units)
    assert sh(f"systemd-analyze verify {' '.join('/etc/systemd/system/' + unit for unit in units)} 2>&1") == ""
    assert schedule(golive_schedule_when=BOTH)["changed"] == 0, "a second run"

    for job, when in (("restore-drill", "Sun *-*-* 04:30:00"), ("audit", "*-*-* 06:00:00")):
        shown = sh(f"systemctl show golive-{job}-staging.timer --property=TimersCalendar,Persistent,UnitFileState,ActiveState")
        assert f"OnCalendar={when} ;" in shown
        assert {"Persistent=yes", "UnitFileState=enabled", "ActiveState=active"} <= set(shown.splitlines())
        assert "next_elapse=n/a" not in shown


def test_what_a_timer_starts() -> None:
    said = started("restore-drill")
    assert said == f"who golive where {HOME} locale C.UTF-8 nice 10 input /dev/null args {ARGUMENTS.format('restore_drill')}"
    sh(f"echo 2 > {HOME}/rc")
    assert started("audit").endswith(ARGUMENTS.format("audit"))
    assert sh("systemctl show golive-audit-staging.service --property=Result,ExecMainStatus").split() == ["Result=exit-code", "ExecMainStatus=2"]
    assert told("--identifier golive-schedule", "audit of staging failed")
    assert sh("systemctl show golive-audit-staging-failed.service --property=Result") == "Result=success"


def test_one_job_at_a_time() -> None:
    """The lock is held: the job does not even begin."""
    lock = sh("systemctl show golive-audit-staging.service --property=ExecStart --value").partition("argv[]=")[2].partition(" ;")[0]
    assert "--timeout 3600" in lock
    busy = connect(HOST).run(f"flock {HOME}/staging {lock.replace('--timeout 3600', '--nonblock')}")
    assert (busy.rc, busy.stdout) == (75, "")


def test_cron_in_place_of_timers_and_a_job_less() -> None:
    schedule(golive_schedule_scheduler="cron")
    assert made() == ["golive_staging"]
    line = sh("cat /etc/cron.d/golive_staging").splitlines()[-1]
    assert line.startswith("30 4 * * 0 golive cd ")
    assert sh("grep -c resto.golive /etc/cron.d/golive_staging") == "2", "the head line and one job"
    sh(f"echo 3 > {HOME}/rc")
    sh(f"env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 /usr/sbin/runuser -u golive -- /bin/sh -c {shlex.quote(line.partition(' golive ')[2])}")
    said = told("--identifier golive-restore-drill-staging", "who ")
    assert said == f"who golive where {HOME} locale C.UTF-8 nice 10 input /dev/null args {ARGUMENTS.format('restore_drill')}"
    assert told("--identifier golive-schedule", "restore-drill of staging failed")
