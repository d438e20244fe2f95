# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How backups of the engines beside ``dump`` are judged: pure, from what ``backup_engines`` saw. Only that comes in."""

from __future__ import annotations

import collections
import statistics
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_rules, second_place
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_rules import AGE_FAIL, AGE_WARN, SKEW_S, Seen, minutes, rpo_minutes
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import pgbackrest

#: pgBackRest's status of a stanza (its documentation, "info"): 0 ok, 1 and 3 no stanza, 2 no valid backup; all others are something else.
NO_STANZA, NO_BACKUP = (1, 3), 2

#: What pgBackRest says, by name (``_pgbackup/pgbackrest``), and by the phase of a job that failed.
REFUSED = {
    "password": "postgres_backup.passphrase_other",
    "unreachable": "postgres_backup.offsite_unreachable",
    "option": "postgres_backup.option_refused",
    "archive": "postgres_backup.archive_taken",
    "connect": "postgres_backup.live_refused",
}

#: What a phase in which the job failed means, where that is known.
PHASES = {"verify": "repository_damaged", "quiet": "never_quiet"}

#: pgBackRest's kinds of repository (its reference, ``repo-type``) in the words that ``second_place`` reads.
PLACES = {"s3": "s3:{s3-endpoint}/", "sftp": "sftp:{sftp-host}:", "azure": "azure:", "gcs": "gs:", "posix": "sftp:{host}:"}


def _say(status: str, code: str, expected: Json, observed: Json, source: str, **params: Json) -> Assertion:
    return Assertion(status, f"postgres_backup.{code}", params, expected, observed, source)


def judge_pgbackrest(seen: Seen, options: Options) -> list[Assertion]:
    if not seen["installed"]:
        return [_say("fail", "none", "installed", "not installed", "/etc/golive/backup.json", directory=options["directory"])]
    told = [*_program(seen), *_options(seen), *_repositories(seen), *_archiving(seen, options), *_attempt(seen)]
    if "refused" in seen:
        code = REFUSED.get(seen["refused"], "postgres_backup.pgbackrest_refused")
        return [*told, Assertion("fail", code, {"repository": "pgBackRest", "why": seen["why"]}, source="pgbackrest info")]
    stanza = seen["stanza"]
    if not stanza["backup"] or stanza["status"]["code"] != 0:
        return [*told, _status(stanza)]
    return [*told, *_base(seen), *_manifest(seen), *_wal(seen), *_cluster(seen), *_places(seen)]


def _program(seen: Seen) -> list[Assertion]:
    if seen["outdated"]:
        files = ", ".join(seen["outdated"])
        return [_say("fail", "program_differs", "this collection's", files, "/usr/local/lib/golive", files=files)]
    if not seen["secrets_current"]:
        return [_say("fail", "password_differs", "the store's", "another", "secrets.conf", repository="pgBackRest")]
    if seen["access_missing"]:
        return [_say("fail", "access_missing", [], seen["access_missing"], "pg_roles", statements="; ".join(seen["access_missing"]))]
    if seen["mode"] not in backup_rules.PRIVATE:
        return [_say("fail", "readable_by_others", "0o700", seen["mode"], "directory", mode=str(seen["mode"]))]
    return []


def _options(seen: Seen) -> list[Assertion]:
    """pgBackRest only warns of an option that it does not know, and does without: an encryption that is not, a copy that goes nowhere."""
    return [
        _say(
            "fail",
            "option_unknown",
            f">= {since}" if since else "known",
            seen["version"],
            "pgbackrest.conf",
            name=name,
            since=since or "?",
            have=seen["version"],
        )
        for name, since in seen.get("unknown_options", {}).items()
    ]


def _repositories(seen: Seen) -> list[Assertion]:
    """One alone: a backup in the first says nothing of what another one holds."""
    configured = (*seen["repositories"], *seen.get("stanza", {}).get("repo", ()))
    more = sorted({str(one["key"]) for one in configured} - {pgbackrest.REPOSITORY})
    names = ", ".join(f"repo{key}" for key in more)
    return [_say("fail", "repositories_several", f"repo{pgbackrest.REPOSITORY}", names, "pgbackrest.conf", names=names)] if more else []


def _archiving(seen: Seen, options: Options) -> list[Assertion]:
    live, rpo = seen["live"], rpo_minutes(options)
    if "refused" in live:
        return [_say("fail", "live_refused", "a session", live["refused"], "postgres", why=live["refused"])]
    have, wanted, source = live["settings"], live["wanted"], "pg_settings"
    if have["archive_mode"] == "off":
        code = "archive_waits" if live["waits_for_restart"] else "archive_off"
        return [_say("fail", code, "on", "off", source)]
    if have["archive_command"] != wanted["archive_command"]:
        return [_say("fail", "archive_other", wanted["archive_command"], have["archive_command"], source, found=have["archive_command"] or "-")]
    if have.get("archive_library"):
        return [_say("fail", "archive_library", "", have["archive_library"], source, found=have["archive_library"])]
    told, timeout = [], int(have["archive_timeout"])
    if not 0 < timeout <= rpo * 60:
        told.append(_say("fail", "archive_timeout_long", f"1 to {rpo * 60:g} s", timeout, source, seconds=timeout, rpo=rpo))
    archiver, ready = live["archiver"], live["ready"]
    last, failed = archiver["last_archived"], archiver["last_failed"]
    if last is None or (failed is not None and failed > last):
        told.append(_say("fail", "archive_failing", "archived", archiver["last_failed_wal"], "pg_stat_archiver", segment=archiver["last_failed_wal"] or "-"))
    waits = seen["now"] - ready["since"] if ready["waiting"] else 0.0
    if waits > rpo * 60:
        params = {"waiting": ready["waiting"], "minutes": minutes(waits), "rpo": rpo}
        told.append(_say("fail", "archive_behind", f"<= {rpo:g} min", f"{minutes(waits)} min", "archive_status", **params))
    return told or [_say("pass", "archiving", f"<= {rpo:g} min", f"{timeout} s", "pg_stat_archiver", rpo=rpo, seconds=timeout, waiting=ready["waiting"])]


def _attempt(seen: Seen) -> list[Assertion]:
    told, running, limit = [], seen["running_s"], seen["period_s"]
    last = seen["history"][-1] if seen["history"] else None
    if last is not None and not last["ok"]:
        code = PHASES.get(last.get("phase"), "last_failed")
        told.append(
            _say("fail", code, "ok", last.get("phase", "?"), "history.jsonl", at=last["started_at"], phase=last.get("phase", "?"), why=last.get("why", "?"))
        )
    if running is not None and running > limit:
        params = {"minutes": minutes(running), "limit": minutes(limit)}
        told.append(_say("fail", "running_too_long", f"<= {minutes(limit)} min", f"{minutes(running)} min", "lock", **params))
    return told


def _status(stanza: t.Mapping[str, Json]) -> Assertion:
    status, source = stanza["status"], "pgbackrest info"
    if status["code"] in NO_STANZA:
        return _say("fail", "stanza_missing", 0, status["code"], source, message=status["message"])
    if status["code"] in (0, NO_BACKUP):
        return _say("fail", "repository_empty", ">= 1", 0, source)
    name, why = pgbackrest.state(stanza)
    code = REFUSED.get(name, "postgres_backup.pgbackrest_refused")
    return Assertion("fail", code, {"repository": "pgBackRest", "why": why}, 0, status["code"], source)


def _newest(seen: Seen) -> dict[str, Json]:
    return t.cast("dict[str, Json]", max(seen["stanza"]["backup"], key=lambda one: float(one["timestamp"]["stop"])))


def _base(seen: Seen) -> list[Assertion]:
    """The backup that WAL is replayed on. Its age does not lose orders, it costs time; what loses orders is judged in ``_archiving``."""
    newest, period = _newest(seen), seen["period_s"]
    if newest.get("error"):
        return [_say("fail", "page_errors", "no errors", "errors", "pgbackrest info", id=newest["label"])]
    age = seen["now"] - float(newest["timestamp"]["stop"])
    params = {"id": newest["label"], "kind": newest["type"], "minutes": minutes(age), "limit": minutes(period), "copies": len(seen["stanza"]["backup"])}
    expected, observed = f"<= {minutes(period)} min", f"{minutes(age)} min"
    if age < -SKEW_S:
        return [_say("fail", "future", expected, observed, "pgbackrest info", id=newest["label"], minutes=minutes(-age))]
    status = "fail" if age > period * AGE_FAIL else "warn" if age > period * AGE_WARN else "pass"
    return [_say(status, "base_fresh" if status == "pass" else "base_old", expected, observed, "pgbackrest info", **params)]


def _manifest(seen: Seen) -> list[Assertion]:
    """What a drill compares with."""
    made = seen["manifest"]
    if made is None:
        return [_say("fail", "manifest_missing", 1, 0, "manifest.json", id=_newest(seen)["label"], why="")]
    if "broken" in made:
        return [_say("fail", "manifest_broken", "whole", "broken", "manifest.json", id=made["id"], why=made["broken"])]
    told = [
        _say("fail", "invariant_broken", "an answer", why, "postgres_restore_invariants", name=name, why=why) for name, why in made["broken_invariants"].items()
    ]
    told += backup_rules.comparable(made)
    return told + [
        Assertion("fail", backup_rules.DAMAGE[one["code"]], {"id": made["id"], **{key: one[key] for key in ("name", "wanted", "found")}})
        for one in made["damage"]
    ]


def _wal(seen: Seen) -> list[Assertion]:
    if "gaps_refused" in seen:
        return [_say("error", "gaps_unseen", "a list", seen["gaps_refused"], "pgbackrest repo-ls", why=seen["gaps_refused"])]
    told, source = [], "pgbackrest repo-ls"
    if seen["gaps"]:
        told.append(_say("fail", "wal_missing", [], seen["gaps"], source, count=len(seen["gaps"]), names=", ".join(seen["gaps"][:3])))
    if seen["dropped"]:
        told.append(_say("fail", "wal_dropped", "in the repository", seen["dropped"], source, segment=seen["dropped"]))
    return told or [_say("pass", "wal_whole", [], [], source)]


def _cluster(seen: Seen) -> list[Assertion]:
    ours, theirs = seen["live"].get("system_identifier"), str(seen["stanza"]["db"][-1]["system-id"])
    if ours is not None and ours != theirs:
        return [_say("fail", "other_cluster", ours, theirs, "pgbackrest info", id=_newest(seen)["label"], ours=ours, theirs=theirs)]
    return []


def _places(seen: Seen) -> list[Assertion]:
    """Encrypted, and on another machine."""
    plain = [str(one["key"]) for one in seen["stanza"]["repo"] if one.get("cipher") in (None, "none")]
    told = [_say("fail", "not_encrypted", "aes-256-cbc", "none", "pgbackrest info", names=", ".join(f"repo{key}" for key in plain))] if plain else []
    where = ", ".join(_named(one) for one in seen["repositories"])
    lie = {second_place.where(place_of(one), one["place"]) for one in seen["repositories"]}
    if "away" not in lie:
        status, code = ("error", "place_unseen") if "unseen" in lie else ("fail", "same_host")
        return [*told, _say(status, code, "another machine", where, "pgbackrest.conf", repository=where)]
    return told or [_say("pass", "encrypted_elsewhere", "aes-256-cbc", where, "pgbackrest info", repository=where)]


def place_of(repository: t.Mapping[str, str]) -> str:
    """Return a repository of pgBackRest's as ``second_place`` reads one: its kind and its host, and a folder of this host's where there is none."""
    word = PLACES.get(repository["type"], "{type}:")
    return word.format_map(collections.defaultdict(str, repository))


def _named(repository: t.Mapping[str, str]) -> str:
    host = repository.get("host") or repository.get("s3-endpoint") or repository.get("sftp-host") or ""
    return f"{repository['type']}:{host}:{repository.get('s3-bucket', '')}{repository.get('path', '')}"


def judge_reported(seen: Seen, options: Options) -> list[Assertion]:
    """Somebody else's backups, by their own word. What that word does not say is said to be unknown."""
    backups = seen["backups"]
    if not backups:
        return [_say("fail", "report_empty", ">= 1", 0, "postgres_backups_report")]
    return [*_reported_age(seen, options), *_reported_size(backups, options), *_reported_place(backups[0])]


def _reported_age(seen: Seen, options: Options) -> list[Assertion]:
    newest, rpo = seen["backups"][0], rpo_minutes(options)
    age = seen["now"] - newest["at"]
    params = {"id": newest["id"], "minutes": minutes(age), "rpo": rpo}
    expected, observed, source = f"<= {rpo:g} min", f"{minutes(age)} min", "postgres_backups_report"
    if age < -SKEW_S:
        return [_say("fail", "future", expected, observed, source, id=newest["id"], minutes=minutes(-age))]
    code, status = ("too_old", "fail") if age > rpo * 60 * AGE_FAIL else ("late", "warn") if age > rpo * 60 * AGE_WARN else ("fresh", "pass")
    return [_say(status, code, expected, observed, source, **params)]


def _reported_size(backups: t.Sequence[Seen], options: Options) -> list[Assertion]:
    source = "postgres_backups_report"
    if "bytes" not in backups[0]:
        return [_say("error", "report_unsaid", "bytes", None, source, key="bytes")]
    sizes = [float(one["bytes"] or 0) for one in backups]
    if sizes[0] <= 0:
        return [_say("fail", "report_hollow", "> 0", sizes[0], source, id=backups[0]["id"])]
    before = sizes[1 : backup_rules.RUNS + 1]
    if len(before) < backup_rules.RUNS_LEAST:
        return [_say("pass", "size_unknown", backup_rules.RUNS_LEAST, len(before), source, runs=len(before), least=backup_rules.RUNS_LEAST)]
    median = statistics.median(before)
    params = {"size": int(sizes[0]), "median": int(median), "percent": round(100 * sizes[0] / median) if median else 0}
    if sizes[0] < median * options["size_share_min"]:
        return [_say("fail", "shrunk", f">= {options['size_share_min']:g} x {int(median)}", int(sizes[0]), source, **params)]
    if sizes[0] > median * backup_rules.GROWTH_WARN:
        return [_say("warn", "grown", f"<= {backup_rules.GROWTH_WARN:g} x {int(median)}", int(sizes[0]), source, **params)]
    return [_say("pass", "size_usual", "usual", int(sizes[0]), source, **params)]


def _reported_place(newest: Seen) -> list[Assertion]:
    source, told = "postgres_backups_report", []
    for key in ("encrypted", "place"):
        if key not in newest:
            told.append(_say("error", "report_unsaid", key, None, source, key=key))
    if newest.get("encrypted") not in (None, True):
        told.append(_say("fail", "report_plain", True, newest["encrypted"], source, id=newest["id"]))
    if "place" in newest and not newest["place"]:
        told.append(_say("fail", "no_second_place", "a place", newest["place"], source))
    return told or [_say("pass", "reported", True, newest["place"], source, id=newest["id"], place=str(newest["place"]))]


JUDGE: dict[str, t.Callable[[Seen, Options], list[Assertion]]] = {"pgbackrest": judge_pgbackrest, "external": judge_reported, "managed": judge_reported}
