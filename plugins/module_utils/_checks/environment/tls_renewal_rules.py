# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what renews the certificates is judged: pure functions of what was seen and the options. ``tls_renewal`` alone comes in."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _systemd, _tls
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options

HOUR_S = 3600.0

#: certbot's timers, and the service that each of them starts.
TIMERS = {"certbot.timer": "certbot.service", "snap.certbot.renew.timer": "snap.certbot.renew.service"}

#: What that service starts: ``certbot -q renew``, and of the snap ``snap run certbot.renew``.
RENEWS = re.compile(r"\bcertbot\b.*\brenew\b")


def judge(seen: dict[str, Json], options: Options) -> list[Assertion]:
    client, found = options["client"], seen["clients"]
    if client == "managed":
        return _managed(seen)
    if client not in ("auto", *found):
        return [_say("fail", "client_absent", {"client": client, "found": ", ".join(found) or "-"}, client, found, "client")]
    if not found:
        return [_say("fail", "no_client", {}, "a client that renews", [], "client")]
    chosen = ("certbot" if "certbot" in found else found[0]) if client == "auto" else client
    if chosen != "certbot":
        return [_say("error", "client_by_name", {"client": chosen}, "a client whose renewal can be read", chosen, "client")]
    assertions = [_say("pass", "client_found", {"client": chosen}, "a client that renews", found, "client"), *_lineages(seen, options)]
    return assertions + _timers(seen, options) + _others(seen, chosen)


def _say(status: str, code: str, params: t.Mapping[str, Json], expected: Json, observed: Json, source: str) -> Assertion:
    return Assertion(status, f"tls_renewal.{code}", params, expected, observed, source)


def _moment(epoch: float) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _managed(seen: dict[str, Json]) -> list[Assertion]:
    """Somebody else renews, by declaration. A lineage for these very names on this host says otherwise; whether they do is seen from outside."""
    names = [lineage["name"] for lineage in seen["lineages"]]
    if names:
        return [_say("fail", "managed_contradicted", {"lineages": ", ".join(names)}, "no lineage here", names, "renewal/*.conf")]
    return [_say("pass", "managed", {}, "no lineage here", [], "renewal/*.conf")]


def _lineages(seen: dict[str, Json], options: Options) -> list[Assertion]:
    """Every name has a lineage that will be renewed, at the right CA, with a hook that reloads, and its certificate is the one that is served."""
    found: list[Assertion] = []
    for name in dict.fromkeys(options["domains"].values()):
        candidates = [lineage for lineage in seen["lineages"] if _tls.matches(name, lineage["certificate"]["san"])]
        if not candidates:
            found.append(_say("fail", "name_uncovered", {"name": name}, name, [], "renewal/*.conf"))
            continue
        # A name may stand in several lineages (one is being replaced by another): the one that is served counts, else the youngest.
        print_served = (seen["served"][name]["certificate"] or {}).get("fingerprint")
        lineage = max(candidates, key=lambda one: (one["certificate"]["fingerprint"] == print_served, one["certificate"]["not_after"]))
        found.append(_say("pass", "name_covered", {"name": name, "lineage": lineage["name"]}, name, lineage["certificate"]["san"], "renewal/*.conf"))
        found.append(_served(name, lineage, seen["served"][name]))
    for lineage in seen["lineages"]:
        found += _lineage(lineage, options)
    return found


def _served(name: str, lineage: dict[str, Json], served: dict[str, Json]) -> Assertion:
    source = f"127.0.0.1 ({name}), live/{lineage['name']}"
    if served["problem"]:
        status = "unreachable" if served["problem"]["kind"] in ("timeout", "no_route") else "fail"
        return _say(status, "not_served", {"name": name, "message": served["problem"]["detail"]}, "a handshake", served["problem"]["kind"], source)
    on_disk, on_wire = lineage["certificate"], served["certificate"]
    same = on_disk["fingerprint"] == on_wire["fingerprint"]
    params = {"name": name, "lineage": lineage["name"], "disk": on_disk["serial"], "served": on_wire["serial"]}
    return _say("pass" if same else "fail", "serves_lineage" if same else "serves_other", params, on_disk["serial"], on_wire["serial"], source)


def _lineage(lineage: dict[str, Json], options: Options) -> list[Assertion]:
    settings, name, source = lineage["settings"], lineage["name"], f"renewal/{lineage['name']}.conf"
    directory = settings.get("server", "")
    asked = {"lineage": name, "server": directory or "-", "directory": options["directory"]}
    same = directory.rstrip("/") == options["directory"].rstrip("/")
    found = [_say("pass" if same else "fail", "directory_same" if same else "directory_other", asked, options["directory"], directory, source)]
    renews = settings.get("autorenew", "True").lower() != "false"
    found.append(_say("pass" if renews else "fail", "autorenew_on" if renews else "autorenew_off", {"lineage": name}, "autorenew = True", renews, source))
    manual = settings.get("authenticator") == "manual" and not settings.get("manual_auth_hook", "None").replace("None", "")
    if manual:
        found.append(_say("fail", "by_hand", {"lineage": name}, "an authenticator that needs nobody", "manual", source))
    return [*found, _hook(lineage)]


def _hook(lineage: dict[str, Json]) -> Assertion:
    """certbot skips a hook that is not executable without a word; a hook that does not reload leaves the old certificate in the server's memory."""
    hooks, params = lineage["hooks"], {"lineage": lineage["name"]}
    source = "renewal-hooks/, renewal/*.conf, cli.ini"
    good = [hook["where"] for hook in hooks if hook["runs"] and hook["reloads"]]
    if good:
        return _say("pass", "hook_reloads", {**params, "hook": good[0]}, "a hook that reloads", good, source)
    if not hooks:
        return _say("fail", "hook_missing", params, "a hook that reloads", [], source)
    idle = [hook["where"] for hook in hooks if not hook["runs"]]
    code = "hook_not_executable" if idle else "hook_does_not_reload"
    return _say("fail", code, {**params, "hook": (idle or [hooks[0]["where"]])[0]}, "a hook that reloads", hooks, source)


def _timers(seen: dict[str, Json], options: Options) -> list[Assertion]:
    found: list[Assertion] = []
    active = [timer for timer in TIMERS if seen["units"].get(timer, {}).get("ActiveState") == "active"]
    if not active:
        renewing = [line for line in seen["cron"] if "certbot" in line]
        if renewing:
            return [_say("warn", "cron_renews", {"line": renewing[0]}, "an active timer", renewing, "cron")]
        return [_say("fail", "timer_inactive", {}, "certbot.timer active", "inactive", "systemctl show certbot.timer")]
    for timer in active:
        unit = seen["units"][timer]
        source = f"systemctl show {timer}"
        enabled = unit.get("UnitFileState") in ("enabled", "enabled-runtime", "static")
        observed = unit.get("UnitFileState", "")
        found.append(_say("pass" if enabled else "fail", "timer_enabled" if enabled else "timer_disabled", {"timer": timer}, "enabled", observed, source))
        found.append(_next(seen, timer, unit, options))
        found.append(_starts(seen, timer))
        found.append(_last(seen, timer, options))
    return found


def _next(seen: dict[str, Json], timer: str, unit: dict[str, str], options: Options) -> Assertion:
    due, gap_h = unit.get("next", ""), options["max_timer_gap_h"]
    source = f"systemctl show {timer}"
    if not due:
        return _say("fail", "timer_never", {"timer": timer}, f"within {gap_h:g} h", "never", source)
    hours = (float(due) - seen["now"]) / HOUR_S
    params = {"timer": timer, "hours": round(hours, 1), "limit": gap_h, "moment": _moment(float(due))}
    in_time = hours <= gap_h
    return _say("pass" if in_time else "fail", "timer_in_time" if in_time else "timer_rare", params, f"within {gap_h:g} h", round(hours, 2), source)


def _starts(seen: dict[str, Json], timer: str) -> Assertion:
    """A drop-in can put anything in the place of certbot, and the timer looks as before. What a script of one's own does cannot be seen."""
    service = TIMERS[timer]
    unit = seen["units"].get(service, {})
    renews = any(RENEWS.search(command) for command in _systemd.commands(unit))
    params = {"service": service, "program": _systemd.programs(unit)}
    return _say(
        "pass" if renews else "error", "service_renews" if renews else "service_other", params, "certbot renew", params["program"], f"systemctl show {service}"
    )


def _last(seen: dict[str, Json], timer: str, options: Options) -> Assertion:
    """systemd forgets results at boot: then only the next run can tell, and until then nothing is proven."""
    service = TIMERS[timer]
    unit = seen["units"].get(service, {})
    source = f"systemctl show {service}"
    started = _systemd.moment(unit.get("ExecMainStartTimestamp", ""))
    if started is None:
        return _say("warn", "never_ran", {"service": service}, "a run since boot", "none", source)
    params = {"service": service, "moment": _moment(started), "result": unit.get("Result", "?"), "rc": unit.get("ExecMainStatus", "?")}
    if unit.get("Result") != "success" or unit.get("ExecMainStatus") != "0":
        return _say("fail", "last_failed", params, "success", f"{params['result']}/{params['rc']}", source)
    limit_h = 2 * options["max_timer_gap_h"]
    hours = (seen["now"] - started) / HOUR_S
    if hours > limit_h:
        return _say("fail", "last_long_ago", {**params, "hours": round(hours, 1)}, f"within {limit_h:g} h", round(hours, 1), source)
    return _say("pass", "last_succeeded", params, "success", "success", source)


def _others(seen: dict[str, Json], chosen: str) -> list[Assertion]:
    """Two that renew the same names spend the CA's limits and overwrite each other's certificates."""
    active = [timer for timer in TIMERS if seen["units"].get(timer, {}).get("ActiveState") == "active"]
    others = [client for client in seen["clients"] if client != chosen] + active[1:] + (seen["cron"] if active else [])
    if others:
        return [_say("warn", "two_renew", {"others": ", ".join(others)}, "one client", [chosen, *others], "client")]
    return [_say("pass", "one_renews", {"client": chosen}, "one client", [chosen], "client")]
