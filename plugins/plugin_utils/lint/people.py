# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers and who signs: every item has an owner that somebody declared, and signatures keep the rules."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue
from ansible_collections.resto.golive.plugins.plugin_utils.lint.files import Definition
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake, word
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names import suggestion
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import Setting
from ansible_collections.resto.golive.plugins.plugin_utils.signatures import ATTESTATION_DAYS, WAIVER_DAYS

#: How long each kind of signature may hold, in days from the day it was given.
SIGNED = {"golive_waivers": WAIVER_DAYS, "golive_attestations": ATTESTATION_DAYS}
#: UTC+14 is the first place where a day begins: a signature of today is never of tomorrow.
_FIRST_ZONE = datetime.timedelta(hours=14)


def owners(settings_of: t.Callable[[catalogue.Item], t.Mapping[str, Setting]], resolve: t.Callable[[Setting], t.Any], home: Definition) -> t.Iterator[Mistake]:
    """Yield the items that nobody answers for, and owners that nobody declared."""
    everyone: set[str] = set()
    of_items: dict[str, tuple[Setting, str]] = {}
    orphans: list[catalogue.Item] = []
    for item in catalogue.items().values():
        settings = settings_of(item)
        own = settings.get(f"{item.prefix}_owner")
        wider = [settings[name] for name in (f"{item.section}_owner", "golive_owner") if name in settings]
        for setting in wider:
            everyone.add(_mailbox(resolve(setting)))
        people = settings.get("golive_people")
        everyone |= {_mailbox(person) for person in resolve(people)} if people and isinstance(people.raw, list) else set()
        if own is not None:
            of_items[own.name] = own, str(resolve(own))
        elif not wider:
            orphans.append(item)
    if orphans:
        sections = ", ".join(f"{section}_owner" for section in dict.fromkeys(item.section for item in orphans))
        yield Mistake("no_owner", home.file, home.line, {"count": len(orphans), "sections": sections})
    for name, (setting, owner) in of_items.items():
        if "@" in owner and _mailbox(owner) not in everyone:
            near = suggestion(_mailbox(owner), everyone)
            params = {"name": name, "owner": owner, "hint": word("hint", suggestion=near) if near else ""}
            yield Mistake("owner_unknown", setting.origin.file, setting.origin.line, params)


def _mailbox(value: t.Any) -> str:
    return str(value).strip().casefold()


def signatures(setting: Setting, value: t.Any, now: datetime.datetime) -> t.Iterator[Mistake]:
    """Yield what is wrong with the waivers or attestations in *value*, which *setting* holds. Missing fields and unknown items are told by their spec."""
    origin = setting.origin
    if origin.kind == "extra":
        yield Mistake("signed_extra", origin.file, origin.line, {"name": setting.name})
    elif (origin.kind, origin.entity) != ("group", "all"):
        yield Mistake("signed_scope", origin.file, origin.line, {"name": setting.name, "where": origin.entity or origin.file})
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            for code, field, params in _flaws(entry, SIGNED[setting.name], now, waiver=setting.name == "golive_waivers"):
                yield Mistake(code, origin.file, origin.inside((index, field)), {"name": f"{setting.name}[{index}]", **params})


def _flaws(entry: dict[str, t.Any], limit: int, now: datetime.datetime, *, waiver: bool) -> t.Iterator[tuple[str, str, dict[str, t.Any]]]:
    """Yield ``(code, field, params)``. One that has run out is no mistake: it no longer counts, and the verdict says so."""
    if waiver:
        item = catalogue.items().get(str(entry.get("item")))
        if item is not None and not item.waivable:
            yield "not_waivable", "item", {"item": item.id}
        if entry.get("owner") and _mailbox(entry.get("owner")) == _mailbox(entry.get("approver")):
            yield "same_person", "approver", {}
    at, expires = _date(entry.get("at")), _date(entry.get("expires"))
    if at and at > (now + _FIRST_ZONE).date():
        yield "future", "at", {"at": at.isoformat()}
    if at and expires and expires < at:
        yield "expires_before", "expires", {"expires": expires.isoformat(), "at": at.isoformat()}
    if at and expires and (expires - at).days > limit:
        yield "too_long", "expires", {"expires": expires.isoformat(), "days": (expires - at).days, "limit": limit}


def _date(value: t.Any) -> datetime.date | None:
    """Return a date that was written as one; anything else is told elsewhere."""
    try:
        return datetime.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
