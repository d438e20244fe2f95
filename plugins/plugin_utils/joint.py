# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order's journey, which several hosts take part in: which host does what in which run, and what they saw, put together on one clock.

First run (the audit's one): the probe acts, and meanwhile the first database host looks for rows. Second run: the probe closes and cleans up with what those
rows said, and the database host counts again and sees whether anything is left. Then the control node joins both. Nothing passes between hosts but
through it, and the ids are the run's own, so every host's part finds the same ones.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
import typing as t

from ansible import constants, context

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, judged
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance import journey_plan
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_act import SETTLE_S
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_plan import FIRST, Ids, Plan, left_words
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import JourneyAct, JourneyFinish, OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._parts import DatabaseObservers
from ansible_collections.resto.golive.plugins.module_utils._sessions import tenant_words
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, engine, ledger, manifest, variables
from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry

#: The playbooks register what each host's first and second run returned under these names.
FIRST_RUN, SECOND_RUN = "golive_first", "golive_second"
DATABASE_GROUP = "postgres"
#: An item of that section: its variables say how the database is reached.
DATABASE_ITEM = "postgres.monitoring"
#: Where a run notes the ids that it is about to send, until what they made is gone again.
IDS = "cids"

#: How long the first sighting may take to come, in seconds: the hosts of one wave do not begin at the same moment.
LEAD_S = 15.0
#: The most that is waited for what was undone to be gone, in seconds.
GONE_S = 15.0

Facts = dict[str, t.Any]


class Journey:
    """The journey of this run, as the control node sees it."""

    def __init__(self, task_vars: engine.TaskVars, run: CurrentRun) -> None:
        self._hostvars = task_vars["hostvars"]
        self._inventory = engine.inventory_of(task_vars)
        self._item = catalogue.items()[OrderJourney.items[0]]
        self._run = run
        self.probes = manifest.vantage_hosts(OrderJourney, self._inventory)
        self.ids = Ids.of(run.path.name)
        self._one_by_one = int(context.CLIARGS.get("forks") or constants.DEFAULT_FORKS) < 2

    def entry(self, host: str) -> Entry:
        return manifest.entry(OrderJourney, self._item, host, self._inventory)

    @property
    def database(self) -> str | None:
        """The host that looks into the database: the first of its group."""
        return next(iter(self._inventory.hosts(DATABASE_GROUP)), None)

    def part(self, host: str, follow: bool) -> Entry | None:
        """Return what *host* does for the journey in this run, or None."""
        if host in self.probes:
            declared = self.entry(host)
            if declared.problem or (follow and self._seen(FIRST_RUN, host, JourneyAct.name) is None):
                return None
            if not follow:
                self.note()
            given = self._finish_given() if follow else self._act_given()
            check = JourneyFinish if follow else JourneyAct
            return Entry(check, self._item, host, {**declared.options, "given": given}, [("host", host)], None)
        if host == self.database:
            return self._database_part(host, follow)
        return None

    def _database_part(self, host: str, follow: bool) -> Entry | None:
        if follow and self._seen(FIRST_RUN, host, DatabaseObservers.name) is None:
            return None
        options = self.entry(self.probes[0]).options if self.probes else {}
        try:
            plan = journey_plan.plan(options)
        except (CannotKnow, KeyError):
            return None  # the probe's part says what is wrong with it
        if "sql" in options["tenants_flag"] and not _certain(self._flagged.get(plan.tenant)):
            return None  # nothing will be sent
        see = self._follow_see(plan, options) if follow else self._first_see(plan, options)
        if self._one_by_one:  # whatever is waited for comes after this host's turn, or came before it
            see = {name: {**one, "wait": False} for name, one in see.items()}
        return database_entry(host, self._inventory, {"see": see, "lead_s": LEAD_S, "settle_s": 0.0 if follow else 2 * SETTLE_S}) if see else None

    def _first_see(self, plan: Plan, options: Facts) -> Facts:
        see: Facts = {}
        for stage in plan.on_host(FIRST):
            see[stage] = self._see(plan, options, stage, self.ids.sent, never=self.ids.never, wait=True)
            if stage in ("inbound", "order"):
                see[f"{stage}/race"] = self._see(plan, options, stage, self.ids.race, wait=True)
        if plan.left.kind == "sql":
            words = left_words(plan, options, self.ids, self.abandoned(), own=False)
            see["left"] = {**self._left(plan, options), "words": words, "wait": False}
        return see

    def _follow_see(self, plan: Plan, options: Facts) -> Facts:
        see: Facts = {}
        saved = self._saved(plan)
        for stage in plan.on_host(FIRST):
            see[stage] = self._see(plan, options, stage, self.ids.sent, never=self.ids.never)
            if stage in ("inbound", "order"):
                see[f"{stage}/race"] = self._see(plan, options, stage, self.ids.race)
        if plan.on_host(("close",)) and plan.close.words <= set(saved) | set(plan.words(options, "")) | {"user"}:
            see["close"] = self._see(plan, options, "close", self.ids.sent, saved=saved, never=self.ids.never, wait=True)
        if plan.left.kind == "sql":
            words = left_words(plan, options, self.ids, self.abandoned())
            see["left"] = {**self._left(plan, options), "words": words, "wait": "none"}
        return see

    def _see(self, plan: Plan, options: Facts, stage: str, cid: str, *, never: str = "", saved: Facts | None = None, wait: bool = False) -> Facts:
        observer = plan.see[stage]
        words = {**(saved or {}), **plan.words(options, cid)}
        # A select that knows the order by its number, not by the id of the run, has nothing that was never sent to look for.
        telling = bool(never) and bool({"cid", "event_id"} & observer.words)
        return {
            "observer": options["journey"][stage]["see"],
            "where": observer.where,
            "within_s": observer.within_s,
            "words": words,
            "never": {**words, **plan.words(options, never)} if telling else None,
            "wait": wait,
        }

    @staticmethod
    def _left(plan: Plan, options: Facts) -> Facts:
        return {"observer": options["journey"]["clean"]["see"], "where": plan.left.where, "within_s": min(plan.left.within_s, GONE_S)}

    @property
    def _flagged(self) -> Facts:
        return dict(self.facts(self.database).get("flagged") or {}) if self.database else {}

    def _act_given(self) -> Facts:
        return {"ids": self.ids.as_dict(), "flagged": self._flagged}

    def _finish_given(self) -> Facts:
        options = self.entry(self.probes[0]).options
        try:
            plan = journey_plan.plan(options)
        except CannotKnow:
            return {**self._act_given(), "saved": {}, "rows": [], "abandoned": []}
        rows = [row for sight in self._sights(FIRST_RUN).values() for row in sight["rows"]]
        return {**self._act_given(), "saved": self._saved(plan), "rows": rows, "abandoned": self.abandoned()}

    def _saved(self, plan: Plan) -> Facts:
        """The words that the stages' selects gave, by their columns' names."""
        sights = self._sights(FIRST_RUN)
        found: Facts = {}
        for stage in plan.on_host(FIRST):
            rows = sights.get(stage, {}).get("rows") or [{}]
            found |= {name: value for name, value in rows[0].items() if name in journey_plan.aliases(plan.see[stage])}
        return found

    def acted(self, probe: str) -> bool:
        return self._seen(FIRST_RUN, probe, JourneyAct.name) is not None

    def judged(self, probe: str) -> dict[str, list[Assertion]]:
        """Return the assertions of each item."""
        return judged(OrderJourney(), self.seen(probe), self.entry(probe).options)

    def took(self, probe: str) -> tuple[float, float]:
        """Return when the message was sent, and how long the journey took from there, the wait between its two runs left out."""
        seen = self.seen(probe)
        begun = seen["act"].get("sent_at") or time.time()
        parts = (("act", "copied_at"), ("finish", "cleaned_at"))
        return begun, sum((seen[part].get(last) or 0.0) - seen[part]["sent_at"] for part, last in parts if seen[part].get(last) and seen[part].get("sent_at"))

    def seen(self, probe: str) -> Facts:
        """Return what all hosts saw, on the control node's clock, as ``OrderJourney.judge`` takes it."""
        act = self._seen(FIRST_RUN, probe, JourneyAct.name) or {"problem": _nothing(probe)}
        finish = self._seen(SECOND_RUN, probe, JourneyFinish.name) or {"problem": _nothing(probe)}
        skew_s = self._skew_s(probe)
        sights: dict[str, list[Facts]] = {}
        for registered in (FIRST_RUN, SECOND_RUN):
            for name, sight in self._sights(registered).items():
                if name != "left" or registered == SECOND_RUN:
                    sights.setdefault(name, []).append(shifted(sight, self._skew_s(self.database or "")))
        act, finish = shifted(act, skew_s), shifted(finish, skew_s)
        return {"act": act, "finish": finish, "sights": sights, "copied_at": act.get("copied_at")}

    def _sights(self, registered: str) -> Facts:
        """Return what the database host saw; that it could not look is a sight too."""
        seen = self._seen(registered, self.database, DatabaseObservers.name) if self.database else None
        if seen is None:
            return {}
        if "problem" in seen:
            stages = [*FIRST, "close", "left"]
            return {stage: {**_UNSEEN, "problem": seen["problem"]} for stage in stages}
        return dict(seen["sights"])

    def _seen(self, registered: str, host: str | None, part: str) -> Facts | None:
        known = self._hostvars[host].get(registered) if host in self._hostvars else None
        joint = ((variables.plain(known) or {}).get("golive") or {}).get("joint") or {}
        return joint.get(part)

    def facts(self, host: str) -> Facts:
        known = self._hostvars[host].get(engine.PROBE_VARIABLE) if host in self._hostvars else None
        return dict((variables.plain(known) or {}).get("golive") or {})

    def _skew_s(self, host: str) -> float:
        return float(self.facts(host).get("clock_skew_ms") or 0) / 1000

    def note(self) -> None:
        """Write the ids down before they are sent: whoever kills this run, the next one knows what to look for."""
        folder = self._run.path / IDS
        folder.mkdir(exist_ok=True)
        for cid in (self.ids.sent, self.ids.race):
            (folder / cid).touch()

    def forget(self) -> None:
        """Take the notes of what is proven to be gone away."""
        for path in [*(self._run.path / IDS).glob("*"), *self._abandoned()]:
            path.unlink(missing_ok=True)

    def abandoned(self) -> list[str]:
        """Return the ids of runs that are over, or were killed on this machine, and are not known to have left nothing."""
        return sorted(path.name for path in self._abandoned())

    def _abandoned(self) -> list[pathlib.Path]:
        noted = self._run.path.parent.glob(f"*/{IDS}/*")
        return [path for path in noted if path.parent.parent != self._run.path and ledger.over(path.parent.parent)]


_UNSEEN: Facts = {
    **dict.fromkeys(("first_look", "last_look", "first_seen", "last_seen", "last_absent")),
    "looks": 0,
    "count": 0,
    "most": 0,
    "never": 0,
    "rows": [],
}
_MOMENTS = frozenset({"first_look", "last_look", "first_seen", "last_seen", "last_absent", "sent_at", "copied_at", "cleaned_at"})


def shifted(seen: t.Any, skew_s: float) -> t.Any:
    """Return *seen* with its moments on the control node's clock; *skew_s* is how much the host's is ahead of it."""
    if isinstance(seen, dict):
        return {key: value - skew_s if key in _MOMENTS and isinstance(value, (int, float)) else shifted(value, skew_s) for key, value in seen.items()}
    if isinstance(seen, list):
        return [shifted(one, skew_s) for one in seen]
    return seen


def last_step(host: str, task_vars: engine.TaskVars) -> str:
    """Return the step of ``playbooks/observe.yml`` in which *host* does what would disturb others, which is when all others are done.

    That is a step of its own, but for the only host that looks from outside: when the runner comes to it there, nobody else has anything left to send,
    and looking into a database is not disturbed.
    """
    inventory = engine.inventory_of(task_vars)
    known = task_vars["hostvars"][host].get(FIRST_RUN) if host in task_vars["hostvars"] else None
    follows = bool(((variables.plain(known) or {}).get("golive") or {}).get("joint"))
    return "follow" if follows and manifest.vantage_hosts(OrderJourney, inventory) == [host] else "alone"


def _certain(flag: t.Any) -> bool:
    """Whether the answer to the question for the flag is a number of rows, and not none."""
    return isinstance(flag, int) and flag > 0


def _nothing(host: str) -> Facts:
    return {"code": "order_journey.no_part", "status": "error", "params": {"host": host}}


def database_entry(host: str, inventory: manifest.Inventory, given: Facts) -> Entry:
    """Return the part of *host* that looks into the database. Its variables are those of the section ``postgres``, on the host itself."""
    found = manifest.entry(DatabaseObservers, catalogue.items()[DATABASE_ITEM], host, inventory, own=True)
    return dataclasses.replace(found, options={**found.options, "given": given}, targets=[("host", host)])


def database_user(options: Facts) -> str | None:
    """Return the OS user that the database's local socket knows (peer authentication), or None where it is reached by its address."""
    host = str(options.get("host") or "/")
    return str(options.get("user") or "postgres") if host.startswith("/") else None


def flag_entry(task_vars: engine.TaskVars, host: str) -> Entry | None:
    """Return the question whether the tenants are flagged as test ones, if *host* is where it is asked. It is asked before anything is sent."""
    inventory = engine.inventory_of(task_vars)
    if host != next(iter(inventory.hosts(DATABASE_GROUP)), None):
        return None
    known = inventory.variables(host)
    flag, tenants = known.get("golive_tenants_flag", None), known.get("golive_tenants", None)
    if not isinstance(flag, dict) or "sql" not in flag or not isinstance(tenants, dict):
        return None
    words = {key: {"cid": "", **tenant_words(tenants, key)} for key in tenants}
    see = {key: {"observer": flag, "where": "golive_tenants_flag", "within_s": 5, "words": words[key], "wait": False} for key in tenants}
    return database_entry(host, inventory, {"see": see, "lead_s": 0})


def flags(seen: Facts, tenants: t.Iterable[str]) -> Facts:
    """Return how many rows each tenant's flag gave, or the problem that stood in the way."""
    if "problem" in seen:
        return dict.fromkeys(tenants, seen["problem"])
    return {key: sight["problem"] or sight["count"] for key, sight in seen["sights"].items()}


#: The door asks it before it lets a host's rows through: what is a part's is not evidence.
PART_NAMES = frozenset({JourneyAct.name, JourneyFinish.name, DatabaseObservers.name})


def parts_seen(rows: t.Iterable[Facts]) -> Facts:
    """Return what the parts among *rows* saw, by their names."""
    found: Facts = {}
    for row in rows:
        if row["check"] in PART_NAMES:
            problem = {"code": row["reason"]["code"], "status": row["status"], "params": row["reason"]["params"]}
            found[row["check"]] = row["observed"] if row["status"] == "pass" else {"problem": problem}
    return found
