# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``golive.prom``, for node exporter's textfile collector (Prometheus text format 0.0.4; it takes no timestamps)."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report import model
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import VERDICTS

Json = t.Any
Sample = tuple[dict[str, Json], float]


@dataclasses.dataclass(frozen=True)
class Family:
    """A metric family, all gauges; names end in their unit (prometheus.io/docs/practices/naming)."""

    name: str
    help: str
    samples: t.Callable[[model.Report], t.Iterable[Sample]]


def render(report: model.Report) -> str:
    lines = []
    for family in FAMILIES:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} gauge"]
        lines += [_sample(family.name, {"environment": report["environment"], **labels}, value) for labels, value in family.samples(report)]
    return "\n".join(lines) + "\n"


def _sample(name: str, labels: t.Mapping[str, Json], value: float) -> str:
    inside = ",".join(f'{key}="{_escape(model.line(text))}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:.15g}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _verdict(report: model.Report) -> t.Iterable[Sample]:
    for name in VERDICTS:
        yield {"verdict": name}, float(report["verdict"] == name)


def _item_info(report: model.Report) -> t.Iterable[Sample]:
    for item in report["items"]:
        fields = {name: item.get(name) for name in ("number", "section", "severity", "owner")}
        yield {"item": item["id"], **fields, "title": model.say(item["title"], "en"), "title_es": model.say(item["title"], "es")}, 1.0


def _item_state(report: model.Report) -> t.Iterable[Sample]:
    states = list(model.counts(report))
    for item in report["items"]:
        for state in states:
            yield {"item": item["id"], "state": state}, float(item["state"] == state)


def _items(report: model.Report) -> t.Iterable[Sample]:
    for state, count in model.counts(report).items():
        yield {"state": state}, float(count)


def _checked(report: model.Report) -> t.Iterable[Sample]:
    for item in report["items"]:
        yield from _at({"item": item["id"]}, item.get("checked_at"))


def _at(labels: dict[str, Json], time: Json) -> t.Iterable[Sample]:
    """Yield *time* in seconds since the epoch; nothing where there is no time, so that no zero reads as one."""
    parsed = model.moment(time)
    if parsed is not None:
        yield labels, parsed.timestamp()


def _run_info(report: model.Report) -> t.Iterable[Sample]:
    run = report["run"]
    labels = {
        "run_id": run.get("id"),
        "release": report.get("release"),
        "check_mode": str(bool(run.get("check_mode"))).lower(),
        "partial": str(model.is_partial(report)).lower(),
    }
    yield {**labels, **{name: (run.get("controller") or {}).get(name) for name in ("ansible", "collection")}}, 1.0


def _run_duration(report: model.Report) -> t.Iterable[Sample]:
    start, end = (model.moment(report["run"].get(name)) for name in ("started_at", "finished_at"))
    if start and end:
        yield {}, (end - start).total_seconds()


def _expiries(kind: str, good: str) -> t.Callable[[model.Report], t.Iterable[Sample]]:
    def samples(report: model.Report) -> t.Iterable[Sample]:
        soonest: dict[str, tuple[float, Sample]] = {}
        for entry in report[kind]:
            if entry.get("state") == good:
                for sample in _at({"item": entry.get("item")}, entry.get("expires")):
                    key = model.line(entry.get("item"))
                    soonest[key] = min(soonest.get(key, (sample[1], sample)), (sample[1], sample), key=lambda pair: pair[0])
        return [sample for _time, sample in soonest.values()]

    return samples


FAMILIES = (
    Family("golive_verdict", "The verdict of the last run: 1 for the one that holds.", _verdict),
    Family("golive_item_state", "State of each box of the checklist: 1 for the one that holds.", _item_state),
    Family("golive_item_info", "What each box is and who owns it.", _item_info),
    Family("golive_items", "How many boxes are in each state.", _items),
    Family("golive_item_checked_timestamp_seconds", "When the evidence of each box was taken.", _checked),
    Family("golive_blockers", "How many boxes block the opening.", lambda report: [({}, float(len(report["blockers"])))]),
    Family("golive_problems", "How many problems the run itself had; any of them blocks.", lambda report: [({}, float(len(report["problems"])))]),
    Family("golive_waiver_expires_timestamp_seconds", "When the first waiver in use of a box expires.", _expiries("waivers", "used")),
    Family("golive_attestation_expires_timestamp_seconds", "When the first valid signature of a box expires.", _expiries("attestations", "valid")),
    Family("golive_run_timestamp_seconds", "When the report was made.", lambda report: _at({}, report["generated_at"])),
    Family("golive_run_duration_seconds", "How long the run took.", _run_duration),
    Family("golive_run_info", "Which run it was.", _run_info),
)
