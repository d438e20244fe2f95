# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run under --check that failed something and rescued it is not a clean one, although Ansible ends with 0."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "checked_clean.py"
spec = importlib.util.spec_from_file_location("checked_clean", SCRIPT)
assert spec is not None
assert spec.loader is not None
checked_clean = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checked_clean)

NOTES = {"check": "Corrida en modo de prueba (--check): no se cambió nada.", "real": "Informe: reports/staging"}
CLEAN = "unreachable=0    failed=0    skipped=1    rescued=0    ignored=0"


def run(kind: str, *, said: str = "", counted: str = CLEAN) -> str:
    recap = f"\x1b[0;33mdb1\x1b[0m                        : \x1b[0;32mok=5   \x1b[0m changed=0    {counted}   \n"
    return f"INFO     default > {kind}\nPLAY [Preflight] ****\n{said}\nPLAY RECAP ****\n{recap}\nGO-LIVE ****\n{NOTES[kind]}\n"


def test_a_clean_one_is_clean_whatever_the_others_say() -> None:
    dirty = run("real", said="[WARNING]: odd", counted=CLEAN.replace("rescued=0", "rescued=1"))
    assert checked_clean.mistakes(run("real") + run("check") + dirty) == []
    assert checked_clean.mistakes(dirty + run("check") + run("real")) == []


@pytest.mark.parametrize("word", ["unreachable", "failed", "rescued", "ignored"])
def test_what_the_recap_counts_is_told_with_its_host(word: str) -> None:
    log = run("check", counted=CLEAN.replace(f"{word}=0", f"{word}=2"))
    assert checked_clean.mistakes(run("real") + log) == [f"db1: {word}=2"]


@pytest.mark.parametrize("said", ["[WARNING]: odd", "[DEPRECATION WARNING]: old"])
def test_a_warning_is_told(said: str) -> None:
    assert checked_clean.mistakes(run("check", said=said) + run("real")) == [said]


@pytest.mark.parametrize(
    ("log", "wanted"), [("", "no run under --check"), (run("real"), "no run under --check"), ("PLAY RECAP\n(--check)\n", "a recap without hosts")]
)
def test_nothing_seen_is_nothing_proven(log: str, wanted: str) -> None:
    assert checked_clean.mistakes(log) == [wanted]


def test_molecules_border_and_broken_lines_hide_nothing() -> None:
    def bordered(counted: str) -> str:
        broken = run("check", counted=counted).replace("failed=0    ", "failed=0\n  ")
        return "".join(f"  \x1b[2m│\x1b[0m {line}\n" for line in broken.splitlines())

    assert checked_clean.mistakes(bordered(CLEAN)) == []
    assert checked_clean.mistakes(bordered(CLEAN.replace("rescued=0", "rescued=1"))) == ["db1: rescued=1"]
