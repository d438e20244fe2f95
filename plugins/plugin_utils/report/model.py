# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every renderer asks of golive.json: its boxes in order, its blockers worst first, and its strings made safe to show.

Pure functions. Strings in a report come from hosts, people and providers: :func:`clean` and :func:`line` take out what could move a cursor, turn text around
or break an encoding; escaping for its own format is each renderer's.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import re
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import (
    AGO,
    AHEAD,
    LABELS,
    PARENTS,
    RECORDS,
    SEVERITIES,
    STATES,
    TICKED,
    UNITS,
)
from ansible_collections.resto.golive.plugins.plugin_utils.texts import LANGUAGES

Json = t.Any
Report = t.Mapping[str, Json]
Item = t.Mapping[str, Json]

#: Control characters but tab and newline; bidi overrides and isolates ("Trojan Source", CVE-2021-42574); lone surrogates; what XML 1.0 forbids.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")

_CODE = re.compile("`([^`]+)`")

#: Longer values are cut where they are shown; golive.json has them whole.
SHOWN_CHARS = 2048


@dataclasses.dataclass(frozen=True)
class Box:
    """A box of the checklist: an item, or a parent (``item`` is None) that holds other boxes."""

    number: str
    title: t.Mapping[str, str]
    item: Item | None = None
    children: tuple[Box, ...] = ()

    @property
    def ticked(self) -> bool:
        if self.item is not None:
            return is_ticked(self.item)
        return bool(self.children) and all(child.ticked for child in self.children)


@dataclasses.dataclass(frozen=True)
class Section:
    id: str
    number: str
    title: t.Mapping[str, str]
    boxes: tuple[Box, ...]
    items: tuple[Item, ...]


def clean(value: Json) -> str:
    """Return *value* as text that cannot break an encoding or a terminal; newlines stay."""
    text = "" if value is None else str(value)
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def line(value: Json) -> str:
    """Return *value* as one line of clean text."""
    return " ".join(clean(value).split())


def say(text: Json, language: str) -> str:
    """Return *text* in *language*; if it lacks it, in another; as one line."""
    return line(_in(text, language))


def _in(text: Json, language: str) -> Json:
    if isinstance(text, t.Mapping):
        return text.get(language) or next((text[other] for other in LANGUAGES if text.get(other)), "")
    return text


def spans(text: str) -> t.Iterator[tuple[bool, str]]:
    """Yield the pieces of *text*, each with whether it stands between backticks: what people type."""
    for place, piece in enumerate(_CODE.split(text)):
        if piece:
            yield bool(place % 2), piece


def label(name: str, language: str) -> str:
    return LABELS[name][language]


def word(words: t.Mapping[str, t.Mapping[str, str]], name: Json, language: str) -> str:
    """Return the word for *name*; a name that the wording does not know is shown as it is, never as something better."""
    return words[name][language] if name in words else line(name)


def shown(value: Json) -> str:
    """Return an expected or observed value as people read it."""
    if value is None:
        return ""
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + " …"


def is_ticked(item: Item) -> bool:
    return item["state"] in TICKED


def reason_of(thing: t.Mapping[str, Json], language: str) -> str:
    """Return why *thing* is in its state, as one line, without the lines to paste that may end it (:func:`example_of`)."""
    reason = thing.get("reason") or {}
    text = clean(_in(reason.get("text") or reason.get("code"), language)).rstrip()
    return line(text.removesuffix(example_of(thing)))


def example_of(thing: t.Mapping[str, Json]) -> str:
    """Return the lines to paste into the inventory, or nothing. Their white space is YAML's."""
    return clean(((thing.get("reason") or {}).get("params") or {}).get("example")).strip("\n").rstrip()


def record_of(entry: t.Mapping[str, Json]) -> dict[str, str] | None:
    """Return what git says of a waiver or an attestation, in each language; None where nothing is known of it."""
    record = entry.get("recorded") or {}
    text = RECORDS.get(str(record.get("state")))
    if text is None:
        return None
    fields = {"by": line(record.get("by")), "at": when(record.get("at")), "commit": line(record.get("commit"))[:12]}
    return {language: text[language].format(**fields) for language in LANGUAGES}


def sections(report: Report) -> list[Section]:
    """Return the report's sections with their boxes, in the order of its items."""
    by_section: dict[str, list[Item]] = {}
    for item in report["items"]:
        by_section.setdefault(item["section"], []).append(item)
    return [
        Section(id=name, number=str(items[0]["number"]).partition(".")[0], title=items[0]["section_title"], boxes=_boxes(items), items=tuple(items))
        for name, items in by_section.items()
    ]


def _boxes(items: t.Iterable[Item]) -> tuple[Box, ...]:
    """Return boxes of *items*; a number with three parts stands below the parent of its first two."""
    parents: dict[str, list[Box]] = {}
    order: list[Box | str] = []
    for item in items:
        box = Box(number=str(item["number"]), title=item["title"], item=item)
        parent = _parent(box.number)
        if parent is None:
            order.append(box)
            continue
        if parent not in parents:
            parents[parent] = []
            order.append(parent)
        parents[parent].append(box)
    return tuple(entry if isinstance(entry, Box) else _parent_box(entry, parents[entry]) for entry in order)


def _parent(number: str) -> str | None:
    parts = number.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else None


def _parent_box(number: str, children: list[Box]) -> Box:
    title = PARENTS.get(number) or dict.fromkeys(LANGUAGES, number)
    return Box(number=number, title=title, children=tuple(children))


def blockers(report: Report) -> list[dict[str, Json]]:
    """Return the blockers with their item's severity, the most severe first, otherwise in the checklist's order."""
    rank = {name: place for place, name in enumerate(SEVERITIES)}
    severity = {item["id"]: item.get("severity") for item in report["items"]}
    found = [{**blocker, "severity": severity.get(blocker["item"])} for blocker in report["blockers"]]
    return sorted(found, key=lambda blocker: rank.get(blocker["severity"], 0))


def owners(things: t.Iterable[t.Mapping[str, Json]]) -> list[tuple[str, int]]:
    """Return who owns how many of *things*, most first; the empty name is nobody."""
    counts = collections.Counter(line(thing.get("owner")) for thing in things)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def counts(report: Report) -> dict[str, int]:
    """Return how many items are in each state, counted from the items themselves; a state that the wording does not know comes first."""
    found = collections.Counter(str(item["state"]) for item in report["items"])
    return {state: found[state] for state in [*sorted(found.keys() - STATES.keys()), *STATES]}


def ticked_count(report: Report) -> int:
    return sum(is_ticked(item) for item in report["items"])


def is_partial(report: Report) -> bool:
    """True if the run itself looked at a part only; the verdict rests on the ledger for the rest."""
    run = report["run"]
    return bool(run.get("limit")) or bool(set(run.get("tags") or ["all"]) - {"all"})


def moment(text: Json) -> datetime.datetime | None:
    """Return an RFC 3339 time, or None for what is none."""
    try:
        parsed = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def when(text: Json) -> str:
    """Return a time as people read it, in UTC, or the text itself if it is no time."""
    parsed = moment(text)
    return line(text) if parsed is None else f"{parsed.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def ago(seconds: Json, language: str) -> str:
    """Return an age in its largest whole unit: ``hace 3 h``."""
    if not isinstance(seconds, (int, float)):
        return ""
    if seconds < 0:
        return AHEAD[language]
    unit = next((unit for unit in UNITS if seconds >= unit["seconds"]), UNITS[-1])
    count = int(seconds // unit["seconds"])
    return AGO[language].format(age=f"{count} {unit['one' if count == 1 else 'many'][language]}")


def target_of(observation: t.Mapping[str, Json]) -> str:
    """Return what was observed as ``host · kind · name``, without empty parts and without saying a name twice."""
    target = observation.get("target") or {}
    parts = [line(target.get(part)) for part in ("host", "kind", "name")]
    return " · ".join(dict.fromkeys(part for part in parts if part))
