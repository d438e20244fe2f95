# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running lab, as defects and the soak need it: looked at by the audit that users run, changed by plain tasks."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml
from journal import Journal
from trial import NO_DRILLS, Defect, Drills, Look

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
PLAYBOOKS = ROOT / "playbooks"
LATEST = ROOT / "reports" / "staging" / "latest"
#: The host whose backups are scheduled, and what it does before anything is seeded anywhere.
COPIES, LET_PASS = "db1", [{"name": "Wait", "ansible.builtin.include_tasks": "{{ golive_defects }}/backup_not_due.yml"}]

Play = tuple[str, dict[str, t.Any]]  # host, and what is played there


class RunningLab:
    """Counts its audits and their time on the way."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.looks = 0
        self.looking_s = 0.0

    def look(self, drills: Drills = NO_DRILLS) -> Look:
        items = self.audit(drills)["items"]
        return Look(
            {item["id"]: item["state"] for item in items},
            {item["id"]: item["reason"]["text"]["en"] for item in items},
            {item["id"]: item["reason"]["code"] for item in items},
        )

    def audit(self, drills: Drills = NO_DRILLS) -> dict[str, t.Any]:
        """Run the whole audit, with these drills in it, and return its report; one that did not finish is never taken for an old one."""
        before, started = LATEST.resolve(), time.monotonic()
        output = tasks(drilled(drills), "-e", "golive_fail_on_no_go=false")
        if LATEST.resolve() == before:
            sys.exit(f"{output}\nthe audit left no report")
        self.looks += 1
        self.looking_s += time.monotonic() - started
        report: dict[str, t.Any] = json.loads((LATEST / "golive.json").read_text(encoding="utf-8"))
        return report

    def change(self, restore: t.Sequence[Defect] = (), inject: t.Sequence[Defect] = ()) -> None:
        """Mend all, then seed, one defect after the other on each host and the hosts side by side: those of one group share nothing."""
        self._journal.note(*restore, *inject)
        self._mend(restore, [(COPIES, _play("Let what is scheduled pass", COPIES, LET_PASS))] if inject else [])
        self._journal.note(*inject)
        _on_their_hosts((one.host, _play(f"Seed {one.id}", one.host, one.inject)) for one in inject)

    def mend_what_was_left(self) -> None:
        """Mend what the journal says is in the lab; each restore must also work where its defect was never seeded."""
        left = self._journal.broken()
        for defect in left:
            print(f"mending {defect.id}, which was left in the lab", flush=True)
        self._mend(left)
        self._journal.note()

    def _mend(self, defects: t.Iterable[Defect], then: t.Sequence[Play] = ()) -> None:
        _on_their_hosts([*((one.host, _play(f"Mend {one.id}", one.host, one.restore)) for one in defects), *then])


def _on_their_hosts(plays: t.Iterable[Play]) -> None:
    by_host: dict[str, list[dict[str, t.Any]]] = {}
    for host, one in plays:
        by_host.setdefault(host, []).append(one)
    if "localhost" in by_host:  # it changes the inventory, which all others read
        tasks(by_host.pop("localhost"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(tasks, by_host.values()))


def _play(name: str, host: str, listed: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"name": name, "hosts": host, "gather_facts": False, "any_errors_fatal": True, "vars": {"golive_defects": str(HERE)}, "tasks": listed}


def drilled(drills: Drills) -> list[dict[str, t.Any]]:
    """Return the audit that users run, with a play between its looking and its verdict in which each of *drills* acts, due or not."""
    audit: list[dict[str, t.Any]] = yaml.safe_load((PLAYBOOKS / "audit.yml").read_text(encoding="utf-8"))
    plays = [{**play, "ansible.builtin.import_playbook": str(PLAYBOOKS / play["ansible.builtin.import_playbook"])} for play in audit]
    acts = [
        {
            "name": f"Run {drill}",
            "hosts": group,
            "gather_facts": False,
            "become": True,
            "tags": ["always"],
            "tasks": [{"name": drill, f"resto.golive.{drill}": {}}],
        }
        for drill, group in drills.items()
    ]
    return [*plays[:-1], *acts, plays[-1]]


def tasks(plays: list[dict[str, t.Any]], *arguments: str) -> str:
    (ROOT / ".cache").mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=ROOT / ".cache") as playbook:
        yaml.safe_dump(plays, playbook, sort_keys=False)
        playbook.flush()
        return play(playbook.name, *arguments)


def play(*arguments: str) -> str:
    """Run a playbook on the lab and return its output; where it fails, that is the end, and the output is shown."""
    argv = [str(one) for one in (PLAYBOOK, "-i", ROOT / "staging", *arguments)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{PLAYBOOK.name} ended with {done.returncode}")
    return done.stdout + done.stderr
