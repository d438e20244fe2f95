# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a report says, every format can say it, says all of it, ticks nothing that is not proven, and stays a document of its kind."""

from __future__ import annotations

import collections
import html.parser
import json
import re
import typing as t
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.resto.golive.plugins.plugin_utils.report import RENDERERS, model, terminal, wording

Report = dict[str, t.Any]

#: What breaks documents: each format's own syntax, ticks, terminals, encodings and templates.
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!--", "]]>", "&lt;b&gt;", "</style>", "'", '"', "\\",
    "- [x] hecho", "[x]", "\n- [x] hecho\n", "`", "```", "**", "_", "~~", "|", "# ", " #", "[a](javascript:alert(1))", "![](http://x.test/y)", "$", "&amp;",
    "\u202e", "\x1b[31m", "\x00", "\ud800", "\ufffe", "\r", "{{ 7*7 }}", "{% raw %}", '"} 1', "a b", "ñandú", "🍕",
)  # fmt: skip
STATES = (*wording.STATES, "surprise")
MOMENTS = st.sampled_from([None, "2026-11-24T10:00:00.000Z", "2026-11-24T10:00:00-05:00", "yesterday"])

texts = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=4).map("".join)
words = st.builds("palabra {}".format, texts)
both = st.fixed_dictionaries({"es": words, "en": words})
values = st.one_of(st.none(), st.integers(), texts, st.dictionaries(texts, texts, max_size=2))
reasons = st.fixed_dictionaries({"code": texts, "params": st.dictionaries(st.just("example"), texts, max_size=1), "text": both})
owners = st.one_of(st.none(), texts)
states = st.sampled_from(STATES)
pieces = st.fixed_dictionaries(
    {"kind": texts, "source": texts, "assertion": texts, "status": st.sampled_from([*wording.STATUSES, "surprise"]), "params": st.just({}), "text": both}
    | {"expected": values, "observed": values, "excerpt": texts, "sha256": texts}
)
observations = st.fixed_dictionaries(
    {"check": texts, "target": st.fixed_dictionaries(dict.fromkeys(("host", "kind", "name"), texts)), "state": states}
    | {"status": st.sampled_from([*wording.STATUSES, "surprise"]), "reason": reasons, "expected": values, "observed": values}
    | {
        "evidence": st.lists(pieces, max_size=1),
        "mode": owners,
        "run_id": owners,
        "started_at": MOMENTS,
        "duration_ms": st.one_of(st.none(), st.integers(0, 10**6)),
    }
    | {
        "age_s": st.one_of(st.none(), st.floats(-(10**6), 10**9)),
        "release": owners,
        "attempts": st.one_of(st.none(), st.integers(0, 3)),
        "flaky": st.one_of(st.none(), st.booleans()),
    }
)
records = st.one_of(
    st.none(),
    st.fixed_dictionaries({"state": st.sampled_from([*wording.RECORDS, "uncommitted", "surprise"]), "by": texts, "at": MOMENTS, "commit": texts}),
)
waivers = st.fixed_dictionaries(
    {"item": texts, "covers": st.just(["fail"]), "reason": texts, "compensation": owners, "owner": texts, "approver": texts, "at": MOMENTS, "expires": MOMENTS}
    | {"ticket": owners, "state": st.sampled_from(["used", "unused", "expired", "refused"]), "problem": st.one_of(st.none(), both), "recorded": records}
)
attestations = st.fixed_dictionaries(
    {"item": texts, "by": texts, "role": owners, "at": MOMENTS, "expires": MOMENTS, "evidence": values, "statement": texts}
    | {"state": st.sampled_from(["valid", "expired", "future", "refused"]), "problem": st.one_of(st.none(), both), "recorded": records}
)


numbers = st.one_of(st.none(), st.floats(0, 10**6), st.integers(0, 10**15))
steps = st.fixed_dictionaries(
    {"phase": st.one_of(texts, st.sampled_from(["fetch", "check", "initdb", "start", "globals", "restore", "analyze", "verify"])), "seconds": numbers}
    | {"argv": st.lists(st.one_of(texts, st.sampled_from(["restic", "pgbackrest", "--repo", "--password-file", "restore", "pg_dump", "--host"])), max_size=5)}
)
restores = st.fixed_dictionaries(
    {"host": texts, "run_id": texts, "at": MOMENTS, "status": st.sampled_from([*wording.STATUSES, "surprise"]), "reason": reasons}
    | dict.fromkeys(("backup", "settings", "database"), owners)
    | dict.fromkeys(("tables", "rows", "invariants", "rto_s", "rto_limit_min", "rpo_min", "rpo_limit_min", "bytes"), numbers)
    | {"server_version": st.one_of(st.none(), st.integers(0, 10**6)), "twice_the_size": st.one_of(st.none(), st.just({"p50_s": 1.0, "p90_s": 2.0, "runs": 5}))}
    | {"phases": st.dictionaries(st.one_of(texts, st.sampled_from(["fetch", "restore"])), numbers, max_size=2), "steps": st.lists(steps, max_size=2)}
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    items = []
    for place, number in enumerate(draw(st.lists(st.sampled_from(["1.1", "4.2", "4.3.1", "4.3.2", "9.1.1"]), max_size=3))):
        section = number[0] + draw(st.sampled_from(["", " <i>"]))
        item = {
            "id": f"s{section}.item{place}{draw(texts)}",
            "number": number,
            "section": section,
            "section_title": draw(both),
            "title": draw(both),
            "why": draw(both),
        }
        item |= {"severity": draw(st.sampled_from([*wording.SEVERITIES, "surprise"])), "waivable": True, "state": draw(states), "owner": draw(owners)}
        item |= {
            "reason": draw(reasons),
            "fix": draw(both),
            "doc": draw(owners),
            "checked_at": draw(MOMENTS),
            "observations": draw(st.lists(observations, max_size=1)),
        }
        items.append({**item, "waiver": draw(st.one_of(st.none(), waivers)), "attestation": draw(st.one_of(st.none(), attestations))})
    blockers = [
        {"item": item["id"], **{name: item[name] for name in ("number", "title", "state", "owner", "reason", "fix")}} for item in items if draw(st.booleans())
    ]
    run = {
        "id": draw(texts),
        "started_at": draw(MOMENTS),
        "finished_at": draw(MOMENTS),
        "check_mode": draw(st.booleans()),
        "tags": draw(st.lists(texts, max_size=2)),
    }
    hosts = draw(
        st.dictionaries(texts, st.fixed_dictionaries({"state": st.sampled_from(["up", "down"]), "machine": texts, "clock_skew_ms": st.just(3)}), max_size=2)
    )
    return {
        "schema": 1,
        "environment": draw(texts),
        "release": draw(owners),
        "generated_at": draw(MOMENTS.filter(bool)),
        "verdict": draw(st.sampled_from([*wording.VERDICTS, "SURPRISE"])),
        "run": {**run, "limit": draw(owners), "hosts": hosts, "controller": {"ansible": "2.21.5", "collection": "0.1.0"}},
        "summary": {},
        "problems": draw(st.lists(st.fixed_dictionaries({"code": texts, "params": st.just({}), "text": both}), max_size=1)),
        "blockers": blockers,
        "items": items,
        "restores": draw(st.lists(restores, max_size=2)),
        "waivers": draw(st.lists(waivers, max_size=1)),
        "attestations": draw(st.lists(attestations, max_size=1)),
    }


class Document(html.parser.HTMLParser):
    """The tags, attributes and text of an HTML document."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.list_items: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.text += "\n" if tag in ("li", "div", "p", "h1", "h2", "pre") else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(text: object) -> str:
    """Return *text* as it must be found again: clean, without the backticks that mark code (or the quotes they become inside it), and without spaces:
    Markdown takes those at the edges of a code span away."""
    return re.sub(r"[`'\s]", "", model.line(text))


def found(document: Document) -> str:
    return re.sub(r"[`'\s]", "", document.text)


@settings(max_examples=40, deadline=None)
@given(reports())
def test_html(report: Report) -> None:
    source = RENDERERS["golive.html"](report)
    document = Document(source)
    assert document.tags.isdisjoint({"script", "img", "iframe", "object", "link", "form", "base"})
    assert not [name for name, _value in document.attributes if name.startswith("on") or name in ("src", "style", "srcset")]
    assert all(value.startswith("#") for name, value in document.attributes if name == "href"), "nothing leads out"
    text = found(document)
    for item in report["items"]:
        assert all(
            plain(part) in text for part in (item["id"], item["title"]["es"], item["title"]["en"], item["reason"]["code"] if not item["reason"]["text"] else "")
        )
    badges = re.findall(r'<span class="badge"><svg[^>]*><use href="#i-([^"]+)"', source)
    shown = [box.item for section in model.sections(report) for parent in section.boxes for box in (parent.children or (parent,))]
    assert badges == [item["state"] if item["state"] in wording.STATES else "fail" for item in shown if item is not None]


@settings(max_examples=40, deadline=None)
@given(reports(), st.sampled_from(["es", "en"]))
def test_markdown(report: Report, language: str) -> None:
    source = RENDERERS["golive.es.md" if language == "es" else "golive.md"](report)
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)
    document = Document(rendered)
    assert document.tags <= {"h1", "h2", "p", "ul", "li", "hr", "blockquote", "strong", "code", "pre"}, document.tags
    assert {name for name, _value in document.attributes} <= {"class"}
    text = found(document)
    assert all(plain(item["title"][language]) in text for item in report["items"])
    assert all(plain(item["id"]) in text for item in report["items"] if item["state"] not in wording.TICKED)
    boxes = [box for section in model.sections(report) for box in section.boxes]
    ticked = sum(box.ticked for parent in boxes for box in (parent, *parent.children))
    outside_code = re.sub(r"<pre>.*?</pre>", "", rendered, flags=re.S)
    assert len(re.findall(r"<li>(?:\s*<p>)?\[x\] ", outside_code)) == ticked


@settings(max_examples=40, deadline=None)
@given(reports(), st.sampled_from(["es", "en"]))
def test_runbook(report: Report, language: str) -> None:
    """Whatever a drill ran and said, it stays text. What a passed drill proved is said, of the last one of each host, and never more: a copy of somebody else's
    engine was tried."""
    source = RENDERERS["runbook-restore.es.md" if language == "es" else "runbook-restore.md"](report)
    document = Document(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source))
    tables = {"table", "thead", "tbody", "tr", "th", "td"}
    assert document.tags <= {"h1", "h2", "p", "ol", "li", "blockquote", "strong", "code", "pre"} | tables, document.tags
    passed = {model.line(drill["host"]): drill for drill in report["restores"] if drill["status"] == "pass" and drill["steps"]}
    fetched_with = [next((step["argv"][:1] for step in drill["steps"] if step["phase"] == "fetch"), []) for drill in passed.values()]
    engines = collections.Counter([model.line(word) for word in argv] in (["restic"], ["pgbackrest"]) for argv in fetched_with)
    proven, tried = ("PROBADO el", "ENSAYADO el") if language == "es" else ("PROVEN on", "TRIED on")
    assert (document.text.count(proven), document.text.count(tried)) == (engines[True], engines[False])


@settings(max_examples=40, deadline=None)
@given(reports())
def test_junit(report: Report) -> None:
    cases = list(ET.fromstring(RENDERERS["junit.xml"](report)).iter("testcase"))
    passed = [case for case in cases if not {child.tag for child in case} & {"failure", "error", "skipped"}]
    assert len(passed) == sum(item["state"] in ("pass", "attested") for item in report["items"])
    names = [case.get("name") for case in cases]
    assert all(f"{item['number']} {model.say(item['title'], 'en')}" in names for item in report["items"])
    assert {f"golive.{model.line(item['id'])}" for item in report["items"]} <= {case.get("classname") for case in cases}


@settings(max_examples=40, deadline=None)
@given(reports())
def test_sarif(report: Report) -> None:
    (run,) = json.loads(RENDERERS["golive.sarif"](report))["runs"]
    for item, rule, result in zip(report["items"], run["tool"]["driver"]["rules"], run["results"], strict=True):
        assert rule["id"] == result["ruleId"] == model.line(item["id"])
        assert model.say(item["title"], "en") in rule["shortDescription"]["text"]
        assert (result["kind"] == "pass") == (item["state"] in ("pass", "attested"))
        assert result["kind"] == "fail" or result["level"] == "none"


@settings(max_examples=40, deadline=None)
@given(reports())
def test_prometheus(report: Report) -> None:
    families = {family.name: family.samples for family in text_string_to_metric_families(RENDERERS["golive.prom"](report))}
    info = {sample.labels["item"]: sample.labels for sample in families["golive_item_info"]}
    holds = {sample.labels["item"]: sample.labels["state"] for sample in families["golive_item_state"] if sample.value == 1}
    for item in report["items"]:
        assert info[model.line(item["id"])]["title_es"] == model.say(item["title"], "es")
        assert holds[model.line(item["id"])] == item["state"]
    assert sum(sample.value for sample in families["golive_verdict"]) == (report["verdict"] in wording.VERDICTS)


@settings(max_examples=40, deadline=None)
@given(reports(), st.sampled_from(["es", "en"]))
def test_terminal(report: Report, language: str) -> None:
    text = terminal.summary_text(report, language, "reports/staging/latest")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    # Long lines are folded at spaces, so the words are compared, not the lines.
    assert all(" ".join(model.say(blocker["title"], language).split()) in " ".join(text.split()) for blocker in model.blockers(report)[: terminal.BLOCKERS])


@settings(max_examples=40, deadline=None)
@given(reports())
def test_the_same_report_is_the_same_text(report: Report) -> None:
    copy = json.loads(json.dumps(report))
    for name, render in RENDERERS.items():
        text = render(report)
        assert text == render(copy), name
        assert report == copy, f"{name} changed the report"
        text.encode("utf-8")
