# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's own door, under ``/_golive/`` of every provider's name: the record to read, the faults to script. See README.md for the contract."""

from __future__ import annotations

from providers.call import Answer, Call
from providers.faults import Fault, Faults, Wrong
from providers.record import Record

PREFIX = "/_golive/"


def answer(call: Call, provider: str, record: Record, faults: Faults, known: tuple[str, ...]) -> Answer:
    """``?provider=`` asks about another than the one whose name was called, such as smtp, which has no HTTP of its own."""
    about = call.query.get("provider", provider)
    if about not in known:
        return Answer(404, {"error": f"no such provider; known: {', '.join(known)}"})
    name = call.path.removeprefix(PREFIX)
    if (call.method, name) == ("GET", "calls"):
        since = call.query.get("since", "0")
        return Answer(200, record.calls(about, int(since))) if since.isdecimal() else Answer(400, {"error": "since is a number"})
    if name != "faults":
        return Answer(404, {"error": f"{call.method} {call.path} is not there"})
    if call.method == "DELETE":
        faults.clear(about)
    elif call.method == "POST":
        given = call.json()
        try:
            faults.add(about, Fault.of(given if isinstance(given, dict) else {}))
        except Wrong as wrong:
            return Answer(400, {"error": str(wrong)})
    return Answer(200, [fault.shown() for fault in faults.active(about)])
