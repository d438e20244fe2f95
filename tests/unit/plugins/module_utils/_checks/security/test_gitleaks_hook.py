# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook, tried with real commits in scratch clones: what stops a secret, what only looks as if, and what a fix may touch."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Outcome, run_target
from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks_hook import MARK, PREVIOUS, RULES_FILE, GitleaksHook
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import canaries, find

ITEM = "security.secret_scan"
ALWAYS_PASSES = "#!/bin/sh\nexit 0\n"


def fix(path: t.Any, check_mode: bool = False) -> Outcome:
    ctx = RunContext({"repository": str(path), "gitleaks": None}, {}, str(path), 120)
    return run_target(GitleaksHook(), ctx, fix=True, check_mode=check_mode)


def said(outcome: Outcome) -> dict[str, str]:
    return {a.code.removeprefix("gitleaks_hook."): a.status for a in outcome.assertions[ITEM]}


def snapshot(repo: t.Any) -> tuple[str, ...]:
    return (repo.git("status", "--porcelain"), repo.git("for-each-ref"), repo.git("count-objects"), repo.git("config", "--list", "--local"))


def test_no_hook_then_ours_then_no_change(repo: t.Any, look: t.Any) -> None:
    assert look(GitleaksHook, repo.path)["absent"].status == "fail"
    before = snapshot(repo)
    first, second = fix(repo.path), fix(repo.path)
    assert said(first) == said(second) == {"blocks": "pass"}
    assert len(first.changes) == 1
    assert second.changes == []
    assert snapshot(repo) == before


def test_our_hook_refuses_every_class_and_shows_none(repo: t.Any) -> None:
    fix(repo.path)
    for rule, planted in canaries().items():
        repo.write({"k": planted + "\n"})
        repo.git("add", "k")
        refused = repo.tried("commit", "-q", "-m", "secret")
        assert refused.returncode != 0
        assert rule in refused.stderr
        assert planted.rpartition(" ")[2] not in refused.stdout + refused.stderr


def test_check_mode_writes_nothing(repo: t.Any) -> None:
    outcome = fix(repo.path, check_mode=True)
    assert outcome.would_change
    assert not (repo.path / ".git" / "hooks" / "pre-commit").exists()


@pytest.mark.parametrize(
    ("script", "mode", "code", "status"),
    [
        (ALWAYS_PASSES, 0o755, "lets_through", "fail"),
        ("#!/bin/sh\ngitleaks git --staged . || true\n", 0o755, "lets_through", "fail"),
        ("#!/bin/sh\nexit 1\n", 0o755, "refuses_all", "error"),
        ("#!/nonexistent\n", 0o755, "refuses_all", "error"),
        (ALWAYS_PASSES, 0o644, "not_executable", "fail"),
    ],
)
def test_a_hook_that_only_looks_as_if(repo: t.Any, look: t.Any, script: str, mode: int, code: str, status: str) -> None:
    repo.hook(script, mode)
    before = snapshot(repo)
    seen = look(GitleaksHook, repo.path)
    assert {key: a.status for key, a in seen.items()} == {code: status}
    assert snapshot(repo) == before


def test_gitleaks_own_rules_alone_are_named(repo: t.Any, look: t.Any) -> None:
    repo.hook(f"#!/bin/sh\nexec {find(None)} git --pre-commit --staged --no-banner --redact .\n")
    assert {key: a.status for key, a in look(GitleaksHook, repo.path).items()} == {"blocks": "pass", "blind_to_ours": "warn"}


def test_a_foreign_hook_is_kept_and_still_runs(repo: t.Any) -> None:
    hook = repo.hook('#!/bin/sh\n[ ! -e forbidden ] || exit 1\necho ran >> "$(git rev-parse --git-dir)/ran"\n')
    text = hook.read_text()
    outcome = fix(repo.path)
    assert said(outcome) == {"blocks": "pass"}
    assert len(outcome.changes) == 2
    assert (hook.parent / PREVIOUS).read_text() == text
    assert fix(repo.path).changes == []
    assert not (repo.path / ".git" / "ran").exists()
    repo.commit({"a": "1\n"})
    assert (repo.path / ".git" / "ran").exists()
    repo.write({"forbidden": "x\n"})
    repo.git("add", "forbidden")
    repo.git("commit", "-q", "-m", "x", ok=False)
    assert repo.git("rev-list", "--count", "HEAD") == "2"


def test_two_foreign_hooks_are_both_left_alone(repo: t.Any) -> None:
    hook = repo.hook(ALWAYS_PASSES)
    (hook.parent / PREVIOUS).write_text("another\n")
    assert said(fix(repo.path)) == {"previous_exists": "error"}
    assert hook.read_text() == ALWAYS_PASSES
    assert (hook.parent / PREVIOUS).read_text() == "another\n"


def test_a_hook_that_refuses_everything_is_not_chained(repo: t.Any) -> None:
    hook = repo.hook("#!/bin/sh\nexit 1\n")
    assert said(fix(repo.path)) == {"refuses_all": "error"}
    assert not (hook.parent / PREVIOUS).exists()


def test_an_outdated_hook_of_ours_is_renewed(repo: t.Any, look: t.Any) -> None:
    fix(repo.path)
    rules = repo.path / ".git" / "hooks" / RULES_FILE
    rules.write_text(rules.read_text() + "# older\n")
    assert look(GitleaksHook, repo.path)["outdated"].status == "warn"
    assert said(fix(repo.path)) == {"blocks": "pass"}


def test_a_hook_whose_gitleaks_is_gone_refuses(repo: t.Any, look: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fix(repo.path)
    hook = repo.path / ".git" / "hooks" / "pre-commit"
    hook.write_text("\n".join("gitleaks=/nowhere/gitleaks" if line.startswith("gitleaks=") else line for line in hook.read_text().splitlines()) + "\n")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert look(GitleaksHook, repo.path)["refuses_all"].status == "error"
    assert MARK in hook.read_text()


def test_a_linked_work_tree_uses_the_common_hooks(repo: t.Any, tmp_path: pathlib.Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    assert said(fix(tmp_path / "linked")) == {"blocks": "pass"}
    assert (repo.path / ".git" / "hooks" / "pre-commit").exists()
    assert fix(repo.path).changes == []


def test_a_versioned_hooks_folder_is_proven_and_never_written(repo: t.Any, look: t.Any) -> None:
    repo.git("config", "core.hooksPath", ".githooks")
    assert said(fix(repo.path)) == {"shared_folder": "error"}
    assert not (repo.path / ".githooks").exists()
    repo.commit({".githooks/pre-commit": ALWAYS_PASSES})
    (repo.path / ".githooks" / "pre-commit").chmod(0o755)
    assert look(GitleaksHook, repo.path)["lets_through"].status == "fail"
    (repo.path / ".githooks" / "pre-commit").write_text(f"#!/bin/sh\nexec {find(None)} git --pre-commit --staged --no-banner .\n")
    assert look(GitleaksHook, repo.path)["blocks"].status == "pass"


def test_a_hooks_folder_of_this_repository_alone_may_be_written(repo: t.Any, tmp_path: pathlib.Path) -> None:
    repo.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    assert said(fix(repo.path)) == {"blocks": "pass"}
    assert os.access(tmp_path / "hooks" / "pre-commit", os.X_OK)


def test_a_hooks_folder_of_the_user_is_not_written(repo: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings").write_text(f"[core]\nhooksPath = {tmp_path / 'everyones'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    assert said(fix(repo.path)) == {"shared_folder": "error"}
    assert not (tmp_path / "everyones").exists()


def test_other_hooks_and_templates_do_not_take_part(repo: t.Any) -> None:
    fix(repo.path)
    other = repo.path / ".git" / "hooks" / "commit-msg"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    assert fix(repo.path).changes == []


def test_the_pre_commit_framework_configured_but_not_installed(repo: t.Any, look: t.Any) -> None:
    repo.commit({".pre-commit-config.yaml": "repos: [{repo: https://github.com/gitleaks/gitleaks, rev: v8.30.1, hooks: [{id: gitleaks}]}]\n"})
    assert look(GitleaksHook, repo.path)["framework_not_installed"].status == "fail"


def test_a_bare_repository_has_no_commits_to_refuse(repo: t.Any, look: t.Any, tmp_path: pathlib.Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    assert look(GitleaksHook, tmp_path / "bare.git")["bare"].status == "error"
