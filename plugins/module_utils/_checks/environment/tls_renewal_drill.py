# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``environment.tls``, acted out: renew for real and see the served serial change. The runner comes in, in the drills only.

certbot's ``--dry-run`` skips deploy hooks, so only a real renewal proves them.
Nothing is deleted: where the drill fails, the old certificate goes on being served.
"""

from __future__ import annotations

import re
import time
import typing as t
import urllib.parse

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.environment import _certbot
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import DOMAINS_EXAMPLE
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal import LETS_ENCRYPT, served

HOUR_S = 3600.0
POLL_S = 0.5

#: The CA that lets a set of names be certified 5 times in 7 days, one more every 34 hours (letsencrypt.org/docs/rate-limits).
LIMITED_HOST = urllib.parse.urlsplit(LETS_ENCRYPT).hostname

#: How certbot says that a hook ran (``misc.execute_command_status``); a silent hook may leave no line.
HOOK_RAN = re.compile(r"Hook '(?:deploy|post)-hook' ran|Running (?:deploy|post)-hook command", re.IGNORECASE)
HOOK_FAILED = re.compile(r"Hook '(?:deploy|post)-hook' reported error code (\d+)", re.IGNORECASE)


class TlsRenewalDrill(Check):
    name = "tls_renewal_drill"
    items = ("environment.tls",)
    vantage = "edge"
    impact = "active"
    drill = True
    proven_by = "staging"
    runs_as = "root"
    timeout_s = 240.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "domains": {"type": "dict", "required": True, "widest": "all", "example": DOMAINS_EXAMPLE},
        "client": {"type": "str", "default": "auto", "choices": ["auto", "certbot", "lego", "dehydrated", "acme_sh", "caddy", "managed"], "widest": "item"},
        "directory": {"type": "str", "default": LETS_ENCRYPT, "widest": "item"},
        "config_dir": {"type": "str", "default": "/etc/letsencrypt", "widest": "item"},
        "ca_bundle": {"type": "str", "default": "", "widest": "all"},
        "address": {"type": "str", "default": "127.0.0.1", "widest": "item"},
        "port": {"type": "int", "default": 443, "widest": "item"},
        "connect_timeout_s": {"type": "float", "default": 5.0, "widest": "item"},
        "renew_timeout_s": {"type": "float", "default": 150.0, "widest": "item"},
        "reload_timeout_s": {"type": "float", "default": 20.0, "widest": "item"},
        "public_min_age_h": {"type": "float", "default": 36.0, "widest": "item"},
    }

    @classmethod
    def wanted(cls, options: Options, *, hosts: bool) -> bool:
        """What somebody else renews cannot be drilled here: ``tls_certificate`` sees from outside whether they do."""
        return bool(options["client"] != "managed")

    def observe(self, ctx: Context) -> dict[str, Json]:
        names = list(dict.fromkeys(ctx.options["domains"].values()))
        if ctx.options["client"] not in ("auto", "certbot"):
            raise CannotKnow("tls_renewal_drill.other_client", client=ctx.options["client"])
        lineages = _chosen(ctx, names)
        before = {name: served(ctx, name) for name in names}
        runs = [self._renew(ctx, lineage) for lineage in lineages]
        disk = {lineage["name"]: lineage for lineage in _certbot.lineages(ctx.options["config_dir"])}
        pairs = {name: _lineage_of(lineages, name)["name"] for name in names}
        after = _wait(ctx, names, {name: _print(disk.get(lineage)) for name, lineage in pairs.items()})
        return {
            "runs": runs,
            "names": {
                name: {
                    "lineage": pairs[name],
                    "before": before[name],
                    "after": after[name],
                    "disk_before": _lineage_of(lineages, name)["certificate"],
                    "disk": (disk.get(pairs[name]) or {}).get("certificate"),
                }
                for name in names
            },
        }

    def _renew(self, ctx: Context, lineage: dict[str, Json]) -> dict[str, Json]:
        """Renew now, although it is not due: the same command as the timer's, deploy hooks included."""
        argv = ["certbot", "renew", "--cert-name", lineage["name"], "--force-renewal", "--non-interactive", "--no-random-sleep-on-renew"]
        argv += ["--config-dir", ctx.options["config_dir"]]
        env = {"REQUESTS_CA_BUNDLE": ctx.options["ca_bundle"]} if ctx.options["ca_bundle"] else {}
        done = ctx.run(argv, timeout_s=ctx.options["renew_timeout_s"], env=env, ok=None)
        said = f"{done.stdout}\n{done.stderr}"
        failed = HOOK_FAILED.search(said)
        return {
            "lineage": lineage["name"],
            "rc": done.rc,
            "hook_ran": bool(HOOK_RAN.search(said)),
            "hook_rc": int(failed[1]) if failed else 0,
            "tail": "\n".join(line for line in said.splitlines() if line.strip())[-1500:],
        }

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return [_judge_run(run) for run in seen["runs"]] + [_judge_name(name, facts) for name, facts in seen["names"].items()]


def _chosen(ctx: Context, names: list[str]) -> list[dict[str, Json]]:
    """Return the lineages to renew, or say why none may be."""
    found = _certbot.lineages(ctx.options["config_dir"])
    for name in names:
        if not _certbot.covering(found, name):
            raise CannotKnow("tls_renewal_drill.no_lineage", name=name)
    chosen = {lineage["name"]: lineage for lineage in (_lineage_of(found, name) for name in names)}
    for lineage in chosen.values():
        server = lineage["settings"].get("server", "")
        if server.rstrip("/") != ctx.options["directory"].rstrip("/"):
            raise CannotKnow("tls_renewal_drill.directory_other", lineage=lineage["name"], server=server or "-", directory=ctx.options["directory"])
        age_h = (time.time() - lineage["certificate"]["not_before"]) / HOUR_S
        if urllib.parse.urlsplit(server).hostname == LIMITED_HOST and age_h < ctx.options["public_min_age_h"]:
            raise CannotKnow("tls_renewal_drill.too_soon", lineage=lineage["name"], hours=round(age_h, 1), limit=ctx.options["public_min_age_h"])
    return list(chosen.values())


def _lineage_of(found: list[dict[str, Json]], name: str) -> dict[str, Json]:
    return max(_certbot.covering(found, name), key=lambda lineage: float(lineage["certificate"]["not_after"]))


def _print(lineage: dict[str, Json] | None) -> str:
    return str(((lineage or {}).get("certificate") or {}).get("fingerprint", ""))


def _wait(ctx: Context, names: list[str], wanted: t.Mapping[str, str]) -> dict[str, dict[str, Json]]:
    """Look until every name serves what lies on disk, or the time for a reload is over. Old workers of nginx may still answer for a moment."""
    deadline = time.monotonic() + float(ctx.options["reload_timeout_s"])
    while True:
        now = {name: served(ctx, name) for name in names}
        if all(_print(now[name]) == wanted[name] for name in names) or time.monotonic() > deadline:
            return now
        time.sleep(POLL_S)


def _say(status: str, code: str, params: t.Mapping[str, Json], expected: Json, observed: Json, source: str, excerpt: str = "") -> Assertion:
    return Assertion(status, f"tls_renewal_drill.{code}", params, expected, observed, source, excerpt)


def _judge_run(run: dict[str, Json]) -> Assertion:
    params = {"lineage": run["lineage"], "rc": run["hook_rc"] or run["rc"]}
    source = f"certbot renew --cert-name {run['lineage']} --force-renewal"
    if run["hook_rc"]:
        return _say("fail", "hook_failed", params, 0, run["hook_rc"], source, run["tail"])
    if run["rc"]:
        return _say("fail", "renew_failed", params, 0, run["rc"], source, run["tail"])
    return _say("pass", "renewed", params, 0, {"rc": 0, "hook_seen": run["hook_ran"]}, source, run["tail"])


def _judge_name(name: str, facts: dict[str, Json]) -> Assertion:
    """Only a serial that was served before, is another now, and is the one on disk proves renewal, hook and reload in one."""
    serials = {key: (certificate or {}).get("serial", "") for key, certificate in _certificates(facts).items()}
    params = {"name": name, "lineage": facts["lineage"], **serials}
    source = f"127.0.0.1 ({name}), live/{facts['lineage']}"
    if facts["after"]["problem"] or facts["before"]["problem"]:
        problem = facts["after"]["problem"] or facts["before"]["problem"]
        return _say("fail", "not_served", {**params, "message": problem["detail"]}, "a handshake before and after", problem["kind"], source)
    if not serials["disk"] or serials["disk"] == serials["disk_before"]:
        return _say("fail", "disk_unchanged", params, "a new serial on disk", serials, source)
    if serials["after"] == serials["before"]:
        return _say("fail", "still_old", params, "a new serial served", serials, source)
    if serials["after"] != serials["disk"]:
        return _say("fail", "serves_other", params, serials["disk"], serials, source)
    return _say("pass", "serial_changed", params, "a new serial, served and on disk", serials, source)


def _certificates(facts: dict[str, Json]) -> dict[str, Json]:
    return {"before": facts["before"]["certificate"], "after": facts["after"]["certificate"], "disk_before": facts["disk_before"], "disk": facts["disk"]}
