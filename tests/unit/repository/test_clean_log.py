# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that warned is not clean, nor one under --check that failed something and rescued it, although Ansible ends with 0."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "clean_log.py"
spec = importlib.util.spec_from_file_location("clean_log", SCRIPT)
assert spec is not None
assert spec.loader is not None
clean_log = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clean_log)

NOTES = {"check": "Corrida en modo de prueba (--check): no se cambió nada.", "real": "Informe: reports/staging"}
CLEAN = "unreachable=0    failed=0    skipped=1    rescued=0    ignored=0"


def run(kind: str, *, said: str = "", counted: str = CLEAN) -> str:
    recap = f"\x1b[0;33mdb1\x1b[0m                        : \x1b[0;32mok=5   \x1b[0m changed=0    {counted}   \n"
    return f"INFO     default > {kind}\nPLAY [Preflight] ****\n{said}\nPLAY RECAP ****\n{recap}\nGO-LIVE ****\n{NOTES[kind]}\n"


def mistakes(log: str) -> list[str]:
    return list(clean_log.mistakes(log, checked=True))


def test_a_clean_one_is_clean_whatever_the_others_rescued() -> None:
    dirty = run("real", counted=CLEAN.replace("rescued=0", "rescued=1"))
    assert mistakes(run("real") + run("check") + dirty) == []
    assert mistakes(dirty + run("check") + run("real")) == []


@pytest.mark.parametrize("word", ["unreachable", "failed", "rescued", "ignored"])
def test_what_the_recap_counts_is_told_with_its_host(word: str) -> None:
    log = run("check", counted=CLEAN.replace(f"{word}=0", f"{word}=2"))
    assert mistakes(run("real") + log) == [f"db1: {word}=2"]


@pytest.mark.parametrize("said", ["[WARNING]: odd", "[DEPRECATION WARNING]: old"])
@pytest.mark.parametrize("kind", ["check", "real"])
def test_a_warning_of_any_run_is_told(kind: str, said: str) -> None:
    """Also before the first play of it, and after its recap."""
    other = {"check": "real", "real": "check"}[kind]
    for log in (run(kind, said=f"\x1b[1;35m{said}\x1b[0m") + run(other), f"{said}\n" + run(kind) + run(other), run(other) + run(kind) + said):
        assert mistakes(log) == [said]
    assert clean_log.mistakes(run(kind, said=said)) == [said]


@pytest.mark.parametrize(
    "said",
    [
        "[WARNING]: Failed to update cache after 1 retries due to E:The repository is not signed, retrying",
        "[WARNING]: Sleeping for 1 seconds, before attempting to refresh the cache again",
    ],
)
def test_a_mirror_that_was_asked_again_is_nobodys_fault(said: str) -> None:
    assert mistakes(run("real", said=said) + run("check")) == []


def test_molecules_own_words_are_no_warning_of_ansible() -> None:
    assert mistakes("WARNING  default > dependency: Missing roles requirements file\n" + run("check")) == []


@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        ("", ["no run of a playbook", "no run under --check"]),
        (run("real"), ["no run under --check"]),
        ("PLAY RECAP\n(--check)\n", ["a recap without hosts"]),
    ],
)
def test_nothing_seen_is_nothing_proven(log: str, wanted: list[str]) -> None:
    assert mistakes(log) == wanted


def test_where_nothing_was_to_be_checked_a_run_is_enough() -> None:
    assert clean_log.mistakes(run("real")) == []
    assert clean_log.mistakes("") == ["no run of a playbook"]


def test_molecules_border_and_broken_lines_hide_nothing() -> None:
    def bordered(counted: str) -> str:
        broken = run("check", counted=counted).replace("failed=0    ", "failed=0\n  ")
        return "".join(f"  \x1b[2m│\x1b[0m {line}\n" for line in broken.splitlines())

    assert mistakes(bordered(CLEAN)) == []
    assert mistakes(bordered(CLEAN.replace("rescued=0", "rescued=1"))) == ["db1: rescued=1"]
