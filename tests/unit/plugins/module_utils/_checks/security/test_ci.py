# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CI files that run gitleaks, seem to, or do and let everything pass."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.security._ci import call, read, system_of
from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks import _continuous_integration

GITHUB = ".github/workflows/ci.yml"


def actions(on: str = "[push, pull_request]", job: str = "", step: str = "run: gitleaks git .", checkout: str = "with: {fetch-depth: 0}") -> str:
    return f"on: {on}\njobs:\n  scan:\n    runs-on: x\n    {job}\n    steps:\n      - uses: actions/checkout@v4\n        {checkout}\n      - {step}\n"


def gitlab(job: str, top: str = 'variables: {GIT_DEPTH: "0"}') -> str:
    return f"{top}\nscan:\n  {job}\n"


def codes(path: str, text: str | None) -> dict[str, str]:
    return {a.code.removeprefix("gitleaks."): a.status for a in _continuous_integration(read({path: text}))}


GOOD = {"ci_present", "ci_triggered", "ci_blocking", "ci_full_history", "ci_all_findings", "ci_unconditional"}


@pytest.mark.parametrize(
    "text",
    [
        actions(),
        actions(on="push"),
        actions(on="{pull_request: , push: {branches: [main]}}"),
        actions(on="{push: {paths: [src/**]}, pull_request: }"),
        actions(step="uses: gitleaks/gitleaks-action@v2"),
        actions(step="uses: docker://ghcr.io/gitleaks/gitleaks:v8.30.1\n        with: {args: git --redact .}"),
        actions(step="run: docker run -v .:/r ghcr.io/gitleaks/gitleaks:v8.30.1 git --redact /r"),
        actions(step="run: |\n          ./bin/gitleaks detect --redact \\\n            --exit-code 3"),
        actions(step="run: gitleaks git . || exit 1"),
        actions(step="run: gitleaks git --log-opts=--all ."),
        actions(step="run: gitleaks git --log-opts '--all --full-history' ."),
        actions(step="run: gitleaks git --config .gitleaks.toml --redact ."),
        actions(step="env: {GITLEAKS_CONFIG: .gitleaks.toml, GITLEAKS_VERSION: 8.30.1}\n        run: gitleaks git ."),
        actions(step="run: bash -c 'gitleaks git .' && deploy -c production -b main --config x"),
        actions(step="shell: bash\n        run: gitleaks git . | tee log"),
        actions(step="if: ${{ always() }}\n        run: gitleaks git ."),
        actions(checkout="", step="run: git fetch --unshallow\n      - run: gitleaks git ."),
    ],
)
def test_an_actions_workflow_that_blocks(text: str) -> None:
    assert codes(GITHUB, text) == dict.fromkeys(GOOD, "pass")


@pytest.mark.parametrize(
    "text",
    [
        gitlab("script: [gitleaks git .]"),
        gitlab("variables: {GIT_DEPTH: 0}\n  script: gitleaks git .", "stages: [test]"),
        gitlab("script: [git fetch --unshallow, gitleaks git .]", ""),
        gitlab("extends: .base", '.base: {script: [gitleaks git .], variables: {GIT_DEPTH: {value: "0"}}}'),
        gitlab("script: [!reference [.x, script], gitleaks git .]"),
        gitlab("rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}, {when: never}]\n  script: [gitleaks git .]"),
        gitlab("only: [merge_requests]\n  script: [gitleaks git .]"),
        gitlab("only: {refs: [branches]}\n  script: [gitleaks git .]"),
    ],
)
def test_a_gitlab_job_that_blocks(text: str) -> None:
    assert codes(".gitlab-ci.yml", text) == dict.fromkeys(GOOD, "pass")


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        (actions(step="run: 'true'"), "ci_absent", "fail"),
        (actions(step="run: echo gitleaks git ran"), "ci_absent", "fail"),
        (actions(step="run: '# gitleaks git .'"), "ci_absent", "fail"),
        (actions(step="run: gitleaks version"), "ci_absent", "fail"),
        (actions(on="workflow_dispatch"), "ci_not_triggered", "fail"),
        (actions(on="{schedule: [{cron: 0 0 * * 0}]}"), "ci_not_triggered", "fail"),
        (actions(on="{push: {tags: [v*]}}"), "ci_not_triggered", "fail"),
        (actions(job="if: false"), "ci_not_triggered", "fail"),
        (actions(job="continue-on-error: true"), "ci_not_blocking", "fail"),
        (actions(step="continue-on-error: ${{ matrix.soft }}\n        run: gitleaks git ."), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git . || true"), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git . || echo found"), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git . ; true"), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git . &"), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git --exit-code=0 ."), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git --exit-code 0 ."), "ci_not_blocking", "fail"),
        (actions(step="run: gitleaks git . | tee log"), "ci_not_blocking", "fail"),
        (actions(step="run: if ! gitleaks git .; then echo found; fi"), "ci_not_blocking", "fail"),
        (actions(step="run: |\n          set +e\n          gitleaks git .\n          echo done"), "ci_not_blocking", "fail"),
        (actions(checkout=""), "ci_partial_history", "fail"),
        (actions(checkout="with: {fetch-depth: 1}"), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks dir ."), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks detect --no-git"), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks git --staged"), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks protect"), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks git --log-opts=-1 ."), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks git --log-opts -1 ."), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks git --log-opts=main..HEAD ."), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks detect --log-opts='--all --since=yesterday'"), "ci_partial_history", "fail"),
        (actions(step='run: gitleaks git --log-opts="$RANGE" .'), "ci_partial_history", "fail"),
        (actions(step="run: |\n          gitleaks git \\\n            --log-opts=-1"), "ci_partial_history", "fail"),
        (actions(step="uses: docker://ghcr.io/gitleaks/gitleaks:v8.30.1\n        with: {args: git --log-opts=-1 .}"), "ci_partial_history", "fail"),
        (actions(step="run: gitleaks git --baseline-path known.json ."), "ci_narrowed", "warn"),
        (actions(step="run: gitleaks git --baseline-path=known.json ."), "ci_narrowed", "warn"),
        (actions(step="run: gitleaks git -b known.json ."), "ci_narrowed", "warn"),
        (actions(step="run: gitleaks git --config ci/soft.toml ."), "ci_narrowed", "warn"),
        (actions(step="run: gitleaks -c ci/soft.toml git ."), "ci_narrowed", "warn"),
        (actions(step="run: gitleaks git --enable-rule=aws-access-token ."), "ci_narrowed", "warn"),
        (actions(step="env: {GITLEAKS_CONFIG: ci/soft.toml}\n        run: gitleaks git ."), "ci_narrowed", "warn"),
        (actions(step="env: {GITLEAKS_CONFIG_TOML: '[allowlist]'}\n        uses: gitleaks/gitleaks-action@v2"), "ci_narrowed", "warn"),
        (actions(job="env: {GITLEAKS_CONFIG: ci/soft.toml}"), "ci_narrowed", "warn"),
        ("env: {GITLEAKS_CONFIG: ci/soft.toml}\n" + actions(), "ci_narrowed", "warn"),
        (actions(step="run: GITLEAKS_CONFIG=ci/soft.toml gitleaks git ."), "ci_narrowed", "warn"),
        (actions(step='run: echo "GITLEAKS_CONFIG=ci/soft.toml" >> $GITHUB_ENV\n      - run: gitleaks git .'), "ci_narrowed", "warn"),
        (actions(step="if: github.actor != 'bot'\n        run: gitleaks git ."), "ci_conditional", "warn"),
        (actions(on="{push: {paths: [src/**]}}"), "ci_conditional", "warn"),
        ("jobs: [", "ci_unreadable", "error"),
        ("just text", "ci_unreadable", "error"),
        ("on: push\njobs: [a]", "ci_unreadable", "error"),
        (None, "ci_unreadable", "error"),
    ],
)
def test_an_actions_workflow_without_teeth(text: str | None, code: str, status: str) -> None:
    assert codes(GITHUB, text)[code] == status


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        (gitlab("script: [gitleaks git .]", ""), "ci_partial_history", "fail"),
        (gitlab("variables: {GIT_STRATEGY: none}\n  script: [gitleaks git .]"), "ci_partial_history", "fail"),
        (gitlab("script: [gitleaks git --log-opts=$CI_COMMIT_BEFORE_SHA..HEAD .]"), "ci_partial_history", "fail"),
        (gitlab("script: [gitleaks git --config=ci/soft.toml .]"), "ci_narrowed", "warn"),
        (gitlab("variables: {GITLEAKS_CONFIG: ci/soft.toml}\n  script: [gitleaks git .]"), "ci_narrowed", "warn"),
        (gitlab("script: [export GITLEAKS_CONFIG=ci/soft.toml, gitleaks git .]"), "ci_narrowed", "warn"),
        (gitlab("script: [gitleaks git .]", "variables: {GITLEAKS_CONFIG: {value: ci/soft.toml}, GIT_DEPTH: 0}"), "ci_narrowed", "warn"),
        (gitlab("allow_failure: true\n  script: [gitleaks git .]"), "ci_not_blocking", "fail"),
        (gitlab("allow_failure: {exit_codes: [3]}\n  script: [gitleaks git .]"), "ci_not_blocking", "fail"),
        (gitlab("after_script: [gitleaks git .]\n  script: ['true']"), "ci_absent", "fail"),
        (gitlab("when: manual\n  script: [gitleaks git .]"), "ci_not_triggered", "fail"),
        (gitlab("rules: [{when: never}]\n  script: [gitleaks git .]"), "ci_not_triggered", "fail"),
        (gitlab("rules: [{changes: [a]}]\n  script: [gitleaks git .]"), "ci_conditional", "warn"),
        (gitlab("only: [tags]\n  script: [gitleaks git .]"), "ci_conditional", "warn"),
        (gitlab("except: [main]\n  script: [gitleaks git .]"), "ci_conditional", "warn"),
        ("include: [{template: Security/Secret-Detection.gitlab-ci.yml}]", "ci_not_blocking", "fail"),
        (".hidden: {script: [gitleaks git .]}", "ci_absent", "fail"),
    ],
)
def test_a_gitlab_job_without_teeth(text: str, code: str, status: str) -> None:
    assert codes(".gitlab-ci.yml", text)[code] == status


def test_the_best_step_counts() -> None:
    ci = read({GITHUB: actions(step="run: gitleaks dir ."), ".github/workflows/b.yml": actions()})
    assert {a.status for a in _continuous_integration(ci)} == {"pass"}


def test_no_ci_at_all_and_a_ci_that_we_cannot_read() -> None:
    assert [a.code for a in _continuous_integration(read({}))] == ["gitleaks.ci_absent"]
    assert codes("Jenkinsfile", "sh 'gitleaks git .'") == {"ci_unsupported": "error"}
    assert codes("Jenkinsfile", "sh 'make'") == {"ci_absent": "fail"}


@pytest.mark.parametrize(
    ("path", "system"),
    [
        (GITHUB, "actions"),
        (".forgejo/workflows/a.yaml", "actions"),
        (".gitlab-ci.yml", "gitlab"),
        ("Jenkinsfile", "other"),
        ("docs/.gitlab-ci.yml", ""),
        (".github/workflows/sub/a.yml", ""),
        (".github/dependabot.yml", ""),
    ],
)
def test_where_ci_files_lie(path: str, system: str) -> None:
    assert system_of(path) == system


def test_the_call_is_found_where_it_is_one() -> None:
    assert call("curl -L https://x/gitleaks/releases/git.tar | tar x", pipefail=True) is None
    assert call("make all && gitleaks -v git .", pipefail=True) == {"how": "make all && gitleaks -v git .", "masked": "", "partial": "", "narrowed": ""}


def test_without_pyyaml_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(CannotKnow, match=r"common\.library_missing"):
        read({GITHUB: actions()})
