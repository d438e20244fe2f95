# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret scan against real repositories and the real gitleaks: what it finds, and every way in which it must not say "clean"."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks import Gitleaks, parse_exceptions
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import canaries, config_toml, find
from ansible_collections.resto.golive.plugins.module_utils._options import validated

GOOD_CI = """\
on: [push, pull_request]
jobs:
  secrets:
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - run: gitleaks git --redact .
"""

WRITES_NOTHING = 'for word; do case $word in --report-path=*) echo "[]" > "${word#*=}" ;; esac; done\n'


def secret(rule: str = "aws-access-token") -> str:
    return canaries()[rule] + "\n"


def test_a_clean_repository_with_a_blocking_ci_passes_everything(repo: t.Any, look: t.Any) -> None:
    repo.commit({".github/workflows/ci.yml": GOOD_CI})
    assert {a.status for a in look(Gitleaks, repo.path).values()} == {"pass"}


@pytest.mark.parametrize("rule", sorted(canaries()))
def test_every_class_is_found_in_history_after_its_removal(repo: t.Any, look: t.Any, rule: str) -> None:
    commit = repo.commit({"conf/app.env": secret(rule)})
    repo.commit({"conf/app.env": "nothing\n"})
    found = look(Gitleaks, repo.path)["secrets_in_history"]
    assert found.status == "fail"
    assert {(row["file"], row["commit"]) for row in found.observed} == {("conf/app.env", commit)}
    assert rule in {row["rule"] for row in found.observed}, "one of gitleaks' own rules may know a random token as well"


def where_branch(repo: t.Any) -> None:
    repo.git("checkout", "-q", "-b", "other")
    repo.commit({"k": secret()})
    repo.git("checkout", "-q", "main")


def where_tag(repo: t.Any) -> None:
    where_branch(repo)
    repo.git("tag", "v1", "other")
    repo.git("branch", "-q", "-D", "other")


def where_stash(repo: t.Any) -> None:
    repo.write({"README": secret()})
    repo.git("stash", "-q")


def where_merge(repo: t.Any) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"side": "x\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"main": "y\n"})
    repo.git("merge", "-q", "--no-commit", "side")
    repo.commit({"evil": secret()}, "merge")


def where_no_diff(repo: t.Any) -> None:
    repo.commit({".gitattributes": "*.env -diff\n", "p.env": secret()})


def where_own_config_allows(repo: t.Any) -> None:
    repo.commit({".gitleaks.toml": '[allowlist]\npaths = [".*"]\n', "p.env": secret()})


def where_replaced(repo: t.Any) -> None:
    clean = repo.git("rev-parse", "HEAD")
    bad = repo.commit({"p.env": secret()})
    repo.git("replace", bad, clean)


@pytest.mark.parametrize("hide", [where_branch, where_tag, where_stash, where_merge, where_no_diff, where_own_config_allows, where_replaced])
def test_no_corner_of_the_history_hides_a_secret(repo: t.Any, look: t.Any, hide: t.Callable[[t.Any], None]) -> None:
    hide(repo)
    seen = look(Gitleaks, repo.path)
    assert seen["secrets_in_history"].status == "fail"
    assert "history_clean" not in seen


def state(repo: t.Any) -> dict[str, tuple[int, int]]:
    """Every file of the repository, its own included, with its size and time."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in repo.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("stage", [False, True], ids=["tracked", "staged"])
def test_uncommitted_secrets_are_named_and_the_repository_is_only_read(repo: t.Any, look: t.Any, stage: bool, packed: bool) -> None:
    """Git renews the time of an object's file, or of its pack, where it would write the object again: also of one that a change goes back to."""
    repo.commit({"orders/kept": "1\n", "orders/back": "first\n"})
    repo.commit({"orders/back": "second\n"})
    repo.write({"README": "menu\n" + secret(), "orders/back": "first\n"})
    if stage:
        repo.git("add", "README", "orders/back")
        repo.write({"README": "menu\n"})
    if packed:
        repo.git("repack", "-adq")
    repo.git("status", "--porcelain")  # it refreshes the index, once
    before = state(repo)
    seen = look(Gitleaks, repo.path)
    assert seen["secrets_uncommitted"].observed[0]["file"] == "README"
    assert seen["history_clean"].status == "pass"
    assert state(repo) == before


def test_a_merge_under_way_is_looked_at_too(repo: t.Any, look: t.Any) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"README": "left\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"README": "right\n"})
    repo.git("merge", "-q", "side", ok=False)
    repo.write({"README": "both\n" + secret()})
    assert look(Gitleaks, repo.path)["secrets_uncommitted"].status == "fail"


def test_a_bare_repository_is_scanned(repo: t.Any, look: t.Any, tmp_path: pathlib.Path) -> None:
    repo.commit({"k": secret()})
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    assert look(Gitleaks, tmp_path / "bare.git")["secrets_in_history"].status == "fail"


def test_a_linked_work_tree_is_scanned(repo: t.Any, look: t.Any, tmp_path: pathlib.Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    repo.commit({"k": secret()})
    assert look(Gitleaks, tmp_path / "linked")["secrets_in_history"].status == "fail"


def test_variables_of_a_running_hook_do_not_lead_to_another_repository(repo: t.Any, look: t.Any, make_repo: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_repo("other")
    other.commit({"a": "clean\n"})
    repo.commit({"k": secret()})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    assert look(Gitleaks, repo.path)["secrets_in_history"].status == "fail"


def test_planted_secrets_are_in_no_observation(repo: t.Any) -> None:
    lines = canaries()
    repo.commit({"k": "\n".join(lines.values()) + "\n"})
    repo.write({"README": (uncommitted := secret("stripe-webhook-secret"))})
    options = validated(Gitleaks, {"repository": str(repo.path)})
    seen = Gitleaks().observe(RunContext(options, {}, str(repo.path), 120))
    said = json.dumps([seen, [a.evidence() for a in Gitleaks().judge(seen, options)]])
    assert seen["findings_count"] >= len(lines)
    assert seen["uncommitted_count"] == 1
    for line in [*lines.values(), uncommitted]:
        for part in line.replace("=", " ").split():
            assert len(part) < 16 or part not in said


# --- exceptions ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("review", "code", "status"),
    [
        ("# reviewed: {today} ana: a test card\n", "exceptions", "pass"),
        ("", "exceptions_unreviewed", "warn"),
        ("# a test card\n", "exceptions_unreviewed", "warn"),
        ("# reviewed: 2999-01-01 ana: from the future\n", "exceptions_unreviewed", "warn"),
        ("# reviewed: 2026-99-99 ana: no such day\n", "exceptions_unreviewed", "warn"),
        ("# reviewed: 2020-01-01 ana: long ago\n", "exceptions_expired", "warn"),
    ],
)
def test_an_exception_counts_and_its_review_is_looked_at(repo: t.Any, look: t.Any, review: str, code: str, status: str) -> None:
    commit = repo.commit({"k": secret()})
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    repo.commit({".gitleaksignore": review.format(today=today) + f"{commit}:k:aws-access-token:1\n"})
    seen = look(Gitleaks, repo.path)
    assert seen["history_clean"].status == "pass"
    assert seen[code].status == status


def test_an_exception_that_is_not_committed_does_not_count(repo: t.Any, look: t.Any) -> None:
    repo.commit({"k": secret()})
    repo.write({".gitleaksignore": "k:aws-access-token:1\n"})
    assert look(Gitleaks, repo.path)["secrets_in_history"].status == "fail"


def test_inline_allow_comments_are_named(repo: t.Any, look: t.Any) -> None:
    repo.commit({"k": secret().strip() + "  # gitleaks" + ":allow\n"})
    seen = look(Gitleaks, repo.path)
    assert seen["exceptions_inline"].status == "warn"
    assert "exceptions" not in seen


def test_a_review_reaches_to_the_next_empty_line() -> None:
    parsed = parse_exceptions("# reviewed: 2026-01-02 ana\na:b:1\n# note\nc:d:2\n\ne:f:3\n")
    assert [row["reviewed"] for row in parsed] == ["2026-01-02", "2026-01-02", None]


def test_submodules_are_not_passed_over_in_silence(repo: t.Any, look: t.Any) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},vendor/menu")
    repo.git("commit", "-q", "-m", "submodule")
    assert look(Gitleaks, repo.path)["submodules"].params == {"paths": "vendor/menu"}


# --- what cannot be known -----------------------------------------------------------------------------------------------------------------


def only(seen: dict[str, t.Any], code: str) -> None:
    assert list(seen) == [code]
    assert seen[code].status == "error"


def test_a_shallow_clone(repo: t.Any, look: t.Any, tmp_path: pathlib.Path) -> None:
    repo.commit({"a": "1\n"})
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    only(look(Gitleaks, tmp_path / "shallow"), "shallow")


def test_a_partial_clone(repo: t.Any, look: t.Any) -> None:
    repo.git("config", "remote.origin.promisor", "true")
    only(look(Gitleaks, repo.path), "partial_clone")


def test_no_repository_and_no_folder(look: t.Any, tmp_path: pathlib.Path) -> None:
    only(look(Gitleaks, tmp_path), "not_a_repository")
    only(look(Gitleaks, tmp_path / "nowhere"), "repository_missing")


def test_a_folder_inside_another_repository_is_not_judged_by_that_one(repo: t.Any, look: t.Any) -> None:
    (repo.path / "inside").mkdir()
    only(look(Gitleaks, repo.path / "inside"), "not_a_repository")


def test_an_empty_repository(make_repo: t.Any, look: t.Any) -> None:
    only(look(Gitleaks, make_repo("empty").path), "no_commits")


def test_a_corrupt_object_is_not_clean(repo: t.Any, look: t.Any) -> None:
    """gitleaks 8.30 itself exits 0 here and reports no leaks."""
    repo.commit({"a": "data\n"})
    blob = repo.git("rev-parse", "HEAD:a")
    path = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"junk")
    repo.write({"a": "other\n"})
    only(look(Gitleaks, repo.path), "scan_failed")


def test_git_missing(repo: t.Any, look: t.Any, monkeypatch: pytest.MonkeyPatch, fake_gitleaks: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("env", "sh"):
        os.symlink(f"/usr/bin/{name}", tmp_path / "bin" / name)
    gitleaks = fake_gitleaks("")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    seen = look(Gitleaks, repo.path, gitleaks=gitleaks)
    only(seen, "command_missing")
    assert seen["command_missing"].params == {"command": "git"}


@pytest.mark.parametrize(
    ("version", "code"), [("8.16.0", "too_old"), ("8.18.4", "too_old"), ("7.6.1", "too_old"), ("version is set by build process", "version_unknown")]
)
def test_an_old_or_nameless_gitleaks(repo: t.Any, look: t.Any, fake_gitleaks: t.Any, version: str, code: str) -> None:
    only(look(Gitleaks, repo.path, gitleaks=fake_gitleaks("", version)), code)


def test_gitleaks_missing(repo: t.Any, look: t.Any, tmp_path: pathlib.Path) -> None:
    only(look(Gitleaks, repo.path, gitleaks=str(tmp_path / "none")), "binary_missing")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 1", "scan_failed"),
        ("exit 126", "scan_failed"),
        ("exit 0", "report_unreadable"),
        ("exit 3", "report_unreadable"),
        (WRITES_NOTHING + "exit 3", "report_contradicts"),
        (WRITES_NOTHING + 'echo "8:00AM ERR [git] fatal: bad object" >&2', "scan_failed"),
    ],
)
def test_a_gitleaks_that_fails_is_never_clean(repo: t.Any, look: t.Any, fake_gitleaks: t.Any, script: str, code: str) -> None:
    only(look(Gitleaks, repo.path, gitleaks=fake_gitleaks(script)), code)


def test_a_gitleaks_that_finds_nothing_proves_nothing(repo: t.Any, look: t.Any, fake_gitleaks: t.Any) -> None:
    seen = look(Gitleaks, repo.path, gitleaks=fake_gitleaks(WRITES_NOTHING))
    assert seen["canary_missed"].status == "error"
    assert not {"canary", "history_clean"} & set(seen)


def test_a_gitleaks_without_our_rules_misses_their_canaries(repo: t.Any, look: t.Any, fake_gitleaks: t.Any) -> None:
    real = find(None)
    strip = 'for word; do shift; case $word in --config=*) ;; *) set -- "$@" "$word" ;; esac; done'
    seen = look(Gitleaks, repo.path, gitleaks=fake_gitleaks(f'{strip}\nexec {real} "$@"'))
    assert "stripe-webhook-secret" in seen["canary_missed"].observed
    assert "aws-access-token" not in seen["canary_missed"].observed


def test_nothing_is_left_behind(repo: t.Any, look: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    look(Gitleaks, repo.path)
    assert not list((tmp_path / "private").iterdir())


def test_gitleaks_is_found_beside_the_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, fake_gitleaks: t.Any) -> None:
    path = pathlib.Path(fake_gitleaks(""))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(path.parent / "python3"))
    assert find(None) == str(path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    with pytest.raises(CannotKnow, match=r"gitleaks\.binary_missing"):
        find(None)


# --- ourselves ----------------------------------------------------------------------------------------------------------------------------

ROOT = pathlib.Path(__file__).resolve().parents[6]


def test_our_own_rule_file_is_the_one_we_ship() -> None:
    assert (ROOT / ".gitleaks.toml").read_text() == config_toml()


def test_the_source_of_this_check_holds_no_secret(tmp_path: pathlib.Path) -> None:
    (tmp_path / "rules.toml").write_text(config_toml())
    for folder in ("plugins/module_utils", "tests/unit/plugins/module_utils/_checks/security"):
        argv = [
            find(None),
            "dir",
            "--redact=100",
            "--exit-code=3",
            "--no-banner",
            "--log-level=error",
            f"--config={tmp_path / 'rules.toml'}",
            str(ROOT / folder),
        ]
        assert subprocess.run(argv, check=False, capture_output=True).returncode == 0
