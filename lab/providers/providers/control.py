# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's own door, under ``/_golive/`` of every provider's name: the record to read, the faults to script. See README.md for the contract."""

from __future__ import annotations

from providers.call import Answer, Call
from providers.faults import Fault, Faults, Wrong
from providers.record import Record

PREFIX = "/_golive/"
#: What the record can be asked by.
ASKED = frozenset({"since", "contains", "to", "method"})


def answer(call: Call, provider: str, record: Record, faults: Faults, known: tuple[str, ...]) -> Answer:
    """``?provider=`` asks about another than the one whose name was called, such as smtp, which has no HTTP of its own."""
    about = call.query.get("provider", provider)
    if about not in known:
        return Answer(404, {"error": f"no such provider; known: {', '.join(known)}"})
    name = call.path.removeprefix(PREFIX)
    if call.method == "GET" and name in ("calls", "webhooks"):
        asked = {name: value for name, value in call.query.items() if name != "provider"}
        if not set(asked) <= ASKED or not asked.get("since", "0").isdecimal():
            return Answer(400, {"error": f"since is a number; known: {', '.join(sorted(ASKED))}"})
        return Answer(200, record.calls(about, int(asked.pop("since", "0")), **asked, webhooks=name == "webhooks"))
    if name != "faults":
        return Answer(404, {"error": f"{call.method} {call.path} is not there"})
    if call.method == "DELETE":
        faults.clear(about)
    elif call.method == "POST":
        given = call.json()
        try:
            fault = Fault.of(given if isinstance(given, dict) else {})
            if (about, fault.kind) == ("smtp", "half"):
                raise Wrong("mail has no body to answer: half is not for smtp")
            faults.add(about, fault)
        except Wrong as wrong:
            return Answer(400, {"error": str(wrong)})
    return Answer(200, [fault.shown() for fault in faults.active(about)])
