# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The team's git repository, looked at without touching it: is it whole, what does it hold at HEAD, and a private mirror to scan.

The repository's own commands run with its user's git settings (``safe.directory`` is theirs to decide); the mirror's run with nobody's.
"""

from __future__ import annotations

import dataclasses
import os

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import HERMETIC, run

#: Git writes nothing into the repository it is asked about, asks nobody, and takes no object for another.
READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1"}


@dataclasses.dataclass(frozen=True)
class Repository:
    path: str
    bare: bool
    commits: int

    def git(self, ctx: Context, *words: str) -> str:
        return run(ctx, ["git", "-C", self.path, *words], env=READ_ONLY).stdout


def whole_repository(ctx: Context, declared: str) -> Repository:
    """Return the repository at *declared*. Raises :class:`CannotKnow` when it is none, or does not hold its whole history."""
    path = os.path.realpath(os.path.expanduser(declared))
    if not os.path.isdir(path):
        raise CannotKnow("gitleaks.repository_missing", path=path)
    asked = ["git", "-C", path, "rev-parse", "--is-bare-repository", "--is-shallow-repository", "--absolute-git-dir"]
    done = run(ctx, asked, env=READ_ONLY, ok=None)
    if done.rc:
        raise CannotKnow("gitleaks.not_a_repository", path=path, message=done.stderr.strip()[:300])
    bare, shallow, git_dir = done.stdout.splitlines()
    top = git_dir if bare == "true" else run(ctx, ["git", "-C", path, "rev-parse", "--show-toplevel"], env=READ_ONLY, ok=None).stdout.strip()
    if os.path.realpath(top) != path:
        # Git climbs to the parents: a folder inside another repository would be judged by that one's history.
        raise CannotKnow("gitleaks.not_a_repository", path=path, message=f"the repository found there is {top or git_dir}")
    if shallow == "true":
        raise CannotKnow("gitleaks.shallow", path=path)
    if "true" in run(ctx, ["git", "-C", path, "config", "--get-regexp", r"^remote\..*\.promisor$"], env=READ_ONLY, ok=(0, 1)).stdout:
        raise CannotKnow("gitleaks.partial_clone", path=path)
    if run(ctx, ["git", "-C", path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"], env=READ_ONLY, ok=None).rc:
        raise CannotKnow("gitleaks.no_commits", path=path)
    commits = int(run(ctx, ["git", "-C", path, "rev-list", "--all", "--count"], env=READ_ONLY).stdout)
    return Repository(path, bare == "true", commits)


def mirror(ctx: Context, repository: Repository, place: str) -> str:
    """Return the path of a bare mirror in *place* that borrows the objects; it has every ref, and none of the attributes and settings."""
    path = os.path.join(place, "mirror.git")
    run(ctx, ["git", "clone", "--quiet", "--mirror", "--shared", "--template=", repository.path, path], env=READ_ONLY)
    commits = int(run(ctx, ["git", "-C", path, "rev-list", "--all", "--count"], env=HERMETIC).stdout)
    if commits != repository.commits:
        raise CannotKnow("gitleaks.mirror_incomplete", path=repository.path, commits=repository.commits, mirrored=commits)
    return path


def files_at_head(ctx: Context, git_dir: str) -> dict[str, str]:
    """Return mode by path of all that HEAD holds; a submodule's mode is 160000."""
    listed = run(ctx, ["git", "-C", git_dir, "ls-tree", "-r", "-z", "--full-tree", "HEAD"], env=HERMETIC).stdout
    rows = (row.split("\t", 1) for row in listed.split("\0") if row)
    return {path: meta.split()[0] for meta, path in rows}


def text_at_head(ctx: Context, git_dir: str, path: str) -> str:
    return run(ctx, ["git", "-C", git_dir, "cat-file", "blob", f"HEAD:{path}"], env=HERMETIC).stdout


def mirror_uncommitted(ctx: Context, repository: Repository, git_dir: str) -> set[str]:
    """Put what is staged, and then what tracked files hold now, into the mirror as two commits; return their ids.

    One scan of the mirror then sees what the next commit would bring in. Index and objects are the mirror's: the repository is only read. Where git writes an
    object that borrowed ones have already, it renews the time of their file instead; so blobs and trees go to a place that borrows nothing.
    """
    if repository.bare:
        return set()
    git = ["git", f"--git-dir={git_dir}", f"--work-tree={repository.path}", "-C", repository.path]
    own = os.path.join(git_dir, "own")
    os.mkdir(own)
    with open(os.path.join(git_dir, "objects", "info", "alternates"), "a", encoding="utf-8") as alternates:
        alternates.write(f"{own}\n")
    unborrowed = {**HERMETIC, "GIT_OBJECT_DIRECTORY": own}
    index = repository.git(ctx, "ls-files", "--stage", "-z")
    run(ctx, [*git, "update-index", "-z", "--index-info"], env=HERMETIC, stdin=index)
    # Tells apart what is as it was: only the rest is written. It ends with 1 where there is a rest.
    run(ctx, [*git, "update-index", "-q", "--refresh"], env=HERMETIC, ok=None)
    ids: list[str] = []
    for stage in ("staged", "tracked"):
        if stage == "tracked":
            run(ctx, [*git, "add", "--update"], env=unborrowed)
        tree = run(ctx, [*git, "write-tree", "--missing-ok"], env=unborrowed, ok=None)
        if tree.rc and stage == "staged":
            continue  # A merge is under way: the index has no tree until its conflicts are settled, the files have.
        commit = [*git, "commit-tree", tree.stdout.strip(), "-p", ids[-1] if ids else "HEAD", "-m", stage]
        ids.append(run(ctx, commit, env=HERMETIC).stdout.strip())
        run(ctx, [*git, "update-ref", f"refs/golive/{stage}", ids[-1]], env=HERMETIC)
    return set(ids)
