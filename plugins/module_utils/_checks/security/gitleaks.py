# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret in the repository, now or ever, and a CI that would stop the next one."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.security import _ci
from ansible_collections.resto.golive.plugins.module_utils._checks.security._repository import (
    files_at_head,
    mirror,
    mirror_uncommitted,
    text_at_head,
    whole_repository,
)
from ansible_collections.resto.golive.plugins.module_utils._gitleaks import box, canaries, find, missed_canaries, scan, version

#: Findings kept as evidence; all of them are counted.
KEPT = 50

#: Findings named in the text that people read.
NAMED = 5

SUBMODULE = "160000"

REVIEWED = re.compile(r"#.*\breviewed:\s*(\d{4}-\d{2}-\d{2})\b", re.IGNORECASE)


def parse_exceptions(text: str) -> list[dict[str, Json]]:
    """Return the fingerprints of a ``.gitleaksignore`` with the review date above each, if any; an empty line ends a review's reach."""
    exceptions: list[dict[str, Json]] = []
    reviewed: str | None = None
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            reviewed = None
        elif line.startswith("#"):
            date = REVIEWED.search(line)
            reviewed = date[1] if date else reviewed
        else:
            exceptions.append({"fingerprint": line, "reviewed": reviewed})
    return exceptions


def excepted(finding: t.Mapping[str, Json], fingerprints: t.Container[str]) -> bool:
    """gitleaks' own rule: an exception is ``commit:file:rule:line``, or ``file:rule:line`` for every commit."""
    return finding["fingerprint"] in fingerprints or f"{finding['file']}:{finding['rule']}:{finding['line']}" in fingerprints


def place(finding: t.Mapping[str, Json]) -> str:
    where = f"{finding['rule']} {finding['file']}:{finding['line']}"
    return f"{where} ({finding['commit'][:10]})" if finding["commit"] else where


class Gitleaks(Check):
    name = "gitleaks"
    items = ("security.secret_scan",)
    vantage = "control"
    timeout_s = 600.0
    options = {
        "repository": {"type": "str", "required": True, "widest": "all", "example": "golive_repository: ../comanda   # a full clone on the control node"},
        "gitleaks": {"type": "str"},
        "workflow": {"type": "list", "elements": "str"},
        "exceptions": {"type": "str", "default": ".gitleaksignore"},
        "exceptions_max_age_d": {"type": "int", "default": 180},
    }

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        return [("repository", options["repository"])]

    def observe(self, ctx: Context) -> dict[str, Json]:
        binary = find(ctx.options.get("gitleaks"))
        seen: dict[str, Json] = {"binary": binary, "version": version(ctx, binary), "today": datetime.datetime.now(datetime.UTC).date().isoformat()}
        repository = whole_repository(ctx, ctx.target)
        with box() as private:
            seen["canaries"] = sorted(canaries())
            seen["canaries_missed"] = ctx.shared(f"gitleaks.canaries_missed {binary}", lambda: missed_canaries(ctx, binary, private))
            git_dir = mirror(ctx, repository, private)
            uncommitted = mirror_uncommitted(ctx, repository, git_dir)
            files = files_at_head(ctx, git_dir)
            findings = scan(ctx, binary, git_dir, private)
            allowed_inline: list[dict[str, Json]] = []
            if findings:
                counted = {finding["fingerprint"] for finding in scan(ctx, binary, git_dir, private, allow=True)}
                allowed_inline = [finding for finding in findings if finding["fingerprint"] not in counted]
                findings = [finding for finding in findings if finding["fingerprint"] in counted]
            ignore = ctx.options["exceptions"]
            exceptions = parse_exceptions(text_at_head(ctx, git_dir, ignore)) if ignore in files else []
            chosen = ctx.options.get("workflow") or [path for path in files if _ci.system_of(path)]
            seen["ci"] = _ci.read({path: text_at_head(ctx, git_dir, path) if path in files else None for path in chosen})
        fingerprints = {exception["fingerprint"] for exception in exceptions}
        open_findings = [finding for finding in findings if not excepted(finding, fingerprints)]
        history = [finding for finding in open_findings if finding["commit"] not in uncommitted]
        # What is neither committed nor excepted has ids of commits that only ever existed in the mirror.
        pending = [{**finding, "commit": "", "fingerprint": ""} for finding in open_findings if finding["commit"] in uncommitted]
        return {
            **seen,
            "repository": repository.path,
            "bare": repository.bare,
            "commits": repository.commits,
            "findings": history[:KEPT],
            "findings_count": len(history),
            "uncommitted": pending[:KEPT],
            "uncommitted_count": len(pending),
            "inline": allowed_inline[:KEPT],
            "inline_count": len(allowed_inline),
            "exceptions": exceptions,
            "submodules": sorted(path for path, mode in files.items() if mode == SUBMODULE),
        }

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return [*_history(seen), *_exceptions(seen, options), *_continuous_integration(seen["ci"])]


def _history(seen: dict[str, Json]) -> t.Iterator[Assertion]:
    source = f"gitleaks {seen['version']} git {seen['repository']}"
    missed = seen["canaries_missed"]
    # First, because the first assertion is what people read of a pass.
    if not missed and not seen["findings_count"]:
        yield Assertion("pass", "gitleaks.history_clean", {"commits": seen["commits"], "version": seen["version"]}, 0, 0, source)
    if missed:
        yield Assertion("error", "gitleaks.canary_missed", {"rules": ", ".join(missed), "path": seen["binary"]}, seen["canaries"], missed, source)
    else:
        yield Assertion("pass", "gitleaks.canary", {"count": len(seen["canaries"])}, seen["canaries"], seen["canaries"], source)
    for kind, code in (("findings", "gitleaks.secrets_in_history"), ("uncommitted", "gitleaks.secrets_uncommitted")):
        if seen[f"{kind}_count"]:
            params = {"count": seen[f"{kind}_count"], "places": "; ".join(place(finding) for finding in seen[kind][:NAMED])}
            yield Assertion("fail", code, params, 0, seen[kind], source)
    if seen["submodules"]:
        yield Assertion("warn", "gitleaks.submodules", {"paths": ", ".join(seen["submodules"])}, [], seen["submodules"], source)


def _exceptions(seen: dict[str, Json], options: Options) -> t.Iterator[Assertion]:
    file, today = options["exceptions"], datetime.date.fromisoformat(seen["today"])
    oldest = today - datetime.timedelta(days=options["exceptions_max_age_d"])
    unreviewed, expired = [], []
    for exception in seen["exceptions"]:
        try:
            reviewed = datetime.date.fromisoformat(exception["reviewed"] or "")
        except ValueError:
            reviewed = datetime.date.max
        if reviewed > today:
            unreviewed.append(exception["fingerprint"])
        elif reviewed < oldest:
            expired.append(exception["fingerprint"])
    if unreviewed:
        yield Assertion("warn", "gitleaks.exceptions_unreviewed", {"count": len(unreviewed), "file": file, "first": unreviewed[0]}, 0, unreviewed, file)
    if expired:
        params = {"count": len(expired), "file": file, "days": options["exceptions_max_age_d"], "first": expired[0]}
        yield Assertion("warn", "gitleaks.exceptions_expired", params, 0, expired, file)
    if seen["inline_count"]:
        params = {"count": seen["inline_count"], "places": "; ".join(place(finding) for finding in seen["inline"][:NAMED]), "file": file}
        yield Assertion("warn", "gitleaks.exceptions_inline", params, 0, seen["inline"], "gitleaks:allow")
    if not (unreviewed or expired or seen["inline_count"]):
        yield Assertion("pass", "gitleaks.exceptions", {"count": len(seen["exceptions"]), "file": file}, None, seen["exceptions"], file)


def _continuous_integration(ci: dict[str, Json]) -> t.Iterator[Assertion]:
    """The best step counts; without one, what could not be read is an error, and the rest a fail."""
    for path, message in ci["unreadable"].items():
        yield Assertion("error", "gitleaks.ci_unreadable", {"file": path, "message": message}, source=path)
    if not ci["steps"]:
        for path in ci["unsupported"]:
            yield Assertion("error", "gitleaks.ci_unsupported", {"file": path}, source=path)
        if not ci["unsupported"]:
            yield Assertion("fail", "gitleaks.ci_absent", {"files": ", ".join(ci["files"]) or "-"}, "gitleaks", ci["files"], "HEAD")
        return
    step = max(ci["steps"], key=lambda one: (not one["untriggered"], not one["masked"], not one["partial"], not one["narrowed"], not one["condition"]))
    where = {"file": step["file"], "job": step["job"], "how": step["how"]}
    yield Assertion("pass", "gitleaks.ci_present", where, "gitleaks", step["how"], step["file"])
    for key, status, good, bad in (
        ("untriggered", "fail", "gitleaks.ci_triggered", "gitleaks.ci_not_triggered"),
        ("masked", "fail", "gitleaks.ci_blocking", "gitleaks.ci_not_blocking"),
        ("partial", "fail", "gitleaks.ci_full_history", "gitleaks.ci_partial_history"),
        ("narrowed", "warn", "gitleaks.ci_all_findings", "gitleaks.ci_narrowed"),
        ("condition", "warn", "gitleaks.ci_unconditional", "gitleaks.ci_conditional"),
    ):
        why = step[key]
        yield Assertion(status if why else "pass", bad if why else good, {**where, "why": why}, "", why, step["file"])
