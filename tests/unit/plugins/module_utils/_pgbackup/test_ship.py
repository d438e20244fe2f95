# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module of ``_pgbackup`` goes where it is needed: into Ansible's payload, into the zip, and onto the host with the role."""

from __future__ import annotations

import ast
import inspect
import pathlib
import zipfile

import yaml

from ansible_collections.resto.golive.plugins.module_utils import _pgbackup, _ship

ROOT = pathlib.Path(__file__).parents[5]
HERE = {path.stem for path in pathlib.Path(str(_pgbackup.__file__)).parent.glob("*.py")}


def test_what_ansible_packs() -> None:
    """It reads which modules are imported, and runs nothing."""
    imported = {name.name for node in ast.walk(ast.parse(inspect.getsource(_ship))) if isinstance(node, ast.ImportFrom) for name in node.names}
    assert imported >= HERE - {"__init__"}


def test_what_is_in_the_zip(tmp_path: pathlib.Path) -> None:
    (tmp_path / "program").write_bytes(_ship.archive())
    assert {pathlib.Path(name).stem for name in zipfile.ZipFile(tmp_path / "program").namelist()} - {"__main__"} == HERE


def test_what_the_role_installs() -> None:
    told = yaml.safe_load((ROOT / "roles/postgres/vars/main.yml").read_text(encoding="utf-8"))
    assert set(told["__postgres_modules"]) == HERE
