# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``postgres_health`` judges: pure functions of what was seen and of the limits, each limit with where it comes from.

Sources: CP = check_postgres (its own defaults), MX = postgres_mixin, AP = awesome-prometheus-alerts, CN = CloudNativePG's samples, ours = argued beside it.
Rules that look for *little* of something (commits, connections, WAL) are left out on purpose: a restaurant sleeps at night.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options

Seen = t.Mapping[str, Json]

#: What is allowed, as [warning, failure]. The options of the same names; ages in transactions, *_s in seconds, *_ratio as shares.
LIMITS: dict[str, tuple[float, float]] = {
    "connections_ratio": (0.8, 0.9),  # of what clients may open. MX, AP 80 %; CP 90 and 95 %
    "idle_in_transaction_s": (60, 300),  # CP's example is 15 s; who orders dinner takes longer than that, but holds no transaction
    "transaction_s": (300, 1800),  # CN 300 s, AP 2 min
    "lock_wait_s": (30, 120),  # CP's lockwait 1 and 2 min; a waiter at the till gives up earlier
    "lock_table_ratio": (0.2, 0.6),  # of max_locks_per_transaction x max_connections. MX, AP 20 %
    "deadlocks_per_day": (24, 7200),  # MX: 5 a minute; ours: one an hour is a bug that a guest sees
    "prepared_s": (1, 30),  # CP
    "xmin_age": (10e6, 100e6),  # ours: what vacuum cannot remove because somebody may still look at it
    "xid_age": (300e6, 1e9),  # CN 300 M; CP 1.3 and 1.4 G, when it is too late for a calm evening
    "freeze_ratio": (1.2, 1.5),  # of autovacuum_freeze_max_age; ours: at 1 autovacuum begins, past 1.2 it does not keep up (CP's 0.9 is every busy Tuesday)
    "dead_ratio": (0.25, 0.4),  # AP 10 %, MX 40 %; ours: autovacuum itself waits for one sixth
    "sequence_ratio": (0.7, 0.9),  # CP 85 and 95 %; changing a key's type takes weeks
    "replication_s": (60, 300),  # MX, CN
    "disk_ratio": (0.8, 0.9),  # AP 90 %; CP 90 and 95 %
}

#: A replica that is further behind than this, whatever the time says (CN).
REPLICATION_BYTES = 1e9
#: WAL that waits to be archived (CN: more than 16 files, or for more than 3 minutes).
READY_MAX, FAILING_S = 16, 180
#: A slot may keep this share of the disk's size.
SLOT_DISK_RATIO = 0.1

#: Settings that lose data when they are otherwise: name, values that are right.
DURABLE = {
    "fsync": ("on",), "full_page_writes": ("on",), "zero_damaged_pages": ("off",), "ignore_checksum_failure": ("off",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"), "autovacuum": ("on",),
}  # fmt: skip


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return what holds and what does not."""
    found = [assertion for rule in RULES for assertion in rule(seen, options)]
    for part, problem in seen["refused"].items():
        found.append(Assertion(problem["status"], problem["code"], problem["params"], source=part))
    # The gravest first: the row's reason is the one to mend first. Sorting is stable: among equals the table's order stands.
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def level(value: float, limits: t.Sequence[float]) -> str:
    """Return the status of *value*. A limit that is reached is passed."""
    warn, fail = limits
    return "fail" if value >= fail else "warn" if value >= warn else "pass"


def _limit(options: Options, limit: str, value: float, code: str, source: str, **params: Json) -> Assertion:
    """Hold *value* against the limits called *limit*: ``<code>_ok`` or ``<code>_high``."""
    status = level(value, options[limit])
    limits = {"warn": _plain(options[limit][0]), "fail": _plain(options[limit][1])}
    good = "ok" if status == "pass" else "high"
    return Assertion(status, f"postgres_health.{code}_{good}", {**limits, **params}, expected=f"below {limits['warn']}", observed=_plain(value), source=source)


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else round(value, 3)


def _percent(value: float) -> int:
    return round(value * 100)


def _say(status: str, code: str, source: str, expected: Json, observed: Json, **params: Json) -> Assertion:
    return Assertion(status, f"postgres_health.{code}", params, expected=expected, observed=observed, source=source)


def _setting(seen: Seen, name: str, default: float = 0) -> float:
    return float(seen["settings"].get(name, default))


def _connections(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "sessions" not in seen:
        return
    usable = _setting(seen, "max_connections") - _setting(seen, "superuser_reserved_connections") - _setting(seen, "reserved_connections")
    used = seen["sessions"]["used"]
    yield _limit(options, "connections_ratio", used / usable, "connections", "pg_stat_activity", used=used, usable=int(usable), percent=_percent(used / usable))
    pools = options.get("pools_max")
    if pools is not None:
        fits = pools <= usable
        params = {"pools": pools, "usable": int(usable)}
        yield _say("pass" if fits else "fail", "pools_fit" if fits else "pools_exceed", "max_connections", f"at most {int(usable)}", pools, **params)


def _transactions(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "longest" not in seen:
        return
    idle = max((one for one in seen["longest"] if str(one["state"]).startswith("idle in transaction")), key=lambda one: one["state_s"], default=None)
    oldest = max(seen["longest"], key=lambda one: one["transaction_s"], default=None)
    for name, code, one, key in (("idle_in_transaction_s", "idle", idle, "state_s"), ("transaction_s", "transaction", oldest, "transaction_s")):
        seconds = one[key] if one else 0.0
        who = {"pid": one["pid"], "user": one["user"], "application": one["application"]} if one else {"pid": 0, "user": "", "application": ""}
        yield _limit(options, name, seconds, code, "pg_stat_activity", seconds=round(seconds), **who)


def _waits(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "waiting" in seen:
        first: Seen = seen["waiting"][0] if seen["waiting"] else {"pid": 0, "seconds": 0.0, "what": "", "application": ""}
        blocker = root_blocker(seen["waiting"], first["pid"])
        yield _limit(options, "lock_wait_s", first["seconds"], "lock_wait", "pg_locks", seconds=round(first["seconds"]), waiting=len(seen["waiting"]),
                     what=first["what"], application=first["application"], blocker=blocker)  # fmt: skip
    if "locks" in seen:
        room = _setting(seen, "max_locks_per_transaction") * (_setting(seen, "max_connections") + _setting(seen, "max_prepared_transactions"))
        share = seen["locks"]["held"] / room
        yield _limit(options, "lock_table_ratio", share, "lock_table", "pg_locks", held=seen["locks"]["held"], room=int(room), percent=_percent(share))


def root_blocker(waiting: t.Sequence[Seen], pid: int) -> int:
    """Return the session at the head of the queue that *pid* stands in: the one that waits for nobody. Zero: none."""
    blockers = {one["pid"]: one["blockers"] for one in waiting}
    passed: set[int] = set()
    while pid not in passed and blockers.get(pid):
        passed.add(pid)
        pid = blockers[pid][0]
    return pid if passed else 0


def _deadlocks(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "deadlocks" not in seen:
        return
    total, seconds = seen["deadlocks"]["total"], seen["deadlocks"]["seconds"] or 0.0
    # Counters that are younger than an hour are held against an hour: one deadlock in the first second is not 86 400 a day.
    a_day = total / max(seconds, 3600.0) * 86400
    yield _limit(options, "deadlocks_per_day", a_day, "deadlocks", "pg_stat_database", total=total, per_day=round(a_day, 1), days=round(seconds / 86400, 1))
    failures = seen["deadlocks"]["checksum_failures"]
    yield _say(
        "fail" if failures else "pass", "pages_damaged" if failures else "pages_whole", "pg_stat_database.checksum_failures", 0, failures, count=failures
    )


def _prepared(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "prepared" in seen:
        one = seen["prepared"]
        yield _limit(
            options, "prepared_s", one["seconds"] if one["count"] else 0, "prepared", "pg_prepared_xacts", count=one["count"], seconds=round(one["seconds"])
        )


def _horizon(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """What holds vacuum back: a session, a slot or a prepared transaction that may still look at old rows."""
    if not {"sessions", "slots", "prepared"} <= set(seen):
        return
    ages = {
        "pg_stat_activity": seen["sessions"]["xmin_age"],
        "pg_replication_slots": max((slot["xmin_age"] or 0 for slot in seen["slots"]), default=0),
        "pg_prepared_xacts": seen["prepared"]["xmin_age"],
    }
    where = max(ages, key=lambda name: ages[name])
    yield _limit(options, "xmin_age", ages[where], "horizon", where, age=ages[where], where=where)


def _wraparound(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "wraparound" not in seen:
        return
    age = max(seen["wraparound"]["xid_age"], seen["wraparound"]["multixact_age"])
    yield _limit(options, "xid_age", age, "wraparound", "pg_database", age=age)
    share = seen["wraparound"]["xid_age"] / _setting(seen, "autovacuum_freeze_max_age", 200e6)
    yield _limit(options, "freeze_ratio", share, "freeze", "autovacuum_freeze_max_age", percent=_percent(share))


def _tables(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "dead" in seen:
        worst: Seen = seen["dead"][0] if seen["dead"] else {"ratio": 0.0, "name": "", "dead": 0}
        yield _limit(
            options, "dead_ratio", worst["ratio"], "dead", "pg_stat_user_tables", table=worst["name"], percent=_percent(worst["ratio"]), dead=worst["dead"]
        )
    if "sequences" in seen:
        hidden = sum(not one["seen"] for one in seen["sequences"])
        if hidden:
            yield _say("error", "sequences_unseen", "pg_sequences", "SELECT on every sequence", hidden, count=hidden)
        used: list[Seen] = [one for one in seen["sequences"] if one["ratio"] is not None]
        fullest: Seen = max(used, key=lambda one: one["ratio"], default={"ratio": 0.0, "name": ""})
        yield _limit(options, "sequence_ratio", fullest["ratio"], "sequence", "pg_sequences", name=fullest["name"], percent=_percent(fullest["ratio"]))
    if "invalid" in seen:
        for kind in ("index", "constraint"):
            names = [one["name"] for one in seen["invalid"] if one["kind"] == kind]
            told = ", ".join(names[:5])
            yield _say("warn" if names else "pass", f"{kind}_invalid" if names else f"{kind}_valid", f"pg_{kind}", [], names[:5], names=told, count=len(names))


def _archive(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "archiver" not in seen:
        return
    one = seen["archiver"]
    failed_s = one["failed_s"] or 0.0
    late = one["ready"] > READY_MAX or (one["failing"] and failed_s > FAILING_S)
    status = "fail" if late else "warn" if one["failing"] else "pass"
    yield _say(status, "archive_ok" if status == "pass" else "archive_failing", "pg_stat_archiver", f"at most {READY_MAX} segments waiting", one["ready"],
               ready=one["ready"], seconds=round(failed_s))  # fmt: skip


def _slots(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    """A slot that nobody reads keeps WAL until the disk is full."""
    size = max((disk["bytes"] for disk in seen.get("disks") or ()), default=0)
    for slot in seen.get("slots", ()):
        gigabytes = round((slot["retained"] or 0) / 1e9, 1)
        lost = slot["wal_status"] in ("unreserved", "lost")
        large = bool(size) and (slot["retained"] or 0) > SLOT_DISK_RATIO * size
        status = "fail" if lost or large else "pass" if slot["active"] else "warn"
        yield _say(
            status,
            "slot_read" if status == "pass" else "slot_unread",
            "pg_replication_slots",
            "active",
            slot["wal_status"],
            name=slot["name"],
            gigabytes=gigabytes,
        )
    if seen.get("slots") and _setting(seen, "max_slot_wal_keep_size", -1) < 0:
        yield _say("warn", "slot_limit_off", "max_slot_wal_keep_size", "a limit", -1)


def _replication(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    for one in seen.get("replication", ()):
        status = max(
            level(one["seconds"], options["replication_s"]), "fail" if one["bytes"] >= REPLICATION_BYTES else "pass", key=("pass", "warn", "fail").index
        )
        yield _say(status, "replica_near" if status == "pass" else "replica_behind", "pg_stat_replication", options["replication_s"], round(one["seconds"]),
                   name=one["name"], seconds=round(one["seconds"]), megabytes=round(one["bytes"] / 1e6))  # fmt: skip


def _disks(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if seen["disks"] is None:
        yield _say("error", "disk_unseen", "statvfs", "the data directory's file system", seen["disks_unseen"], why=seen["disks_unseen"])
        return
    for disk in seen["disks"]:
        share = max(disk["used_ratio"], disk["inodes_ratio"])
        yield _limit(options, "disk_ratio", share, "disk", disk["path"], path=disk["path"], percent=_percent(share), free_gb=round(disk["free"] / 1e9, 1))


def _settings(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    have = seen["settings"]
    wrong = {name: have[name] for name, right in DURABLE.items() if name in have and have[name] not in right}
    yield _say(
        "fail" if wrong else "pass", "settings_lose" if wrong else "settings_keep", "pg_settings", "fsync and its kin on", wrong, names=", ".join(sorted(wrong))
    )
    pending = sorted(seen["pending_restart"])
    yield _say(
        "warn" if pending else "pass", "restart_pending" if pending else "restart_none", "pg_settings.pending_restart", [], pending, names=", ".join(pending)
    )
    timeout = _setting(seen, "idle_in_transaction_session_timeout")
    yield _say("pass" if timeout > 0 else "fail", "idle_bounded" if timeout > 0 else "idle_unbounded", "idle_in_transaction_session_timeout", "> 0", timeout,
               seconds=_plain(timeout / 1000))  # fmt: skip
    logged = have.get("log_lock_waits") == "on"
    yield _say("pass" if logged else "fail", "waits_logged" if logged else "waits_unlogged", "log_lock_waits", "on", have.get("log_lock_waits"))
    slow = _setting(seen, "log_min_duration_statement", -1)
    yield _say("pass" if slow >= 0 else "warn", "slow_logged" if slow >= 0 else "slow_unlogged", "log_min_duration_statement", ">= 0", slow, ms=_plain(slow))


def _access(seen: Seen, options: Options) -> t.Iterator[Assertion]:
    if "access" in seen:
        lines = ", ".join(str(one["line"]) for one in seen["access"])
        broken = any(one["error"] for one in seen["access"])
        code = "access_broken" if broken else "access_open" if lines else "access_closed"
        yield _say("fail" if lines else "pass", code, "pg_hba_file_rules", "no trust from elsewhere, no line in error", lines, lines=lines)
    remote = seen["settings"].get("listen_addresses", "") not in ("", "localhost", "127.0.0.1", "::1", "127.0.0.1,::1")
    if remote:
        tls = seen["settings"].get("ssl") == "on"
        yield _say("pass" if tls else "fail", "tls_on" if tls else "tls_off", "ssl", "on", seen["settings"].get("ssl"))
    scram = seen["settings"].get("password_encryption") == "scram-sha-256"
    yield _say("pass" if scram else "fail", "passwords_scram" if scram else "passwords_weak", "password_encryption", "scram-sha-256",
               seen["settings"].get("password_encryption"))  # fmt: skip


RULES: tuple[t.Callable[[Seen, Options], t.Iterator[Assertion]], ...] = (
    _connections, _disks, _waits, _transactions, _wraparound, _settings, _access, _deadlocks, _prepared, _horizon, _tables, _archive, _slots, _replication,
)  # fmt: skip
