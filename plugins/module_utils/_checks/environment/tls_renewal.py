# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``environment.tls``, seen from the edge: who renews, when, and whether the server is told. The runner comes in; ``tls_renewal_rules`` judges."""

from __future__ import annotations

import pathlib
import re
import shutil
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _systemd, _tls
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.environment import _certbot
from ansible_collections.resto.golive.plugins.module_utils._checks.environment import tls_renewal_rules as rules
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import DOMAINS_EXAMPLE

#: Let's Encrypt's production directory (letsencrypt.org/docs/acme-protocol-updates).
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

#: What each ACME client leaves on a host: its command, its folders, the units that make it renew.
CLIENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "certbot": {"commands": ("certbot",), "folders": (), "units": ("certbot.timer", "snap.certbot.renew.timer")},
    "lego": {"commands": (), "folders": ("/var/lib/lego/certificates", "/root/.lego/certificates"), "units": ("lego.timer",)},
    "dehydrated": {"commands": (), "folders": ("/var/lib/dehydrated/certs",), "units": ("dehydrated.timer",)},
    "acme_sh": {"commands": (), "folders": ("/root/.acme.sh",), "units": ("acme.sh.timer", "acme-sh.timer")},
    "caddy": {"commands": (), "folders": ("/var/lib/caddy/.local/share/caddy/certificates",), "units": ("caddy.service",)},
}

SERVICES = ("certbot.service", "snap.certbot.renew.service")
PROPERTIES = (
    "UnitFileState",
    "ActiveState",
    "Result",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ExecStart",
    *_systemd.TIMER,
)

#: Where cron looks (crontab(5)), and what a renewal looks like there.
CRONTABS = ("/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/crontabs/root", "/var/spool/cron/root")
CRON_RENEWAL = re.compile(r"\b(certbot\b.*\brenew|lego\b.*\brenew|dehydrated\b|acme\.sh\b)")
#: Debian's own /etc/cron.d/certbot stands back where systemd runs.
CRON_STANDS_BACK = "/run/systemd/system"


class TlsRenewal(Check):
    name = "tls_renewal"
    items = ("environment.tls",)
    revision = 2
    vantage = "edge"
    runs_as = "root"
    timeout_s = 30.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "domains": {"type": "dict", "required": True, "widest": "all", "example": DOMAINS_EXAMPLE},
        "client": {"type": "str", "default": "auto", "choices": ["auto", *CLIENTS, "managed"], "widest": "item"},
        "directory": {"type": "str", "default": LETS_ENCRYPT, "widest": "item"},
        "config_dir": {"type": "str", "default": "/etc/letsencrypt", "widest": "item"},
        "address": {"type": "str", "default": "127.0.0.1", "widest": "item"},
        "port": {"type": "int", "default": 443, "widest": "item"},
        "connect_timeout_s": {"type": "float", "default": 5.0, "widest": "item"},
        # Let's Encrypt asks for a try at least once a day; certbot's own timer fires twice.
        "max_timer_gap_h": {"type": "float", "default": 24.0, "widest": "item"},
    }

    @classmethod
    def wanted(cls, options: Options, *, hosts: bool) -> bool:
        """Somebody else renews, and there is no host of ours that could say otherwise: ``tls_certificate`` sees from outside whether they do."""
        return hosts or options["client"] != "managed"

    def observe(self, ctx: Context) -> dict[str, Json]:
        options, now = ctx.options, time.time()
        lineages = _certbot.lineages(options["config_dir"])
        units = [unit for client in CLIENTS.values() for unit in client["units"]]
        shown = _systemd.show(ctx, [*units, *SERVICES], PROPERTIES)
        for unit in units:
            shown[unit]["next"] = str(_systemd.next_elapse(shown[unit], now) or "")
        wanted = list(dict.fromkeys(options["domains"].values()))
        ours = [lineage for lineage in lineages if any(_certbot.covering([lineage], name) for name in wanted)]
        return {
            "now": now,
            "clients": _clients(shown, lineages),
            "units": {unit: state for unit, state in shown.items() if state.get("LoadState") != "not-found"},
            "cron": _cron(),
            "lineages": [{**lineage, "hooks": _certbot.hooks(options["config_dir"], lineage)} for lineage in ours],
            "served": {} if options["client"] == "managed" else {name: served(ctx, name) for name in wanted},
        }

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return rules.judge(seen, options)


def served(ctx: Context, name: str) -> dict[str, Json]:
    """Return ``certificate`` served for *name* on this host itself, or why there is none."""
    contexts = ctx.shared("tls:", lambda: _tls.make_contexts(""))
    try:
        shaken = _tls.handshake(contexts.unverified, ctx.options["address"], ctx.options["port"], name, ctx.options["connect_timeout_s"])
    except _tls.HandshakeProblem as problem:
        return {"problem": problem.as_json(), "certificate": None}
    return {"problem": None, "certificate": _tls.describe(shaken.der)}


def _clients(shown: t.Mapping[str, _systemd.Unit], lineages: t.Sequence[Json]) -> list[str]:
    """Return the clients that hold certificates or are at work here; an installed program alone renews nothing."""
    found = []
    for client, traces in CLIENTS.items():
        at_work = any(shown[unit].get("ActiveState") == "active" for unit in traces["units"])
        holds = bool(lineages) if client == "certbot" else any(_filled(folder) for folder in traces["folders"])
        ready = at_work and (not traces["commands"] or any(shutil.which(command) for command in traces["commands"]))
        if holds or ready:
            found.append(client)
    return found


def _filled(folder: str) -> bool:
    try:
        return any(pathlib.Path(folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _cron() -> list[str]:
    """Return the lines of cron that renew, as ``file: line``."""
    found = []
    for pattern in CRONTABS:
        for path in sorted(pathlib.Path("/").glob(pattern.lstrip("/"))):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except (FileNotFoundError, IsADirectoryError):
                continue
            lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
            found += [f"{path}: {line[:120]}" for line in lines if CRON_RENEWAL.search(line) and CRON_STANDS_BACK not in line]
    return found
