# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``postgres_migrations`` judges: pure functions of what the database says and what the release carries. Only that check comes in."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.migration_tools import applied, placed

Seen = t.Mapping[str, Json]
Carried = t.Mapping[str, t.Mapping[str, Json]]

#: squawk's rules about statements that stop the shop or break the release that still runs (squawk's documentation, "Rules"); the others are taste.
SERIOUS = frozenset(
    {
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "ban-concurrent-index-creation-in-transaction",
        "constraint-missing-not-valid",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-foreign-key-constraint",
        "adding-serial-primary-key-field",
        "adding-exclusion-constraint",
        "changing-column-type",
        "disallowed-unique-constraint",
        "renaming-column",
        "renaming-table",
        "ban-drop-column",
        "ban-drop-table",
        "ban-drop-database",
        "ban-drop-not-null",
        "ban-truncate-cascade",
        "transaction-nesting",
        "require-lock-timeout",
        "require-statement-timeout",
        "require-timeout-settings",
        "syntax-error",
    }
)


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return what holds and what does not."""
    carried = {str(one["id"]): one for one in options["files"]["migrations"]}
    found = [*_tool(seen, options), *_troubles(seen)]
    if seen["tool"] == options["files"]["tool"]:
        # What the database has beyond the files comes first: whoever reads only that some are lacking would apply them on top of it.
        found += [*_unknown(seen, carried), *_heads(seen, carried), *_changed(seen, carried)]
        if placed(seen, carried):
            found += [*_pending(seen, carried), *_plan(seen, carried, options)]
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def _say(status: str, code: str, source: str, expected: Json, observed: Json, **params: Json) -> Assertion:
    return Assertion(status, f"postgres_migrations.{code}", params, expected=expected, observed=observed, source=source)


def _listed(ids: t.Sequence[str]) -> str:
    return ", ".join(ids[:8]) + (" …" if len(ids) > 8 else "")


def _tool(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    wanted = options["files"]["tool"]
    same = seen["tool"] == wanted
    yield _say("pass" if same else "fail", "tool_same" if same else "tool_other", seen["table"], wanted, seen["tool"], tool=seen["tool"], wanted=wanted,
               table=seen["table"])  # fmt: skip


def _troubles(seen: Seen) -> t.Iterator[Assertion]:
    """What the tool itself wrote down as broken: it refuses to go on until somebody looks."""
    for code, params in seen["troubles"]:
        yield _say("fail", code, seen["table"], None, code, tool=seen["tool"], **params)


def _heads(seen: Seen, carried: Carried) -> t.Iterator[Assertion]:
    """A history that forks has two ends, and ``upgrade head`` refuses to choose."""
    if seen["tool"] != "alembic":
        return
    followed = {before for one in carried.values() for before in one["after"]}
    heads = sorted(set(carried) - followed)
    if len(heads) > 1:
        yield _say("fail", "heads_many", "repository", 1, len(heads), heads=_listed(heads), count=len(heads))


def _pending(seen: Seen, carried: Carried) -> t.Iterator[Assertion]:
    have = applied(seen, carried)
    pending = [one for one in carried if one not in have]
    code = "pending" if pending else "up_to_date"
    yield _say(
        "fail" if pending else "pass", code, seen["table"], [], pending[:8], count=len(pending) or len(carried), names=_listed(pending), tool=seen["tool"]
    )


def _unknown(seen: Seen, carried: Carried) -> t.Iterator[Assertion]:
    """The database has what the release does not carry: it is ahead, on another branch, or somebody deleted a file."""
    strange = [one for one in seen["applied"] if one not in carried]
    if seen["knows_all"] and strange:
        yield _say("fail", "unknown_version", seen["table"], [], strange[:8], count=len(strange), names=_listed(strange))


def _changed(seen: Seen, carried: Carried) -> t.Iterator[Assertion]:
    """A file that was changed after it ran: what a new database gets is not what this one has."""
    changed = [one for one, checksum in seen["checksums"].items() if one in carried and carried[one]["checksum"] not in ("", checksum)]
    if changed:
        yield _say("fail", "changed_since", seen["table"], [], changed[:8], count=len(changed), names=_listed(changed))


def _plan(seen: Seen, carried: Carried, options: Options) -> t.Iterator[Assertion]:
    """What is still to run, as the linter sees it. What it cannot see is the rehearsal's to measure."""
    have = applied(seen, carried)
    pending = [one for name, one in carried.items() if name not in have]
    if not pending:
        return
    blind = [str(one["id"]) for one in pending if one["findings"] is None]
    excluded = set(options["squawk_excluded"])
    serious = [(one["path"], finding) for one in pending for finding in one["findings"] or () if finding["rule"] in SERIOUS - excluded]
    for path, finding in serious[:20]:
        yield _say("fail", "plan_locks", path, None, finding["rule"], path=path, rule=finding["rule"], line=finding["line"], message=finding["message"])
    if not options["files"].get("linter", "squawk"):
        yield _say("warn", "plan_no_linter", "squawk", "squawk", None, count=len(pending), names=_listed([str(one["id"]) for one in pending]))
    elif blind:
        yield _say("warn", "plan_unlinted", "squawk", [], blind[:8], count=len(blind), names=_listed(blind))
    if not serious and len(blind) < len(pending):
        yield _say("pass", "plan_clean", "squawk", len(pending), len(pending) - len(blind), count=len(pending) - len(blind))
