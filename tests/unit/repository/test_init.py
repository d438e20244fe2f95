# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first minute of an adopter: ``resto.golive.init`` makes a project, keeps what is there, and warns of nothing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]


def ansible(program: str, *arguments: str, cwd: pathlib.Path) -> str:
    """Run a program of ansible-core as somebody who has only the collection, and return what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    script = pathlib.Path(sys.executable).parent / program
    done = subprocess.run([sys.executable, str(script), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING]" not in done.stdout + done.stderr
    return done.stdout


def init(cwd: pathlib.Path, *arguments: str) -> str:
    return ansible("ansible-playbook", "resto.golive.init", "-i", "localhost,", "-e", "golive_dest=shop", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A project made in a folder where somebody had begun: their file must survive."""
    cwd = tmp_path_factory.mktemp("adopter")
    theirs = cwd / "shop" / "golive.yml"
    theirs.parent.mkdir()
    theirs.write_text("--- # mine\n", encoding="utf-8")
    init(cwd)
    return cwd / "shop"


def test_check_mode_makes_nothing(tmp_path: pathlib.Path) -> None:
    assert "changed=3" in init(tmp_path, "--check", "--diff")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(project: pathlib.Path) -> None:
    assert (project / "golive.yml").read_text(encoding="utf-8") == "--- # mine\n"


def test_a_second_run_changes_nothing(project: pathlib.Path) -> None:
    assert "changed=0" in init(project.parent)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_inventory_is_whole(project: pathlib.Path, environment: str) -> None:
    listed = yaml.safe_load(ansible("ansible-inventory", "-i", environment, "--host", "vps1", "--yaml", cwd=project))
    assert listed["golive_owner"] == "ana@comanda.example"
    assert set(listed["golive_domains"]) == {"website", "admin", "api"}
    assert listed["golive_waivers"] == listed["golive_attestations"] == []
    groups = ansible("ansible-inventory", "-i", environment, "--list", "--yaml", cwd=project)
    assert set(yaml.safe_load(groups)["all"]["children"]) == {"app", "edge", "monitoring", "postgres", "redis"}


def test_a_project_made_from_nothing_answers_at_once(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    for environment in ("staging", "prod"):
        said = ansible("ansible-playbook", "golive.yml", "-i", environment, "-t", "inventory", cwd=tmp_path / "shop")
        assert "failed=0" in said
        assert "golive_owner" in said


def test_every_file_of_the_scaffold_is_used() -> None:
    files = yaml.safe_load((ROOT / "playbooks/files/scaffold.yml").read_text(encoding="utf-8"))["__init_files"]
    folder = ROOT / "playbooks/files/scaffold"
    assert {entry["src"] for entry in files} == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
