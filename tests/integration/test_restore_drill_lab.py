# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer, the restore drill that it starts, and whoever hears of it, joined: once with a stored backup that is wrong, once with it mended.

Needs a lab that runs and was mended (``make demo``). ops1 plays the control node's systemd; what its unit is told to run is run here, on the real db1, and
how that ended is what the unit ends with. Reports and ledger are the test's own. What is spoilt is given back.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from .test_lab import ROOT, connect
from .test_schedule import HOME, schedule, sh, until

SERVICE = "golive-restore-drill-staging.service"
TIMER = SERVICE.replace(".service", ".timer")
SPOIL = (ROOT / "tests/defects/postgres_copies.py").read_bytes()
BACKUP_NOT_DUE = (ROOT / "tests/defects/backup_not_due.sh").read_text()

#: Says what it was told to run, and ends as that did.
RELAY = f"""#!/bin/sh
echo "$*" > {HOME}/asked.new && mv {HOME}/asked.new {HOME}/asked
read -r rc < {HOME}/answer
exit "$rc"
"""

#: The timer as it is, but for its hour.
SOON = "[Timer]\nOnActiveSec=1\nAccuracySec=10ms\n"


@pytest.fixture
def timer() -> t.Iterator[None]:
    sh(f"install -d -o golive -g golive {HOME} {HOME}/staging && cd {HOME} && mkfifo -m 666 answer && echo {encoded(RELAY)} | base64 -d > ansible-playbook")
    sh(f"chmod 755 {HOME}/ansible-playbook")
    try:
        schedule(golive_schedule_when={"restore_drill": "30 4 * * 0"})
        drop_in = f"/run/systemd/system/{TIMER}.d"
        sh(f"systemctl stop {TIMER} && mkdir -p {drop_in} && echo {encoded(SOON)} | base64 -d > {drop_in}/soon.conf && systemctl daemon-reload")
        yield
    finally:
        sh(f"systemctl stop {TIMER} {SERVICE}")
        schedule(golive_schedule_state="absent")
        sh(f"rm -rf {HOME} /run/systemd/system/{TIMER}.d && systemctl daemon-reload && systemctl reset-failed")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def spoil(how: str) -> None:
    words = "runuser -u golive_backup -- env PYTHONPATH=/usr/local/lib/golive PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -"
    connect("db1").check_output(f"cd / && echo {base64.b64encode(SPOIL).decode()} | base64 -d | {words} {how}")


def fired(reports: pathlib.Path) -> tuple[int, str]:
    """Let the timer come round; return how the drill ended, and what systemd says of it."""
    sh(f"rm -f {HOME}/asked && systemctl restart {TIMER}")
    asked = until(lambda: sh(f"cat {HOME}/asked 2>/dev/null || true"), bool).split()
    program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    argv = [sys.executable, program, *asked, "-e", json.dumps({"golive_report_dir": str(reports)})]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL)
    assert "WARNING]" not in done.stdout + done.stderr
    sh(f"echo {done.returncode} > {HOME}/answer")
    show = f"systemctl show {SERVICE} --property=ActiveState,Result,ExecMainStatus --value"
    said = until(lambda: " ".join(sh(show).split()), lambda told: "activating" not in told)
    return done.returncode, said


def on_db1() -> tuple[str, int]:
    """Return what the metrics say of the last drill, and how many drills went well."""
    ok = connect("db1").check_output("grep '^golive_restore_drill_ok ' /var/lib/golive/metrics/golive_restore_drill.prom")
    assert connect("db1").check_output("find /var/lib/golive -maxdepth 1 -name 'drill-*'") == ""
    return ok, len(connect("db1").check_output("cat /var/lib/golive/history.jsonl").splitlines())


def told(reports: pathlib.Path) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Return the item in the report, and every drill that the report knows of; the ledger of the run is sealed and has the same word."""
    latest = (reports / "staging" / "latest").resolve()
    report = json.loads((latest / "golive.json").read_text())
    (item,) = [one for one in report["items"] if one["id"] == "postgres.restore"]
    (rows,) = [path for path in reports.glob("staging/runs/*/db1.jsonl") if path.parent.name == latest.name]
    assert (rows.parent / "run.json").is_file()
    (row,) = [one for one in map(json.loads, rows.read_text().splitlines()) if one.get("check") == "restore_drill"]
    assert (row["item"], row["status"], row["reason"]["code"]) == ("postgres.restore", item["state"], item["observations"][0]["reason"]["code"])
    return item, report["restores"]


#: What every kernel and every container gives, and what is given together or not at all: a container on cgroup v1 may make no group, and no file system of
#: its own. Of the two that shut the network out, one is enough.
ALWAYS = {"User", "NoNewPrivileges", "PGDATA", "Nice", "LimitCORE"}
NETWORK = {"PrivateNetwork", "RestrictAddressFamilies"}
TOGETHER = ({"MemoryMax", "TasksMax"}, {"PrivateTmp", "ProtectSystem"})


def caged(item: dict[str, t.Any]) -> None:
    """The walls that the report says stood around the copy are those that were promised, as far as this kernel gives them."""
    (cage,) = [one for one in item["observations"][0]["evidence"] if one["assertion"].startswith("restore_drill.cage_")]
    stood = {name for name, stands in cage["observed"].items() if stands}
    assert set(cage["observed"]) == {*ALWAYS, *NETWORK, "InaccessiblePaths"}.union(*TOGETHER)
    assert stood >= ALWAYS
    assert stood & NETWORK
    assert [kind & stood for kind in TOGETHER if kind & stood not in (kind, set())] == []
    assert (cage["status"], cage["assertion"]) == ("pass", f"restore_drill.cage_{'whole' if stood == set(cage['observed']) else 'partly'}")


def test_a_timer_tells_of_a_backup_that_does_not_come_back_and_of_one_that_does(timer: None, tmp_path: pathlib.Path) -> None:
    well = on_db1()[1]
    connect("db1").check_output(BACKUP_NOT_DUE)
    try:
        spoil("a_row_more")
        assert fired(tmp_path) == (2, "exit-code 2 failed")
    finally:
        spoil("back")
    item, drills = told(tmp_path)
    assert (item["state"], item["observations"][0]["reason"]["code"]) == ("fail", "restore_drill.rows_differ")
    assert [one["status"] for one in drills] == ["fail"]
    assert on_db1() == ("golive_restore_drill_ok 0", well)
    assert sh(f"systemctl show {SERVICE.replace('.service', '-failed.service')} --property=Result,ExecMainStatus --value").split() == ["success", "0"]
    assert fired(tmp_path) == (0, "success 0 inactive")
    item, drills = told(tmp_path)
    assert (item["state"], [one["status"] for one in drills]) == ("pass", ["fail", "pass"])
    caged(item)
    assert on_db1() == ("golive_restore_drill_ok 1", well + 1)
