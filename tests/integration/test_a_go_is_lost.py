# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system that is GO, and each harm alone that must take it away: what is NO-GO anyhow, for the sake of thirty other boxes, shows nothing. No lab."""

from __future__ import annotations

import pathlib
import shutil
import sys
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue

from .conftest import ROOT, Project, Ran
from .test_never_a_false_pass import DEAD, EVIDENCE, LOCAL, LOST, OWNER

#: Every section but one is declared away and approved; that one, of which no check speaks, is proven by hand.
AWAY = {
    f"{section}_not_applicable": {"reason": "r", "by": "ana@comanda.example", "approver": "luis@comanda.example"}
    for section in {item.section for item in catalogue.items().values()} - {"observability"}
}
BY_HAND = sorted(name for name, item in catalogue.items().items() if item.section == "observability")

#: This machine has servers of other tests, which would rightly contradict what is declared away.
SEES_NO_PROCESS = """
import glob
real = glob.glob
glob.glob = lambda path, *rest, **more: [] if str(path).startswith("/proc/") else real(path, *rest, **more)
"""


class Shop:
    """One host that is reached, and what it takes for a GO."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.runs = project.reports / "staging" / "runs"
        here = project.directory / "sees no process"
        here.mkdir()
        (here / "sitecustomize.py").write_text(SEES_NO_PROCESS)
        python = project.directory / "python"
        python.write_text(f"#!/bin/sh\nPYTHONPATH='{here}' exec '{sys.executable}' \"$@\"\n")
        python.chmod(0o755)
        self.host: dict[str, object] = {**LOCAL, "ansible_python_interpreter": str(python)}

    def decided(self, *, environment: str = "staging", status: str = "pass", **hosts: dict[str, object]) -> Ran:
        content = {"all": {"vars": {**OWNER, **AWAY}, "children": {"app": {"hosts": {"a1": self.host, **hosts}}}}}
        inventory = self.project.inventory(f"../{environment}/hosts.yml", content).parent
        book = self.project.directory / "evidence.yml"
        book.write_text(EVIDENCE.format(playbooks=ROOT / "playbooks", items=BY_HAND, name="by hand", status=status))
        return self.project.play(str(book), "-i", inventory)

    @property
    def first(self) -> pathlib.Path:
        return min(path for path in self.runs.iterdir() if path.is_dir())


@pytest.fixture
def shop(project: Project) -> Shop:
    return Shop(project)


def verdict(ran: Ran) -> tuple[int, str]:
    assert ran.report is not None, ran.output
    return ran.rc, ran.report["verdict"]


def changed(shop: Shop) -> None:
    rows = shop.first / "a1.jsonl"
    assert '"pass"' in rows.read_text()
    rows.write_text(rows.read_text().replace('"pass"', '"fail"'))


def cut_off(shop: Shop) -> None:
    rows = shop.first / "a1.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))


def removed(shop: Shop) -> None:
    shutil.rmtree(shop.first)


def brought(shop: Shop) -> None:
    """Evidence of another environment, copied."""
    assert verdict(shop.decided(environment="other")) == (0, "GO")
    (run,) = [path for path in (shop.project.reports / "other" / "runs").iterdir() if path.is_dir()]
    shutil.copytree(run, shop.runs / run.name)


@pytest.mark.parametrize(
    ("harm", "code"), [(changed, "ledger.broken_seal"), (cut_off, "ledger.broken_seal"), (removed, "ledger.run_removed"), (brought, "ledger.foreign")]
)
def test_harm_to_its_ledger(shop: Shop, harm: t.Callable[[Shop], None], code: str) -> None:
    for _run in range(2):
        ran = shop.decided()
        assert verdict(ran) == (0, "GO"), ran.output
    harm(shop)
    ran = shop.decided()
    assert verdict(ran) == (2, "NO_GO")
    assert ran.problems() == {code}


@pytest.mark.parametrize(("host", "code"), [(DEAD, "verdict.host_down"), (LOST, "verdict.host_lost")])
def test_a_host_that_is_not_reached(shop: Shop, host: dict[str, object], code: str) -> None:
    assert verdict(shop.decided()) == (0, "GO")
    ran = shop.decided(a0=host)
    assert verdict(ran) == (2, "NO_GO")
    assert ran.problems() == {code}


def test_one_item_that_fails(shop: Shop) -> None:
    assert verdict(shop.decided()) == (0, "GO")
    ran = shop.decided(status="fail")
    assert verdict(ran) == (2, "NO_GO")
    assert ran.report is not None
    assert {(one["item"], one["state"]) for one in ran.report["blockers"]} == {(item, "fail") for item in BY_HAND}
