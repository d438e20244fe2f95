# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seed each defect into the running lab, see exactly its items turn, mend it, see green again; print a matrix.

Usage: tests/defects/run.py [ITEM...]; ``make defects ITEM=redis.persistence``. Needs a lab that was mended (``make demo``). A defect that nothing notices, an
item that turns without being named, and a restore that does not restore make it fail.

A defect is one YAML file: ``name``, ``host``, ``items`` (item: the state that it must turn to), ``inject`` and ``restore`` (lists of Ansible tasks).
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
LATEST = ROOT / "reports" / "staging" / "latest" / "golive.json"

States = dict[str, str]


def play(*arguments: t.Any) -> None:
    """Run a playbook on the lab; its output is shown only when it fails."""
    done = subprocess.run([str(one) for one in (PLAYBOOK, "-i", ROOT / "staging", *arguments)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}")


def tasks(host: str, listed: list[dict[str, t.Any]]) -> None:
    body = [{"name": "Seed or mend a defect", "hosts": host, "gather_facts": False, "tasks": listed}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=ROOT / ".cache") as playbook:
        yaml.safe_dump(body, playbook, sort_keys=False)
        playbook.flush()
        play(playbook.name)


def look() -> States:
    play("playbooks/audit.yml", "-e", "golive_fail_on_no_go=false")
    return {item["id"]: item["state"] for item in json.loads(LATEST.read_text(encoding="utf-8"))["items"]}


def changed(before: States, after: States) -> States:
    return {item: state for item, state in after.items() if state != before[item]}


def tried(path: pathlib.Path, healthy: States) -> list[str]:
    """Return what is wrong with the defect at *path*, or with our sight of it."""
    defect = yaml.safe_load(path.read_text(encoding="utf-8"))
    wanted = defect["items"]
    try:
        tasks(defect["host"], defect["inject"])
        seen = changed(healthy, look())
    finally:
        tasks(defect["host"], defect["restore"])
    left = changed(healthy, look())
    return [f"turned {seen}, wanted {wanted}"] * (seen != wanted) + [f"after its restore: {left}"] * bool(left)


def main(items: list[str]) -> None:
    paths = sorted(path for path in HERE.glob("*/*.yml") if not items or path.parent.name in items)
    if not paths:
        sys.exit(f"no defects for {', '.join(items)}")
    healthy = look()
    sick = [item for item in {path.parent.name for path in paths} if healthy[item] not in ("pass", "attested")]
    if sick:
        sys.exit(f"not green before anything was broken: {', '.join(sick)}")
    failed = 0
    for path in paths:
        started = time.monotonic()
        problems = tried(path, healthy)
        failed += bool(problems)
        print(f"{'MISSED' if problems else 'caught'}  {path.parent.name}/{path.stem}  {time.monotonic() - started:.0f} s  {'; '.join(problems)}", flush=True)
    print(f"{len(paths) - failed} of {len(paths)} defects caught, each by its own items and by no other")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
