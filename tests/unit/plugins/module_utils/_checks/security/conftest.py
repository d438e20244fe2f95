# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real git repositories, and the contexts that checks look at them with. For the tests beside it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, assess
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext, Snapshots
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import HERMETIC
from ansible_collections.resto.golive.plugins.module_utils._options import validated

#: One set of canaries for each gitleaks is enough for all tests.
SNAPSHOTS = Snapshots()

Look = t.Callable[..., dict[str, Assertion]]


class Repo:
    """A repository in a temporary folder."""

    def __init__(self, path: pathlib.Path, *init: str) -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "-b", "main", "--template=", *init, str(path)], check=True, env={**os.environ, **HERMETIC})

    def tried(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(self.path), *words], check=False, env={**os.environ, **HERMETIC}, capture_output=True, text=True)

    def git(self, *words: str, ok: bool = True) -> str:
        done = self.tried(*words)
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: t.Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)

    def commit(self, files: t.Mapping[str, str], message: str = "change") -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def hook(self, text: str, mode: int = 0o755) -> pathlib.Path:
        path = self.path / ".git" / "hooks" / "pre-commit"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def repo(tmp_path: pathlib.Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"README": "menu\n"})
    return made


@pytest.fixture
def make_repo(tmp_path: pathlib.Path) -> t.Callable[..., Repo]:
    return lambda name, *init: Repo(tmp_path / name, *init)


@pytest.fixture
def look() -> Look:
    """Observe and judge once; return the assertions by the last part of their code."""

    def once(check: type[Check], path: t.Any, **options: t.Any) -> dict[str, Assertion]:
        checked = validated(check, {"repository": str(path), **options})
        rows = assess(check(), RunContext(checked, {}, str(path), 120, SNAPSHOTS))[1]
        return {assertion.code.partition(".")[2]: assertion for assertion in rows["security.secret_scan"]}

    return once


@pytest.fixture
def fake_gitleaks(tmp_path: pathlib.Path) -> t.Callable[[str], str]:
    """Return the path of a gitleaks that runs this shell script for everything but ``version``."""

    def make(script: str, version: str = "8.30.1") -> str:
        path = tmp_path / "fake" / "gitleaks"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo "{version}"; exit 0; fi\n{script}\n')
        path.chmod(0o755)
        return str(path)

    return make
