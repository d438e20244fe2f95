# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the collection's playbooks as a user does, and reading the report that they leave."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "collections"))

from .postgres_server import Cluster, cluster, make_shop

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(sys.executable).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches the lab: one after the other there, while all else has servers of its own and may run side by side."""
    for item in items:
        if {"LAB", "connect"} & vars(t.cast("pytest.Function", item).module).keys():
            item.add_marker(pytest.mark.lab)


@dataclasses.dataclass
class Ran:
    """A run of a playbook: its return code, all that it printed, and its report (None where it wrote none)."""

    rc: int
    output: str
    report: dict[str, t.Any] | None

    @property
    def items(self) -> dict[str, dict[str, t.Any]]:
        assert self.report is not None, self.output
        return {item["id"]: item for item in self.report["items"]}

    def state(self, item: str) -> str:
        return str(self.items[item]["state"])

    def codes(self, item: str) -> set[str]:
        return {row["reason"]["code"] for row in self.items[item]["observations"]} | {self.items[item]["reason"]["code"]}

    def blocks(self, item: str, state: str, code: str) -> None:
        """See that *item* is in that state, that it says why, and that it stands among what blocks a GO."""
        assert self.report is not None, self.output
        assert (self.rc, self.report["verdict"]) == (2, "NO_GO"), self.output
        assert {one["item"]: one["state"] for one in self.report["blockers"]}.get(item) == state, self.items[item]["reason"]
        assert code in self.codes(item), self.codes(item)

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """How many tasks of each host were ok, changed, unreachable, failed, skipped, rescued and ignored."""
        lines = re.findall(r"^(\S+) +: (ok=\d.*)$", self.output.rpartition("PLAY RECAP")[2], re.MULTILINE)
        return {host: {word: int(count) for word, count in re.findall(r"(\w+)=(\d+)", counted)} for host, counted in lines}

    @property
    def decided(self) -> dict[str, t.Any]:
        """What the verdict's task returned, in a run with ``-v`` whose verdict does not fail it."""
        # With -vvv it takes more than one line.
        told = re.findall(r"^ok: \[localhost\] => (\{.*\}|\{\n(?:.*\n)*?\})$", self.output, re.MULTILINE)
        [decided] = [one for one in told if '"verdict": ' in one]
        return dict(json.loads(decided)["golive"])

    def problems(self) -> set[str]:
        assert self.report is not None, self.output
        return {problem["code"] for problem in self.report["problems"]}


class Project:
    """A user's project: where reports go, and what stands over the inventory in this test."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.reports = directory / "reports"

    def inventory(self, name: str, content: t.Any) -> pathlib.Path:
        """Write an inventory file of one's own below ``<directory>/staging`` and return it."""
        path = self.directory / "staging" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content) if not isinstance(content, str) else content)
        return path

    def play(self, playbook: str, *arguments: t.Any, without: str = "", default: str = "") -> Ran:
        """Run *playbook* of the checkout; the line *without* is left out of its ansible.cfg, and *default* is one more of its defaults."""
        before = self._latest()
        settings = (ROOT / "ansible.cfg").read_text().replace("./", f"{ROOT}/").replace(without, "").replace("[defaults]", f"[defaults]\n{default}")
        chosen = self.directory / "ansible.cfg"
        chosen.write_text(settings)
        variables = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(chosen), "ANSIBLE_FORCE_COLOR": "0"}
        variables.pop("ANSIBLE_INVENTORY_UNPARSED_FAILED", None)  # molecule sets it; here the file decides
        argv = [BIN / "ansible-playbook", ROOT / playbook, "-e", f"golive_report_dir={self.reports}", *arguments]
        done = subprocess.run([str(one) for one in argv], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=600, check=False)
        after = self._latest()
        report = json.loads((after / "golive.json").read_text()) if after is not None and after != before else None
        return Ran(done.returncode, done.stdout + done.stderr, report)

    def _latest(self) -> pathlib.Path | None:
        links = sorted(self.reports.glob("*/latest"), key=lambda link: link.lstat().st_mtime)
        return links[-1].resolve() if links else None


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    """A cluster with a shop in it; who needs another one has a fixture of that name."""
    with cluster() as made:
        make_shop(made)
        yield made
