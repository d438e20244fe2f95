# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes comanda's git repository from the lab's source: a short history with two releases, the same commits on every machine.

    make_repository.py SOURCE TARGET

prints `changed` or `unchanged`. A target that stands already keeps its hooks and configuration; it only gets the new commits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

AUTHOR = {"NAME": "Ana Rojas", "EMAIL": "ana@comanda.example"}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".cache")
REVISIONS = ("comanda/migrations/versions/_*.py", "comanda/migrations/versions/r000[1-6]_*.py")
# Message, date, what it brings (paths or globs; the last one brings all the rest), tag.
HISTORY: tuple[tuple[str, str, tuple[str, ...], str | None], ...] = (
    (
        "Lay out the package and search its history for secrets",
        "2026-09-01T09:00:00-05:00",
        ("README.md", "Makefile", ".gitignore", ".github", "requirements.txt", "mypy.ini", "comanda/__init__.py", "comanda/settings.py", "comanda/logs.py"),
        None,
    ),
    (
        "Keep restaurants, orders, messages and people in Postgres, each tenant to itself",
        "2026-09-08T09:00:00-05:00",
        ("comanda/database.py", "comanda/schema.py", "comanda/seed.py", "comanda/passwords.py", "comanda/migrations/*.*", *REVISIONS),
        None,
    ),
    (
        "Take orders, and tell the world about them from an outbox",
        "2026-09-22T09:00:00-05:00",
        ("comanda/[!w]*.py", "comanda/web.py", "comanda/webhooks.py", "comanda/worker.py", "bin", "tests"),
        None,
    ),
    ("Show the menu and the panel", "2026-10-06T09:00:00-05:00", ("comanda/website.py", "comanda/templates/*.html"), None),
    ("Build a release from a clean clone", "2026-10-20T09:00:00-05:00", ("build_release.py",), "v1.0.0"),
    ("List the newest orders quickly, and tell restaurants how to reach us", "2026-11-03T09:00:00-05:00", (".",), "v1.0.1"),
)


def git(repository: Path, *arguments: str, date: str = "") -> str:
    """Ask git, deaf to the configuration and hooks of this machine."""
    who = {f"GIT_{role}_{key}": word for role in ("AUTHOR", "COMMITTER") for key, word in AUTHOR.items()}
    when = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_GLOB_PATHSPECS": "1", **who, **when}
    command = ["git", "-C", str(repository), "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout.strip()


def tell(source: Path, repository: Path) -> None:
    """Commit the source in the order of the history."""
    git(repository, "init", "--quiet", "--template=", "--initial-branch=main")
    shutil.copytree(source, repository, ignore=LEFT_OUT, dirs_exist_ok=True)
    for message, date, paths, tag in HISTORY:
        git(repository, "add", "--", *paths)
        git(repository, "commit", "--quiet", "--message", message, date=date)
        if tag:
            git(repository, "tag", "--annotate", "--message", message, tag, date=date)


def main(source: Path, target: Path) -> str:
    """Make or bring up to date; what happened, in one word."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        tell(source, made)
        if not (target / ".git").is_dir():
            target.mkdir(parents=True, exist_ok=True)
            git(target, "init", "--quiet", "--template=", "--initial-branch=main")
        newest = HISTORY[-1][3]
        known = git(target, "tag", "--list", "--format=%(objectname)", str(newest))
        if known == git(made, "rev-parse", f"refs/tags/{newest}"):
            return "unchanged"
        git(target, "fetch", "--quiet", "--force", "--no-auto-maintenance", str(made), "refs/tags/*:refs/tags/*")
        git(target, "reset", "--quiet", "--hard", str(newest))
    return "changed"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2])))
