# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else's backups are, in their own words: a command's or an HTTP answer's list of them. For the engines ``external`` and ``managed``."""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _http
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json
from ansible_collections.resto.golive.plugins.module_utils._words import pointer

#: Where each thing stands in an entry, unless the declaration says otherwise. Sizes, encryption and place are told only where they are declared.
POINTERS = {"id": "/id", "at": "/at"}
TOLD = ("bytes", "encrypted", "place")

REPORT: dict[str, t.Any] = {
    "type": "dict",
    "required_with": {"engine": ["external", "managed"]},
    "secrets": ("token",),
    "example": (
        "postgres_backups_report: {command: [/usr/local/bin/list-backups], as: backup, bytes: /bytes, encrypted: /encrypted, place: /place}"
        "   # prints [{id, at, bytes, encrypted, place}]"
    ),
}

#: A list may be as long as this; more is not a list of backups.
MOST = 10_000


def read(ctx: Context, report: t.Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the backups, newest first, each as ``{id, at}`` (seconds since the epoch) and what else is declared. Raises :class:`CannotKnow`."""
    document = _asked(ctx, report)
    try:
        entries = pointer(document, str(report.get("list") or ""))
        if not isinstance(entries, list) or len(entries) > MOST:
            raise LookupError(report.get("list") or "/")
        found = [_entry(one, report) for one in entries]
    except (LookupError, TypeError, ValueError) as problem:
        raise CannotKnow("postgres_backup.report_odd", why=f"{type(problem).__name__}: {problem}"[:200]) from None
    return sorted(found, key=lambda one: (one["at"], one["id"]), reverse=True)


def _asked(ctx: Context, report: t.Mapping[str, Json]) -> Json:
    if bool(report.get("command")) == bool(report.get("http")):
        raise CannotKnow("postgres_backup.report_undeclared")
    if report.get("command"):
        argv = ["runuser", "-u", str(report.get("as") or "nobody"), "--", *[str(word) for word in report["command"]]]
        try:
            return json.loads(ctx.run(argv, cwd="/").stdout)
        except ValueError:
            raise CannotKnow("postgres_backup.report_odd", why="no JSON") from None
    method, _space, url = str(report["http"]).partition(" ")
    token = ctx.secrets.get("report.token")
    answer = _http.Client().send(method, url, headers={"Authorization": f"Bearer {token}"} if token else {})
    if answer.status != 200 or answer.json() is None:
        raise CannotKnow("postgres_backup.report_refused", url=url, status_code=answer.status)
    return answer.json()


def _entry(entry: Json, report: t.Mapping[str, Json]) -> dict[str, Json]:
    found = {name: pointer(entry, str(report.get(name) or default)) for name, default in POINTERS.items()}
    found |= {name: pointer(entry, str(report[name])) for name in TOLD if report.get(name)}
    moment = found["at"]
    # A number is seconds since the epoch; a text without a zone would be a guess.
    at = float(moment) if isinstance(moment, int | float) and not isinstance(moment, bool) else _moment(str(moment))
    return {**found, "id": str(found["id"]), "at": at}


def _moment(text: str) -> float:
    at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.timestamp()
