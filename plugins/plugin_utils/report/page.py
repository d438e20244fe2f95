# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``golive.html``: the report as one file that asks for nothing else and runs no script. ``page.html.j2`` is its shape, ``page.css`` its clothes.

Both languages are in the page; two radio buttons and CSS show one, so it reads in Spanish wherever scripts are off. Everything goes through autoescape; the
Content-Security-Policy allows one style sheet, by its hash, and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import pathlib
import re

import jinja2
import markupsafe

from ansible_collections.resto.golive.plugins.plugin_utils.report import drills, model, wording

#: Colour family of each state; one that is not here is shown as a failure.
TONES = {
    "pass": "good",
    "attested": "sign",
    "not_applicable": "mute",
    "waived": "warn",
    "warn": "warn",
    "fail": "bad",
    "unknown": "open",
    "stale": "open",
    "pending": "open",
}
VERDICT_TONES = {"GO": "good", "GO_WITH_WAIVERS": "warn", "NO_GO": "bad"}
STATUS_TONES = {"pass": "good", "warn": "warn", "fail": "bad", "error": "open", "unreachable": "open", "not_run": "open", "not_applicable": "mute"}
SIGNED_TONES = {"used": "warn", "valid": "sign", "unused": "mute"}

_HERE = pathlib.Path(__file__).parent


def render(report: model.Report) -> str:
    style = _style()
    return _template().render(
        report=report,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        sections=model.sections(report),
        blockers=model.blockers(report),
        blocker_owners=model.owners(model.blockers(report)),
        counts=model.counts(report),
        ticked=model.ticked_count(report),
        partial=model.is_partial(report),
        charts=drills.charts(report),
        waivers=report["waivers"],
        attestations=report["attestations"],
    )


@functools.cache
def _style() -> str:
    return (_HERE / "page.css").read_text(encoding="utf-8").strip()


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "say": model.say,
        "line": model.line,
        "shown": model.shown,
        "clean": model.clean,
        "when": model.when,
        "ago": model.ago,
        "target": model.target_of,
        "marked": _marked,
        "took": drills.duration,
        "size": drills.size,
        "minutes": lambda value: drills.duration(value * 60) if isinstance(value, (int, float)) else "",
        "phases": drills.phases,
        "listed": lambda value: value if isinstance(value, list) else [value] if value else [],
    }
    environment.globals |= {
        "words": wording,
        "word": model.word,
        "reason": model.reason_of,
        "example": model.example_of,
        "record": model.record_of,
        "is_ticked": model.is_ticked,
        "anchor": _anchor,
        "bar": drills.BAR,
        "tall": drills.HEIGHT,
        "tone": lambda state: TONES.get(state, "bad"),
        "verdict_tone": lambda verdict: VERDICT_TONES.get(verdict, "bad"),
        "status_tone": lambda status: STATUS_TONES.get(status, "bad"),
        "signed_tone": lambda state: SIGNED_TONES.get(state, "bad"),
    }
    return environment.get_template("page.html.j2")


def _marked(text: str) -> markupsafe.Markup:
    """Return *text* escaped, with what stands between backticks as code."""
    return markupsafe.Markup("").join(markupsafe.Markup("<code>{}</code>").format(piece) if code else piece for code, piece in model.spans(text))


def _anchor(item: object) -> str:
    """Return the id of an item's details: no white space, and nothing that a URL would have to escape."""
    return "item-" + re.sub(r"[^A-Za-z0-9._-]", "-", model.line(item))
