# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pre-commit hook that really refuses a secret: tried in a scratch clone, with commits, never in the team's repository."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.security._repository import READ_ONLY, Repository, whole_repository
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import box, canaries, config_toml, find, run, version

#: The line by which our hook is known, whatever its revision.
MARK = "# golive-gitleaks"

RULES_FILE = "golive-gitleaks.toml"
PREVIOUS = "pre-commit.golive-previous"

#: One class that gitleaks' own rules see, and one that only ours do.
COMMON, OURS = "aws-access-token", "stripe-webhook-secret"

#: Hooks that ``git commit`` runs besides ``pre-commit``; the trial is of that one alone.
OTHER_HOOKS = ("prepare-commit-msg", "commit-msg", "post-commit", "post-checkout", "post-index-change", "reference-transaction", "post-rewrite", "pre-auto-gc")

#: ``gitleaks git`` exits 0 when git failed under it, so a line with ERR refuses the commit as well.
TEMPLATE = f"""\
#!/bin/sh
{MARK}: refuses commits that contain secrets. Installed by resto.golive (item security.secret_scan).
gitleaks=@GITLEAKS@
here=$(dirname -- "$0")
[ -x "$gitleaks" ] || gitleaks=$(command -v gitleaks) || {{
    echo "golive: gitleaks is not installed, so this commit was not looked at and is refused." >&2
    exit 1
}}
said=$("$gitleaks" git --pre-commit --staged --redact=100 --verbose --no-banner --no-color --log-level=error --config="$here/{RULES_FILE}" . 2>&1)
code=$?
case $said in *" ERR "* | *" FTL "*) code=1 ;; esac
if [ "$code" -ne 0 ]; then
    printf '%s\\n' "$said" >&2
    echo "golive: commit refused. Take the secret out; if it is none, add its fingerprint to .gitleaksignore with a review." >&2
    exit 1
fi
[ ! -x "$here/{PREVIOUS}" ] || exec "$here/{PREVIOUS}" "$@"
"""


def hook_text(gitleaks: str) -> str:
    return TEMPLATE.replace("@GITLEAKS@", shlex.quote(gitleaks))


def is_current(text: str) -> bool:
    """Whether *text* is our hook of this revision, wherever its gitleaks lies."""
    return re.sub(r"^gitleaks=.*$", "gitleaks=@GITLEAKS@", text, count=1, flags=re.MULTILINE) == TEMPLATE


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


class GitleaksHook(Check):
    name = "gitleaks_hook"
    items = ("security.secret_scan",)
    vantage = "control"
    timeout_s = 300.0
    fixes = True
    options = {
        "repository": {"type": "str", "required": True, "widest": "all", "example": "golive_repository: ../comanda   # a full clone on the control node"},
        "gitleaks": {"type": "str"},
    }

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        return [("repository", options["repository"])]

    def observe(self, ctx: Context) -> dict[str, Json]:
        repository = whole_repository(ctx, ctx.target)
        if repository.bare:
            raise CannotKnow("gitleaks_hook.bare", path=repository.path)
        folder, writable = hooks_folder(ctx, repository)
        hook = os.path.join(folder, "pre-commit")
        text = _read(hook)
        seen: dict[str, Json] = {
            "repository": repository.path,
            "hook": hook,
            "writable": writable,
            "present": os.path.lexists(hook),
            "executable": os.access(hook, os.X_OK),
            "ours": MARK in text,
            "current": is_current(text) and _read(os.path.join(folder, RULES_FILE)) == config_toml(),
            "framework": "gitleaks" in _read(os.path.join(repository.path, ".pre-commit-config.yaml")),
            "clean_accepted": None,
            "refused": {},
        }
        if seen["executable"]:
            seen.update(trial(ctx, repository, folder))
        return seen

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        where = {"hook": seen["hook"], "repository": seen["repository"]}
        if not seen["present"]:
            code = "gitleaks_hook.framework_not_installed" if seen["framework"] else "gitleaks_hook.absent"
            return [Assertion("fail", code, where, "pre-commit", None, seen["hook"])]
        if not seen["executable"]:
            return [Assertion("fail", "gitleaks_hook.not_executable", where, "executable", "not executable", seen["hook"])]
        if not seen["clean_accepted"]:
            return [Assertion("error", "gitleaks_hook.refuses_all", where, "a clean commit is accepted", "refused", seen["hook"])]
        if not seen["refused"][COMMON]:
            return [Assertion("fail", "gitleaks_hook.lets_through", where, "refused", "accepted", seen["hook"])]
        outcome = [Assertion("pass", "gitleaks_hook.blocks", where, "refused", "refused", seen["hook"])]
        if not seen["refused"][OURS]:
            outcome.append(Assertion("warn", "gitleaks_hook.blind_to_ours", where, "refused", "accepted", seen["hook"]))
        if seen["ours"] and not seen["current"]:
            outcome.append(Assertion("warn", "gitleaks_hook.outdated", where, "current", "outdated", seen["hook"]))
        return outcome

    def remediate(self, ctx: Context, seen: dict[str, Json]) -> list[str]:
        hook = seen["hook"]
        folder = os.path.dirname(hook)
        previous = os.path.join(folder, PREVIOUS)
        foreign = seen["present"] and not seen["ours"]
        if not seen["writable"]:
            raise CannotKnow("gitleaks_hook.shared_folder", folder=folder)
        if foreign and seen["clean_accepted"] is False:
            raise CannotKnow("gitleaks_hook.refuses_all", hook=hook, repository=seen["repository"])
        if foreign and os.path.lexists(previous):
            raise CannotKnow("gitleaks_hook.previous_exists", hook=hook, previous=previous)
        binary = find(ctx.options.get("gitleaks"))
        version(ctx, binary)
        changes = []
        try:
            os.makedirs(folder, exist_ok=True)
            _write(os.path.join(folder, RULES_FILE), config_toml(), 0o644)
            if foreign:
                os.rename(hook, previous)
                changes.append(f"kept the hook that was there as {previous}; it runs after the scan")
            _write(hook, hook_text(binary), 0o755)
        except OSError as error:
            raise CannotKnow("gitleaks_hook.cannot_write", path=folder, message=error.strerror or type(error).__name__) from None
        return [*changes, f"installed {hook}"]


def hooks_folder(ctx: Context, repository: Repository) -> tuple[str, bool]:
    """Return where git looks for hooks here, and whether that folder is this repository's own, so that we may write there.

    A folder inside the work tree belongs to the team's commits; one that the user's or the system's settings name serves other repositories too.
    """
    lines = repository.git(ctx, "rev-parse", "--git-path", "hooks", "--git-common-dir").splitlines()
    folder, common = (os.path.realpath(os.path.join(repository.path, line)) for line in lines)
    if folder == os.path.join(common, "hooks"):
        return folder, True
    asked = ["git", "-C", repository.path, "config", "--show-scope", "--get", "core.hooksPath"]
    scope = run(ctx, asked, env=READ_ONLY, ok=(0, 1)).stdout.split("\t")[0]
    return folder, scope in ("local", "worktree") and not _inside(folder, repository.path)


def _inside(path: str, parent: str) -> bool:
    return os.path.commonpath([path, parent]) == parent


def trial(ctx: Context, repository: Repository, folder: str) -> dict[str, Json]:
    """Commit in a scratch clone with a copy of the hooks: something clean, then canaries. Return ``{clean_accepted, refused: {rule: bool}}``."""
    with box() as private:
        path = os.path.join(private, "scratch")
        quiet = {**READ_ONLY, "GIT_LFS_SKIP_SMUDGE": "1", "GIT_EDITOR": "true"}
        # The clone runs none of the user's template hooks; post-checkout would be one of them.
        run(ctx, ["git", "clone", "--quiet", "--shared", "--template=", repository.path, path], env=quiet)
        inside = _inside(folder, repository.path) and not _inside(folder, os.path.join(repository.path, ".git"))
        copy = os.path.join(path, os.path.relpath(folder, repository.path)) if inside else os.path.join(path, ".git", "hooks")
        shutil.copytree(folder, copy, symlinks=True, dirs_exist_ok=True)
        for name in OTHER_HOOKS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(copy, name))
        git = ["git", "-C", path]
        settings = {"core.hooksPath": copy, "commit.gpgSign": "false", "user.name": "golive", "user.email": "golive@localhost"}
        for key, value in settings.items():
            run(ctx, [*git, "config", key, value], env=quiet)
        run(ctx, [*git, "remote", "remove", "origin"], env=quiet)

        def accepted(name: str, text: str) -> bool:
            with open(os.path.join(path, name), "w", encoding="utf-8") as handle:
                handle.write(text)
            run(ctx, [*git, "add", "--force", name], env=quiet)
            taken = run(ctx, [*git, "commit", "--quiet", "-m", "golive trial"], env=quiet, ok=None).rc == 0
            if not taken:
                run(ctx, [*git, "reset", "--quiet", "--hard"], env=quiet)
            return taken

        clean = accepted("golive-trial.txt", "nothing to hide\n")
        # A random secret can fall under a rule's entropy once in a great while: two fresh ones have to get through.
        refused = (
            {rule: any(not accepted(f"golive-{attempt}-{rule}.ini", canaries()[rule] + "\n") for attempt in (1, 2)) for rule in (COMMON, OURS)} if clean else {}
        )
    return {"clean_accepted": clean, "refused": refused}


def _write(path: str, text: str, mode: int) -> None:
    """Write *text* whole or not at all, owned by whoever owns the folder: root may look after another user's clone."""
    draft: t.Final = f"{path}.golive-new"
    with open(draft, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chmod(draft, mode)
    folder = os.stat(os.path.dirname(path))
    if os.geteuid() == 0:
        os.chown(draft, folder.st_uid, folder.st_gid)
    os.replace(draft, path)
