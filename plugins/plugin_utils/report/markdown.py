# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklist itself, filled in: same sections, same boxes, same words. ``golive.es.md`` is Spanish, ``golive.md`` English."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report import drills, model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import MEANINGS, SEVERITIES, STATES, STATUSES, TITLES, VERDICTS

#: What starts something inside a line of CommonMark or GFM. An underscore inside a word starts nothing, an ampersand only an entity, a # may close a heading.
_INLINE = re.compile(r"([\\`*\[\]<|~$]|(?<!\S)#|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;))")

Json = t.Any


def escape(text: str) -> str:
    """Return one line of clean text as Markdown that shows exactly it; what stands between backticks is code."""
    return "".join(f"`{piece}`" if code else _INLINE.sub(r"\\\1", piece) for code, piece in model.spans(text))


def spanish(report: model.Report) -> str:
    return _checklist(report, "es")


def english(report: model.Report) -> str:
    return _checklist(report, "en")


def _checklist(report: model.Report, language: str) -> str:
    lines = [f"# {_of(TITLES.get(report['environment'], TITLES['default']), language)}", "", *_verdict(report, language), ""]
    lines += [f"## {model.label('goal', language)}", model.label("goal_text", language), "", "---", ""]
    for section in model.sections(report):
        lines += [f"## {escape(section.number)}) {_of(section.title, language)}", *_boxes(section.boxes, language, ""), ""]
    return "\n".join([*lines, "---", "", *_state(report, language), ""])


def _of(text: Json, language: str) -> str:
    return escape(model.say(text, language))


def _verdict(report: model.Report, language: str) -> list[str]:
    name = str(report["verdict"])
    total, ticked = len(report["items"]), model.ticked_count(report)
    release = escape(model.line(report.get("release"))) or model.label("unknown_release", language)
    lines = [
        f"> **{model.label('verdict', language)}: {escape(model.word(VERDICTS, name, language))}** — {escape(model.word(MEANINGS, name, language))}",
        ">",
        f"> {model.label('environment', language)}: {escape(model.line(report['environment']))} · {model.label('release', language)}: {release}"
        f" · {ticked}/{total} {model.label('proven', language)} · {model.label('blockers', language)}: {len(report['blockers'])}",
    ]
    notes = [model.label(note, language) for note, holds in (("check_mode", report["run"].get("check_mode")), ("partial", model.is_partial(report))) if holds]
    notes += [f"**{model.label('problems', language)}:** {_of(problem['text'], language)}" for problem in report["problems"]]
    for note in notes:
        lines += [">", f"> {note}"]
    return lines


def _boxes(boxes: t.Iterable[model.Box], language: str, indent: str) -> list[str]:
    lines = []
    for box in boxes:
        mark = "x" if box.ticked else " "
        title = _of(box.title, language) + (":" if box.item is None else "")
        lines.append(f"{indent}- [{mark}] {title}")
        lines += _boxes(box.children, language, indent + "  ") if box.item is None else _notes(box.item, language, indent + "  ")
    return lines


def _notes(item: model.Item, language: str, indent: str) -> list[str]:
    """Return what stands under a box: nothing where something was proven, who says so where a person does, else what is open and what to do."""
    if item["state"] == "pass":
        return []
    state, reason = escape(model.word(STATES, item["state"], language)), escape(model.reason_of(item, language))
    if model.is_ticked(item):
        return [f"{indent}- **{state}:** {reason}"]
    owner = escape(model.line(item.get("owner"))) or model.label("no_owner", language)
    severity = escape(model.word(SEVERITIES, item.get("severity"), language))
    return [
        f"{indent}- **{state}:** {reason}",
        *fenced(model.example_of(item), indent + "  ", "yaml"),
        f"{indent}- {model.label('owner', language)}: {owner} · {model.label('severity', language).lower()} {severity} · {_code(item['id'])}",
        f"{indent}- {model.label('fix', language)}: {_of(item.get('fix'), language)}",
    ]


def fenced(text: str, indent: str, language: str) -> list[str]:
    """Return *text* as a block of code whose fence is longer than any in it."""
    if not text:
        return []
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 3)
    return ["", *(f"{indent}{each}" for each in (f"{fence}{language}", *text.split("\n"), fence)), ""]


def _code(text: Json) -> str:
    return "`" + model.line(text).replace("`", "'") + "`"


def _state(report: model.Report, language: str) -> list[str]:
    nobody = model.label("no_owner", language)
    owners = ", ".join(escape(name) for name, _count in model.owners(report["items"]) if name) or nobody
    blockers = [f"  - {_blocker(blocker, language)}" for blocker in model.blockers(report)]
    blockers += [f"  - {_of(problem['text'], language)}" for problem in report["problems"]]
    lines = [
        f"## {model.label('status', language)}",
        f"- {model.label('date', language)}: {escape(model.when(report['generated_at']))}",
        f"- {model.label('owner', language)}: {owners}",
        f"- {model.label('blockers', language)}:" + ("" if blockers else f" {model.label('no_blockers', language)}"),
        *blockers,
    ]
    accepted = [waiver for waiver in report["waivers"] if waiver.get("state") == "used"]
    lines += _drills(report, language)
    if accepted:
        lines += [f"- {model.label('waivers', language)}:", *(f"  - {_waiver(waiver, language)}" for waiver in accepted)]
    return lines


def _drills(report: model.Report, language: str) -> list[str]:
    """Return how the last restore drill of each host went."""
    lines = []
    for host, done in drills.by_host(report).items():
        last = done[-1]
        status = escape(model.word(STATUSES, last.get("status"), language))
        numbers = f"{drills.duration(last.get('rto_s'))}, {drills.size(last.get('bytes'))} ({len(done)})"
        lines.append(f"  - **{escape(host)}:** {escape(model.when(last.get('at')))} — {status} — {numbers}")
    return [f"- {model.label('restores', language)}:", *lines] if lines else []


def _blocker(blocker: t.Mapping[str, Json], language: str) -> str:
    owner = escape(model.line(blocker.get("owner"))) or model.label("no_owner", language)
    state = escape(model.word(STATES, blocker["state"], language))
    return f"**{escape(model.line(blocker['number']))} {_of(blocker['title'], language)}** — {state} — {model.label('owner', language).lower()}: {owner}"


def _waiver(waiver: t.Mapping[str, Json], language: str) -> str:
    owner, approver = (escape(model.line(waiver.get(name))) for name in ("owner", "approver"))
    expires = escape(model.when(waiver.get("expires")))
    record = model.record_of(waiver)
    return (
        f"{_code(waiver['item'])}: {escape(model.line(waiver.get('reason')))} — {model.label('owner', language).lower()}: {owner},"
        f" {model.label('approver', language).lower()}: {approver}, {model.label('expires', language).lower()}: {expires}"
        + (f". {escape(record[language])}" if record else "")
    )
