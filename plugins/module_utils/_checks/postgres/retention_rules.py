# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``backup_retention`` judges: pure functions of the plan, of what the last run left, and of the declared policy. Only that check comes in."""

from __future__ import annotations

import calendar
import datetime
import typing as t
import zoneinfo

from ansible_collections.resto.golive.plugins.module_utils._check import EXCERPT_MOST, Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import retention
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.retention import REFUSALS, Policy

Seen = t.Mapping[str, Json]

#: A run of the policy may be this late: its job runs at least once a day.
LATE_H = 26

#: Every day, every week and every month that a window holds as a whole must have its copy. One missed day is a warning; it is past in a week.
WEEK_DAYS, MONTH_DAYS = 7, 30

#: Clocks of two machines may differ by this; what is dated later is dated in the future.
SKEW_S = 120

DAY_S = 86400


def declared(options: Options) -> Policy:
    """Return the policy that the options name."""
    daily, weekly, monthly = options["days"]
    return Policy(daily, weekly, monthly, options["hourly_hours"], options["zone"])


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return what holds and what does not."""
    found = [*_policy(seen, options)]
    if seen["policy"] is not None:
        for rule in (_planned, _applied, _lost, _odd, _covered, _room):
            found += rule(seen, options)
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def _say(status: str, code: str, source: str, expected: Json, observed: Json, *, excerpt: str = "", **params: Json) -> Assertion:
    return Assertion(status, f"backup_retention.{code}", params, expected=expected, observed=observed, source=source, excerpt=excerpt)


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _policy(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    wanted = declared(options)
    asked = f"{wanted.daily_days}/{wanted.weekly_days}/{wanted.monthly_days}"
    if seen["policy"] is None:
        yield _say("fail", "policy_none", "backup.json", asked, None, wanted=asked)
        return
    have = Policy(**seen["policy"])
    told = f"{have.daily_days}/{have.weekly_days}/{have.monthly_days}"
    same = have == wanted
    code = "policy_same" if same else "policy_other"
    yield _say("pass" if same else "fail", code, "backup.json", asked, told, wanted=asked, have=told)


def _planned(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """What stays and what goes, and why, on as many sheets as it takes: an excerpt that was cut would keep quiet of what goes, which is the oldest."""
    kept = sum(one["keep"] for one in seen["decisions"])
    for sheet in _sheets(seen["lines"]):
        yield _say("pass", "plan", "plan", None, None, excerpt="\n".join(sheet), kept=kept, removed=len(seen["decisions"]) - kept)


def _sheets(lines: t.Iterable[str]) -> t.Iterator[list[str]]:
    """Return *lines* in groups that fit an excerpt whole."""
    sheet: list[str] = []
    for line in lines:
        if sheet and len("\n".join([*sheet, line])) > EXCERPT_MOST:
            yield sheet
            sheet = []
        sheet.append(line)
    if sheet:
        yield sheet


def _applied(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """The policy is no policy if nobody carries it out."""
    last = seen["last"]
    if last.get("problem"):
        yield _say("fail", "not_applied", "retention.json", "a run without trouble", last["problem"], why=last["problem"])
    if "at" not in last:
        if not last.get("problem"):
            yield _say("fail", "never_applied", "retention.json", "a run", None)
        return
    age_h = (_at(seen["now"]) - _at(last["at"])).total_seconds() / 3600
    params: dict[str, Json] = {"hours": round(age_h), "kept": len(last["kept"]), "removed": len(last["removed"])}
    late = age_h > LATE_H
    code = "applied_late" if late else "applied"
    yield _say("fail" if late else "pass", code, "retention.json", f"within {LATE_H} h", round(age_h), **params)
    if last.get("waits"):
        yield _say("fail" if late else "pass", "waits", "retention.json", "nobody reads", last["waits"], why=last["waits"])
    refusals = ", ".join(REFUSALS[code] for code in seen["refusals"])
    if refusals:
        yield _say("fail", "held", "plan", [], seen["refusals"], why=refusals, count=sum(not one["keep"] for one in seen["decisions"]))
    left = [one["id"] for one in seen["decisions"] if not one["keep"] and _at(one["at"]) < _at(last["at"]) and one["id"] not in last["kept"]]
    if left and not refusals:
        yield _say("fail", "left_over", "plan", [], left[:5], count=len(left), names=", ".join(left[:5]))


def _lost(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """What was kept is still there: a copy that went without us was deleted by somebody else. A run that is at work says what it removes."""
    there = {one["id"] for one in seen["decisions"]}
    lost = sorted(retention.lost(seen["last"], there))
    status, code = ("fail", "copies_lost") if lost else ("pass", "copies_there")
    yield _say(status, code, "retention.json", [], lost[:5], count=len(lost) or len(there), names=", ".join(lost[:5]))


def _odd(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """Copies that are kept because something is wrong with them."""
    for reason, code in (("future", "copies_future"), ("another_cluster", "copies_foreign")):
        names = [one["id"] for one in seen["decisions"] if reason in one["reasons"]]
        if names:
            yield _say("fail", code, "plan", [], names[:5], count=len(names), names=", ".join(names[:5]))


def _covered(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """The copies that a policy should have left are there, as far back as there have been backups. Before that the policy is all there is to judge."""
    policy, zone = declared(options), zoneinfo.ZoneInfo(options["zone"])
    good = [_at(one["at"]).astimezone(zone) for one in seen["decisions"] if one["state"] == "good" and "future" not in one["reasons"]]
    if not good or not seen["first"]:
        yield _say("fail", "no_copy", "plan", "at least one good copy", 0)
        return
    lived = (_at(seen["now"]) - _at(seen["first"])).total_seconds() / 86400
    yield from _windows(good, lived, policy, "plan")
    if lived < policy.span_days:
        yield _young(lived, policy)


def _young(lived: float, policy: Policy) -> Assertion:
    return _say("pass", "policy_young", "policy", f"{policy.span_days} days of backups", round(lived, 1), lived=round(lived, 1), days=policy.span_days)


def _windows(good: t.Sequence[datetime.datetime], lived: float, policy: Policy, source: str, apart: float = 1) -> t.Iterator[Assertion]:
    """Hold the moments of the *good* copies, local ones, against each window of the *policy*, as far as the *lived* days reach into it.

    Where copies are meant to be *apart* by more days than a window's copies are, there cannot be more of them.
    """
    newest = max(good)
    for name, days, period, bucket in (
        ("daily", policy.daily_days, 1, lambda at: at.date()),
        ("weekly", policy.weekly_days, WEEK_DAYS, lambda at: at.isocalendar()[:2]),
        ("monthly", policy.monthly_days, MONTH_DAYS, lambda at: (at.year, at.month)),
    ):
        have = len({bucket(at) for at in good if at > newest - datetime.timedelta(days=days)})
        wanted = max(1, int(min(lived, days) // max(period, apart)))
        status = "pass" if have >= wanted else "warn" if name == "daily" and have == wanted - 1 else "fail"
        code = "covered" if have >= wanted else "gaps"
        yield _say(status, code, source, wanted, have, kind=name, have=have, wanted=wanted, days=days)


def _room(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """Once the policy is full, it needs so much; for what of it lies on this host, there must be room."""
    whole, here = seen["forecast"], seen["here"]
    yield _say("pass", "room_forecast", "forecast", None, whole["bytes"], copies=whole["copies"], gigabytes=_gigabytes(whole["bytes"]))
    room = here["free_bytes"] + here["bytes_now"]
    params = {"copies": here["copies"], "gigabytes": _gigabytes(here["bytes"]), "free_gb": _gigabytes(here["free_bytes"])}
    status, code = ("fail", "room_short") if here["bytes"] > room else ("pass", "room_here")
    yield _say(status, code, "forecast", here["bytes"], room, **params)


def _gigabytes(size: int) -> float:
    return round(size / 1e9, 2)


def judge_pgbackrest(seen: Seen, options: Options) -> list[Assertion]:
    """Hold pgBackRest's own settings against the policy, and then what is really there: settings know nothing of who else may delete."""
    found = [*_settings(seen["settings"], retention.pgbackrest_settings(declared(options))), *_backups(seen["kept"], options)]
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def _backups(kept: Seen, options: Options) -> t.Iterator[Assertion]:
    policy, zone, source = declared(options), zoneinfo.ZoneInfo(options["zone"]), "pgbackrest repo-ls"
    there, now = kept["backups"], kept["now"]
    young = now - (policy.span_days - 1) * DAY_S
    if kept["known"] is None:
        yield _say("warn", "backups_unnoted", "labels.json", "a list", None)
    else:
        lost = sorted(label for label, full_at in kept["known"].items() if label not in there and full_at > young)
        status, code = ("fail", "backups_lost") if lost else ("pass", "copies_there")
        yield _say(status, code, source, [], lost[:5], count=len(lost) or len(there), names=", ".join(lost[:5]))
    later = sorted(label for label, at in there.items() if at > now + SKEW_S)
    if later:
        yield _say("fail", "copies_future", source, [], later[:5], count=len(later), names=", ".join(later[:5]))
    moments = [datetime.datetime.fromtimestamp(at, zone) for label, at in there.items() if label not in later]
    if not moments:
        yield _say("fail", "no_copy", source, "at least one good copy", 0)
        return
    lived = (now - kept["first"]) / DAY_S
    yield from _windows(moments, lived, policy, source, kept["interval_s"] / DAY_S)
    if lived < policy.span_days:
        yield _young(lived, policy)


def _settings(settings: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> t.Iterator[Assertion]:
    for name, value in wanted.items():
        have = settings.get(name, "")
        good = have == value if name.endswith("-type") else have.isdigit() and int(have) >= int(value)
        code = "setting_keeps" if good else "setting_short"
        yield _say("pass" if good else "fail", code, "pgbackrest.conf", value, have, name=name, have=have or "-", wanted=value)


def judge_reported(seen: Seen, options: Options) -> list[Assertion]:
    """Hold somebody else's copies against the policy. Nobody shows us their rules: only old copies prove that they keep them."""
    policy, zone, source = declared(options), zoneinfo.ZoneInfo(options["zone"]), "postgres_backups_report"
    later = [one["id"] for one in seen["reported"] if one["at"] > seen["now"] + SKEW_S]
    there = [one["at"] for one in seen["reported"] if one["id"] not in later]
    found = [_say("fail", "copies_future", source, [], later[:5], count=len(later), names=", ".join(later[:5]))] if later else []
    if not there:
        return [*found, _say("fail", "no_copy", source, "at least one good copy", 0)]
    moments = [datetime.datetime.fromtimestamp(at, zone) for at in there]
    span, lived, wanted = policy.span_days, (seen["now"] - min(there)) / 86400, _reach(max(moments), policy)
    found += _windows(moments, lived, policy, source)
    params: dict[str, Json] = {"lived": round(lived, 1), "days": span}
    longer = lived > span + MONTH_DAYS + 1
    status, code = ("error", "reported_young") if min(moments).date() > wanted else ("warn", "reported_longer") if longer else ("pass", "reported_reaches")
    found.append(_say(status, code, source, f"a copy of {wanted} or before", str(min(moments).date()), **params))
    return sorted(found, key=lambda assertion: ("fail", "error", "warn", "pass").index(assertion.status))


def _reach(newest: datetime.datetime, policy: Policy) -> datetime.date:
    """Return the day by which the oldest copy must have been made: the last one of the day, week or month that the longest window begins in.

    A day later than the window does, because the copy of that day may be some seconds older than the window.
    """
    spans = (policy.daily_days, policy.weekly_days, policy.monthly_days)
    day, week, month = ((newest - datetime.timedelta(days=span - 1)).date() for span in spans)
    ends = (day, week + datetime.timedelta(days=WEEK_DAYS - week.isoweekday()), month.replace(day=calendar.monthrange(month.year, month.month)[1]))
    return min(end for span, end in zip(spans, ends, strict=True) if span)
