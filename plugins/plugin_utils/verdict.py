# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: a pure function of what must be known, what was seen, what was signed, and the time.

Nothing here reads a file, a clock or a variable. Its properties (removing a key, time moving on, or worsening the newest row never improve it; order and
duplicates never matter) are tested with hypothesis.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES
from ansible_collections.resto.golive.plugins.plugin_utils import signatures

GO, GO_WITH_WAIVERS, NO_GO = "GO", "GO_WITH_WAIVERS", "NO_GO"

#: Item states, best first. ``waived`` is never compared: it is what ``fail`` and ``warn`` become.
STATES = ("not_applicable", "pass", "attested", "waived", "warn", "pending", "stale", "unknown", "fail")
TICKED = frozenset({"pass", "attested", "not_applicable"})

#: States of a row by the status of its observation.
STATE_OF = {"pass": "pass", "warn": "warn", "fail": "fail"}

MAX_WAIVERS = 5
#: Webhook signatures have windows of five minutes and their vendors ask for NTP; a clock this far off makes every other time doubtful.
MAX_SKEW_MS = 5000

Json = t.Any
Key = tuple[str, str, str, str, str]
Observation = t.Mapping[str, Json]


@dataclasses.dataclass(frozen=True)
class Reason:
    code: str
    params: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RowResult:
    """What one row of the manifest came to."""

    row: t.Mapping[str, Json]
    observation: Observation | None
    state: str
    reason: Reason
    age_s: float | None = None


@dataclasses.dataclass(frozen=True)
class ItemResult:
    state: str
    reason: Reason
    rows: tuple[RowResult, ...] = ()
    waiver: Json = None
    attestation: Json = None


@dataclasses.dataclass(frozen=True)
class Signed:
    """A waiver or an attestation, with what it is worth: ``state`` is used, unused, valid, expired, future or refused."""

    entry: t.Mapping[str, Json]
    state: str
    flaw: Reason | None


@dataclasses.dataclass(frozen=True)
class Decision:
    verdict: str
    items: dict[str, ItemResult]
    waivers: tuple[Signed, ...]
    attestations: tuple[Signed, ...]
    problems: tuple[Reason, ...]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the probe saw in this run: the release that runs, each host's machine id, and the sections whose server runs there; and the run's own id."""

    release: str | None = None
    machines: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    run: str = ""
    servers: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, hosts: t.Mapping[str, t.Mapping[str, Json]], run: str = "") -> Facts:
        """Return the facts of *hosts*, the probe's rows by name. Hosts that run different releases have none in common."""
        releases = {row["release"] for row in hosts.values() if row.get("release")}
        up = {name: row for name, row in hosts.items() if row.get("state") == "up"}
        machines = {name: row["machine"] for name, row in up.items()}
        return cls(releases.pop() if len(releases) == 1 else None, machines, run, {name: row.get("servers", ()) for name, row in up.items()})


def other_releases(declared: str | None, hosts: t.Mapping[str, t.Mapping[str, Json]]) -> list[Reason]:
    """Return which of *hosts* (the probe's rows by name) run another release than is *declared* to be there. What a host does not tell is no other release.

    A tag is often called ``v1.2`` and its directory ``1.2``: that is the same release.
    """
    running = sorted((name, str(row["release"])) for name, row in hosts.items() if row.get("release"))
    others = [(name, release) for name, release in running if declared and _bare(release) != _bare(declared)]
    return [Reason("verdict.other_release", {"host": name, "release": release, "declared": declared}) for name, release in others]


def _bare(release: str) -> str:
    return release[1:] if release[:1] == "v" and release[1:2].isdigit() else release


def key_of(row: t.Mapping[str, Json]) -> Key:
    """Return what makes a row the same row in every run: item, check and target."""
    target = row["target"]
    return row["item"], row["check"], target["host"], target["kind"], target["name"]


def decide(
    manifest: t.Mapping[str, Json],
    observations: t.Iterable[Observation],
    now: datetime.datetime,
    *,
    facts: Facts = Facts(),
    waivers: t.Sequence[t.Mapping[str, Json]] = (),
    attestations: t.Sequence[t.Mapping[str, Json]] = (),
    problems: t.Sequence[Reason] = (),
) -> Decision:
    """Decide. *problems* are of the run as a whole (a broken seal, no hosts): any of them is NO-GO before a rule is asked."""
    newest = newest_by_key(observations)
    waivable = {item: fields["waivable"] for item, fields in manifest["items"].items()}
    signed = [_signed(entry, signatures.attestation_flaw(entry, waivable, now), "valid") for entry in attestations]
    waived = [_signed(entry, signatures.waiver_flaw(entry, waivable, now), "unused") for entry in waivers]

    items = {}
    for item, fields in manifest["items"].items():
        rows = tuple(_row_result(row, fields, newest.get(key_of(row)), now, facts, manifest) for row in manifest["rows"] if row["item"] == item)
        items[item] = _with_waiver(item, fields, _item_result(item, fields, rows, signed, facts), waived)

    used = [result.waiver for result in items.values() if result.waiver is not None]
    waived = [dataclasses.replace(w, state="used") if any(w.entry is entry for entry in used) else w for w in waived]
    found = list(problems)
    if len(used) > MAX_WAIVERS:
        found.append(Reason("verdict.too_many_waivers", {"count": len(used), "limit": MAX_WAIVERS}))
    return Decision(_verdict(items, found), items, tuple(waived), tuple(signed), tuple(found))


def _verdict(items: t.Mapping[str, ItemResult], problems: t.Sequence[Reason]) -> str:
    states = {result.state for result in items.values()}
    if problems or not states or states - TICKED - {"waived"}:
        return NO_GO
    return GO_WITH_WAIVERS if "waived" in states else GO


def newest_by_key(observations: t.Iterable[Observation]) -> dict[Key, Observation]:
    """Return the newest observation of each key; of equal times the worse, and of equal statuses any (they are compared by content, so order never matters)."""
    newest: dict[Key, Observation] = {}
    for observation in observations:
        key = key_of(observation)
        if key not in newest or _rank(observation) > _rank(newest[key]):
            newest[key] = observation
    return newest


def _rank(observation: Observation) -> tuple[datetime.datetime, int, str]:
    return moment(observation["started_at"]), STATUSES.index(observation["status"]), str(sorted(observation.items(), key=lambda pair: pair[0]))


def moment(text: str) -> datetime.datetime:
    """Return an RFC 3339 time as a datetime with zone."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _row_result(
    row: t.Mapping[str, Json], fields: t.Mapping[str, Json], seen: Observation | None, now: datetime.datetime, facts: Facts, manifest: t.Mapping[str, Json]
) -> RowResult:
    """Ask, in this order: must it be there, was it seen, does what was seen still hold, and what did it say."""
    if row.get("problem"):
        return RowResult(row, None, "unknown", Reason(**row["problem"]))
    if seen is None:
        return RowResult(row, None, "unknown", _unseen(row, manifest))
    age_s = (now - moment(seen["started_at"])).total_seconds()
    why = stale(row, fields, seen, age_s, facts)
    if why is not None:
        return RowResult(row, seen, "stale", why, age_s)
    reason = Reason(seen["reason"]["code"], seen["reason"]["params"])
    if abs(seen.get("clock_skew_ms") or 0) > MAX_SKEW_MS:
        reason = Reason("verdict.clock_skew", {"host": row["target"]["host"], "skew_ms": seen["clock_skew_ms"], "limit_ms": MAX_SKEW_MS})
        return RowResult(row, seen, "fail" if seen["status"] == "fail" else "unknown", reason, age_s)
    return RowResult(row, seen, STATE_OF.get(seen["status"], "unknown"), reason, age_s)


def _unseen(row: t.Mapping[str, Json], manifest: t.Mapping[str, Json]) -> Reason:
    """Why a row that must exist has no observation."""
    host = row["target"]["host"]
    if row.get("beyond_impact"):
        return Reason("verdict.impact", {"impact": row["impact"], "allowed": row["allowed"]})
    if host not in manifest["hosts_in_play"]:
        return Reason("verdict.limited", {"host": host})
    if not row.get("selected", True):
        return Reason("verdict.not_selected")
    if manifest["check_mode"] and row["impact"] != "passive":
        return Reason("verdict.check_mode")
    return Reason("verdict.not_run")


def stale(row: t.Mapping[str, Json], fields: t.Mapping[str, Json], seen: Observation, age_s: float, facts: Facts) -> Reason | None:
    """Why what was *seen* no longer holds for *row*, or None. *fields* are the item's ``max_age_h`` and ``release_bound``."""
    host = row["target"]["host"]
    if age_s < -MAX_SKEW_MS / 1000:
        return Reason("verdict.stale_future", {"at": seen["started_at"]})
    # It was never seen at the time that it bears, and waiting makes no evidence of it. A run under --check has no seal, and is over now.
    if seen.get("sealed_at") and (moment(seen["sealed_at"]) - moment(seen["started_at"])).total_seconds() < -MAX_SKEW_MS / 1000:
        return Reason("verdict.stale_after_its_run", {"at": seen["started_at"], "ended": seen["sealed_at"]})
    if age_s > fields["max_age_h"] * 3600:
        return Reason("verdict.stale_age", {"age_h": round(age_s / 3600, 1), "max_age_h": fields["max_age_h"]})
    if seen["basis"] != row["basis"]:
        return Reason("verdict.stale_basis")
    if host in facts.machines and seen["machine"] != facts.machines[host]:
        # A host that did not answer has no identity in the evidence: it was away, which is not another machine.
        return Reason("verdict.stale_machine" if seen["machine"] else "verdict.stale_away", {"host": host})
    if fields["release_bound"] and seen["release"] != facts.release:
        return Reason("verdict.stale_release", {"was": seen["release"] or "?", "now": facts.release or "?"})
    if fields["release_bound"] and facts.release is None and seen["run_id"] != facts.run:
        return Reason("verdict.stale_release_unknown")
    return None


def _item_result(item: str, fields: t.Mapping[str, Json], rows: tuple[RowResult, ...], signed: t.Sequence[Signed], facts: Facts) -> ItemResult:
    declared = fields.get("not_applicable")
    if declared is not None:
        against = _contradiction(item, rows, facts) if declared["state"] == "not_applicable" else None
        return ItemResult("fail", against, rows) if against else ItemResult(declared["state"], Reason(**declared["reason"]), rows)
    if rows:
        worst = max(rows, key=lambda result: STATES.index(result.state))
        state, reason = worst.state, worst.reason
        if state == "pass" and len(rows) > 1:
            reason = Reason("verdict.passed", {"count": len(rows)})
    else:
        state, reason = "unknown", Reason("verdict.no_hosts", {"group": fields["group"], "item": item.replace(".", "_")})
    if not fields["attestation"]:
        return ItemResult(state, reason, rows)
    return _with_attestation(item, ItemResult(state, reason, rows), signed)


def _contradiction(item: str, rows: tuple[RowResult, ...], facts: Facts) -> Reason | None:
    """What was seen of the thing that is said not to be there: its server runs, or a check found it, whether good or bad.

    That what was found is old by now does not make it go away; a newer look that finds nothing does.
    """
    section = item.partition(".")[0]
    for host, sections in sorted(facts.servers.items()):
        if section in sections:
            return Reason("verdict.contradicted_by_server", {"host": host, "server": section})
    for result in rows:
        if result.observation is not None and result.observation["status"] in STATE_OF:
            return Reason("verdict.contradicted_by_check", {"check": result.row["check"], **{name: result.row["target"][name] for name in ("host", "name")}})
    return None


def _with_attestation(item: str, result: ItemResult, signed: t.Sequence[Signed]) -> ItemResult:
    """An item that a person signs: the signature never outweighs what was seen."""
    mine = [s for s in signed if s.entry.get("item") == item]
    valid = [s for s in mine if s.state == "valid"]
    entry = max((s.entry for s in valid), key=lambda e: (str(e["expires"]), str(e))) if valid else None
    if STATES.index(result.state) > STATES.index("pending"):
        return dataclasses.replace(result, attestation=entry)
    if entry is not None:
        reason = Reason("verdict.attested_and_checked", {name: entry[name] for name in ("by", "expires", "statement")})
        return ItemResult("attested" if result.state == "pass" else result.state, reason if result.state == "pass" else result.reason, result.rows, None, entry)
    if mine and mine[0].flaw:
        return dataclasses.replace(result, state="pending", reason=Reason("verdict.attestation_refused", {"item": item, "flaw": mine[0].flaw}))
    return dataclasses.replace(result, state="pending", reason=Reason("verdict.attestation_missing", {"item": item}))


def _with_waiver(item: str, fields: t.Mapping[str, Json], result: ItemResult, waived: t.Sequence[Signed]) -> ItemResult:
    """Accept a known risk, and only a known one: a row that nobody could look at, or a signature that is missing, is not covered by it."""
    unsigned = {"pending"} if fields["attestation"] and result.attestation is None else set()
    open_states = ({row.state for row in result.rows} | {result.state} | unsigned) - TICKED
    for waiver in waived:
        if open_states and waiver.flaw is None and waiver.entry["item"] == item and open_states <= signatures.covered(waiver.entry):
            params = {name: waiver.entry[name] for name in ("expires", "owner", "approver", "reason")}
            return dataclasses.replace(result, state="waived", reason=Reason("verdict.waived", params), waiver=waiver.entry)
    return result


def _signed(entry: t.Mapping[str, Json], flaw: signatures.Flaw | None, good: str) -> Signed:
    if flaw is None:
        return Signed(entry, good, None)
    state = {"verdict.expired": "expired", "verdict.future": "future"}.get(flaw[0], "refused")
    return Signed(entry, state, Reason(*flaw))
