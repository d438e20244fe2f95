# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups stay and which go: a pure function, so that everybody who asks gets the same answer (the job, the check, ``--check``).

The policy 7/30/90 reads: the newest copy of each day for 7 days, of each ISO week for 30 days, of each month for 90 days, and of each hour for the last
24 hours. Rules are ORed, and ages count from the newest good copy, not from now, as with restic's ``--keep-within-daily 7d --keep-within-weekly 30d
--keep-within-monthly 90d``: where backups stop, nothing ages away, and it is the health check that shouts. On top of it come the rules that restic does not
have (:func:`_protected`) and the circuit breaker (:func:`_refusals`).
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
import zoneinfo

#: What a copy can be. Only ``good`` ones are ever counted as one: finished, and not ``damaged``, which is what a drill could not bring back. ``failed`` is an
#: attempt that left none.
STATES = ("good", "failed", "damaged")

#: A plan that removes more than this share of the good copies looks like a mistake in the policy or in the clock.
SHARE_MAX = 0.5

#: One month's last copy goes every month or so, in the ordinary course of 90 days. Two months at once do not.
MONTHS_MAX = 1


@dataclasses.dataclass(frozen=True)
class Backup:
    """One copy. ``time`` is its snapshot's, in UTC; ``verified_at`` when a drill last brought it back."""

    id: str
    time: datetime.datetime
    size_bytes: int = 0
    state: str = "good"
    system: str = ""
    verified_at: datetime.datetime | None = None
    pinned: bool = False


@dataclasses.dataclass(frozen=True)
class Policy:
    """For how long each kind of copy is kept; zero: not at all. Days, weeks and months are those of ``zone``, an IANA name; hours are UTC's."""

    daily_days: int = 7
    weekly_days: int = 30
    monthly_days: int = 90
    hourly_hours: int = 24
    zone: str = "UTC"

    @property
    def span_days(self) -> int:
        """How old the oldest copy gets."""
        return max(self.daily_days, self.weekly_days, self.monthly_days)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What happens to one copy, and every reason for it, as codes (:data:`REASONS`)."""

    backup: Backup
    keep: bool
    reasons: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Decisions, newest first. ``refusals`` is empty, or says why nothing may be removed without ``force``."""

    decisions: tuple[Decision, ...]
    refusals: tuple[str, ...]

    def kept(self) -> list[Backup]:
        return [decision.backup for decision in self.decisions if decision.keep]

    def removed(self) -> list[Backup]:
        """Return what the rules would let go, whether or not the breaker holds it."""
        return [decision.backup for decision in self.decisions if not decision.keep]

    def doomed(self, *, force: bool = False) -> list[Backup]:
        """Return what may be removed now."""
        return [] if self.refusals and not force else self.removed()

    def lines(self) -> list[str]:
        """Return the plan as people read it, one line a copy."""
        return [
            f"{'keep  ' if decision.keep else 'remove'} {decision.backup.id} {decision.backup.time:%Y-%m-%d %H:%M}Z: "
            + ", ".join(REASONS[reason] for reason in decision.reasons)
            for decision in self.decisions
        ]


REASONS = {
    "newest": "the newest good copy",
    "newest_verified": "the newest copy that a drill brought back",
    "pinned": "pinned",
    "future": "dated in the future: look at the clocks",
    "in_use": "a restore or a drill is running",
    "another_cluster": "of another cluster: not ours to remove",
    "newest_failure": "the newest failure, kept to be looked into",
    "hourly": "last of its hour",
    "daily": "last of its day",
    "weekly": "last of its week",
    "monthly": "last of its month",
    "failed": "failed or unfinished",
    "damaged": "a drill could not bring it back: it counts for nothing",
    "covered": "a newer copy stands for its day, week and month",
    "expired": "older than the policy",
}

REFUSALS = {
    "last_backup_failed": "the last backup failed",
    "newest_damaged": "a drill could not bring the newest copy back",
    "too_many": f"more than {SHARE_MAX:.0%} of the good copies would go",
    "months_emptied": "more than one month would lose its last copy",
    "nothing_kept": "no good copy would be left",
    "empty_policy": "the policy keeps nothing",
}


def plan(
    backups: t.Iterable[Backup],
    policy: Policy,
    now: datetime.datetime,
    *,
    system: str = "",
    in_use_since: datetime.datetime | None = None,
) -> Plan:
    """Decide about each of *backups*. The order in which they come does not matter.

    *system* is the live cluster's system identifier: copies that name another one are neither counted nor touched. *in_use_since* is the time of the
    copy that a running drill reads: it stays, and so does what is younger.
    """
    ordered = sorted(backups, key=lambda one: (one.time, one.id), reverse=True)
    reasons: dict[str, list[str]] = {one.id: [] for one in ordered}
    if len(reasons) != len(ordered):
        raise ValueError("two backups have the same id")
    ours = [one for one in ordered if not (system and one.system and one.system != system)]
    past = [one for one in ours if one.time <= now]
    good = [one for one in past if one.state == "good"]
    for one, reason in (*_protected(ordered, ours, past, good, now, in_use_since), *_damaged(past, good, policy), *_by_rule(good, policy)):
        reasons[one.id].append(reason)
    decisions = tuple(Decision(one, bool(reasons[one.id]), tuple(reasons[one.id] or _why_not(one, good, policy))) for one in ordered)
    return Plan(decisions, tuple(_refusals(decisions, past, good, policy)))


def lost(last: t.Mapping[str, t.Any], there: t.Collection[str]) -> set[str]:
    """Return the ids of the copies that were kept, by what the *last* run wrote down, and that are not *there* although no run of ours removed them."""
    kept = set(last.get("kept", ())) - set(last.get("removing", ()))
    return (kept | set(last.get("lost", ()))) - set(there)


def _protected(
    ordered: t.Sequence[Backup],
    ours: t.Sequence[Backup],
    past: t.Sequence[Backup],
    good: t.Sequence[Backup],
    now: datetime.datetime,
    in_use_since: datetime.datetime | None,
) -> t.Iterator[tuple[Backup, str]]:
    """Yield what no policy may remove."""
    own = {one.id for one in ours}
    yield from ((one, "another_cluster") for one in ordered if one.id not in own)
    yield from ((one, "pinned") for one in ours if one.pinned)
    yield from ((one, "future") for one in ours if one.time > now)
    yield from ((one, "newest") for one in good[:1])
    verified = sorted((one for one in good if one.verified_at), key=lambda one: (one.time, one.id), reverse=True)
    yield from ((one, "newest_verified") for one in verified[:1])
    yield from ((one, "newest_failure") for one in [one for one in past if one.state == "failed"][:1])
    if in_use_since is not None:
        yield from ((one, "in_use") for one in past if one.time >= in_use_since)


def _damaged(past: t.Sequence[Backup], good: t.Sequence[Backup], policy: Policy) -> t.Iterator[tuple[Backup, str]]:
    """Yield what a drill could not bring back, for as long as anything is kept: it takes nobody's place, and somebody may still get something out of it."""
    yield from ((one, "damaged") for one in past if one.state == "damaged" and not (good and _expired(one, good, policy)))


def _expired(one: Backup, good: t.Sequence[Backup], policy: Policy) -> bool:
    return (good[0].time - one.time).days >= policy.span_days


def _by_rule(good: t.Sequence[Backup], policy: Policy) -> t.Iterator[tuple[Backup, str]]:
    """Yield the newest copy of every bucket that begins within its rule's window, which ends at the newest good copy."""
    if not good:
        return
    zone = zoneinfo.ZoneInfo(policy.zone)
    newest = good[0].time.astimezone(zone)
    rules: tuple[tuple[str, datetime.timedelta, t.Callable[[datetime.datetime], object]], ...] = (
        ("hourly", datetime.timedelta(hours=policy.hourly_hours), _hour),
        ("daily", datetime.timedelta(days=policy.daily_days), lambda at: at.astimezone(zone).date()),
        ("weekly", datetime.timedelta(days=policy.weekly_days), lambda at: at.astimezone(zone).isocalendar()[:2]),
        ("monthly", datetime.timedelta(days=policy.monthly_days), lambda at: (at.astimezone(zone).year, at.astimezone(zone).month)),
    )
    for name, window, bucket in rules:
        # Days are counted on the wall's clock (a day has 23 to 25 hours), hours on UTC's.
        edge = good[0].time - window if name == "hourly" else (newest - window).astimezone(datetime.UTC)
        last: object = None
        for one in good:
            if one.time > edge and bucket(one.time) != last:
                last = bucket(one.time)
                yield one, name


def _hour(at: datetime.datetime) -> object:
    return at.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)


def _why_not(one: Backup, good: t.Sequence[Backup], policy: Policy) -> list[str]:
    if one.state != "good":
        return [one.state]
    return ["expired" if _expired(one, good, policy) else "covered"]


def _refusals(decisions: t.Sequence[Decision], past: t.Sequence[Backup], good: t.Sequence[Backup], policy: Policy) -> t.Iterator[str]:
    """Yield why a person should look before anything goes."""
    kept = {decision.backup.id for decision in decisions if decision.keep}
    going = [one for one in good if one.id not in kept]
    if policy.span_days <= 0:
        yield "empty_policy"
    if not any(decision.keep is False for decision in decisions):
        return
    if not good:
        yield "nothing_kept"
    if past and past[0].state != "good":
        yield "last_backup_failed" if past[0].state == "failed" else "newest_damaged"
    if len(going) > SHARE_MAX * len(good):
        yield "too_many"
    zone = zoneinfo.ZoneInfo(policy.zone)
    months = {one.id: one.time.astimezone(zone).strftime("%Y-%m") for one in good}
    if len({months[one.id] for one in going} - {months[one.id] for one in good if one.id in kept}) > MONTHS_MAX:
        yield "months_emptied"


def pgbackrest_settings(policy: Policy) -> dict[str, str]:
    """Return the pgBackRest settings that keep at least what *policy* keeps.

    pgBackRest only knows how many fulls, or for how many days; by days it also keeps one full that is older (its documentation, "repo-retention-full-type").
    Its one repository keeps all fulls for the whole span.
    """
    return {"repo1-retention-full-type": "time", "repo1-retention-full": str(policy.span_days)}
