# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people sign: waivers, attestations, and declarations that something does not apply. Pure; used by the lint and by the verdict."""

from __future__ import annotations

import datetime
import typing as t

Entry = t.Mapping[str, t.Any]
Flaw = tuple[str, dict[str, t.Any]]  # code and parameters of a text

#: Longest life of an accepted risk and of a signature, in days from ``at`` (an opening's whole first quarter; research on catalogues of controls).
WAIVER_DAYS = 90
ATTESTATION_DAYS = 180

WAIVER_FIELDS = ("item", "covers", "reason", "owner", "approver", "at", "expires")
ATTESTATION_FIELDS = ("item", "by", "role", "at", "expires", "evidence", "statement")
NOT_APPLICABLE_FIELDS = ("reason", "by", "approver")
COVERABLE = frozenset({"fail", "warn"})

#: Under this key an entry carries what ``commits`` found out about it. Whoever writes it by hand is overwritten.
RECORDED = "recorded"
#: States of a record under which a signature counts; ``excused`` is what ``golive_decisions_committed: false`` makes of the others, outside prod.
ON_RECORD = frozenset({"committed", "no_git", "excused"})
_OFF_RECORD = {
    "uncommitted": "verdict.uncommitted",
    "ignored": "verdict.git_ignored",
    "template": "verdict.signature_template",
    "unreadable": "verdict.git_silent",
}


def waiver_flaw(entry: Entry, waivable: t.Mapping[str, bool], now: datetime.datetime) -> Flaw | None:
    """Return what is wrong with a waiver, or None. *waivable* says for every item whether it can be waived at all."""
    return (
        _missing(entry, WAIVER_FIELDS)
        or _unknown_item(entry, waivable)
        or (None if waivable[entry["item"]] else ("verdict.not_waivable", {"item": entry["item"]}))
        or (None if _listed(entry) <= COVERABLE else ("verdict.covers", {"covers": ", ".join(sorted(_listed(entry) - COVERABLE))}))
        or _same_person(entry["owner"], entry["approver"])
        or _dates(entry, WAIVER_DAYS, now)
        or record_flaw(entry)
    )


def attestation_flaw(entry: Entry, waivable: t.Mapping[str, bool], now: datetime.datetime) -> Flaw | None:
    """Return what is wrong with an attestation, or None."""
    return _missing(entry, ATTESTATION_FIELDS) or _unknown_item(entry, waivable) or _dates(entry, ATTESTATION_DAYS, now) or record_flaw(entry)


def not_applicable_flaw(entry: t.Any) -> Flaw | None:
    """Return what is wrong with a ``…_not_applicable`` declaration, or None."""
    if not isinstance(entry, t.Mapping):
        return "verdict.field_missing", {"field": NOT_APPLICABLE_FIELDS[0]}
    return _missing(entry, NOT_APPLICABLE_FIELDS) or _same_person(entry["by"], entry["approver"])


def record_flaw(entry: Entry) -> Flaw | None:
    """Return why git does not vouch for *entry*, or None. An entry that nobody asked git about has no record, and does not count."""
    record = entry.get(RECORDED) or {}
    state = str(record.get("state"))
    if state in ON_RECORD:
        return None
    return _OFF_RECORD.get(state, "verdict.record_unknown"), {name: record[name] for name in ("file", "problem") if name in record}


def counted(entries: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return those of *entries* that git vouches for."""
    return [entry for entry in entries if record_flaw(entry) is None]


def with_records(entries: t.Any, records: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the entries that are dictionaries, each with its record; *records* are in the order of *entries*."""
    listed = entries if isinstance(entries, list) else []
    padded = [*records, *({} for _entry in listed)]
    return [{**entry, RECORDED: dict(record)} for entry, record in zip(listed, padded, strict=False) if isinstance(entry, dict)]


def excused(records: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> dict[str, list[dict[str, t.Any]]]:
    """Return *records* as an environment sees them that declared ``golive_decisions_committed: false``: they count, and say that git has nothing of them."""
    return {name: [_excused(record) for record in listed] for name, listed in records.items()}


def _excused(record: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return dict(record) if record["state"] in ON_RECORD else {"state": "excused", "was": record["state"], "file": record["file"]}


def _missing(entry: Entry, fields: t.Iterable[str]) -> Flaw | None:
    return next((("verdict.field_missing", {"field": field}) for field in fields if not entry.get(field)), None)


def _unknown_item(entry: Entry, items: t.Container[str]) -> Flaw | None:
    return None if entry["item"] in items else ("verdict.unknown_item", {"item": str(entry["item"])})


def covered(entry: Entry) -> set[str]:
    """Return the states that a waiver accepts: who accepts a failure accepts the warning before it."""
    return _listed(entry) | ({"warn"} if "fail" in _listed(entry) else set())


def _listed(entry: Entry) -> set[str]:
    covers = entry["covers"]
    return {str(state) for state in covers} if isinstance(covers, (list, tuple)) else {str(covers)}


def _same_person(owner: t.Any, approver: t.Any) -> Flaw | None:
    same = str(owner).strip().casefold() == str(approver).strip().casefold()
    return ("verdict.same_person", {"owner": str(owner)}) if same else None


def _dates(entry: Entry, limit_days: int, now: datetime.datetime) -> Flaw | None:
    """Signed today or before, ending after today, and not longer than allowed. A day ends when it has ended everywhere (UTC-12)."""
    try:
        at, expires = (datetime.date.fromisoformat(str(entry[field])) for field in ("at", "expires"))
    except ValueError:
        bad = next(str(entry[field]) for field in ("at", "expires") if not _is_date(entry[field]))
        return "verdict.bad_date", {"value": bad}
    if at > (now + datetime.timedelta(hours=14)).date():  # UTC+14 is the first place where a day begins
        return "verdict.future", {"at": at.isoformat()}
    if expires < (now - datetime.timedelta(hours=12)).date():
        return "verdict.expired", {"expires": expires.isoformat()}
    if (expires - at).days > limit_days:
        return "verdict.too_long", {"expires": expires.isoformat(), "days": (expires - at).days, "limit": limit_days}
    return None


def _is_date(value: t.Any) -> bool:
    try:
        datetime.date.fromisoformat(str(value))
    except ValueError:
        return False
    return True
