# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines beside ``dump``, as ``postgres_backup`` sees and mends them. How they are judged: ``engine_rules``."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_host, backup_report, engine_rules, second_place


def observe(ctx: Context) -> dict[str, Json]:
    return OBSERVE[str(ctx.options["engine"])](ctx)


def judge(seen: dict[str, Json], options: Options) -> list[Assertion]:
    return engine_rules.JUDGE[str(seen["engine"])](seen, options)


def _pgbackrest(ctx: Context) -> dict[str, Json]:
    config = backup_host.read_config()
    if config is None or config.get("engine") != "pgbackrest":
        return {"engine": "pgbackrest", "installed": False}
    seen = _ship.ask(ctx, backup_host.user_of(config), "look", str(backup_host.CONFIG))
    return {
        **seen,
        "repositories": [{**one, "place": second_place.look(second_place.host_of(engine_rules.place_of(one)))} for one in seen.get("repositories", ())],
        "installed": True,
        "outdated": _ship.outdated(),
        "access_missing": backup_host.access(ctx, config, "missing"),
        "period_s": min(float(period) for period in config["periods"].values()),
        "secrets_current": all(backup_host.holds(path, content) for path, content in backup_host.secret_files(config, ctx.secrets).items()),
    }


def _reported(ctx: Context) -> dict[str, Json]:
    """What the user's own command, or the provider, says. Nothing on this host belongs to us."""
    return {"engine": ctx.options["engine"], "now": time.time(), "backups": backup_report.read(ctx, ctx.options["report"])}


OBSERVE: dict[str, t.Callable[[Context], dict[str, Json]]] = {"pgbackrest": _pgbackrest, "external": _reported, "managed": _reported}


def remediate(ctx: Context, seen: dict[str, Json]) -> list[str]:
    """Give pgBackRest its secrets, its stanza and the server's archiver. What others set up is theirs to mend."""
    config = backup_host.read_config()
    if seen["engine"] != "pgbackrest" or config is None:
        return []
    user, changes = backup_host.user_of(config), []
    for path, content in backup_host.secret_files(config, ctx.secrets).items():
        if not backup_host.holds(path, content):
            backup_host.write(path, content, user)
            changes.append(f"wrote {path}")
    changes += backup_host.access(ctx, config, "grant")
    told = _ship.ask(ctx, user, "begin", str(backup_host.CONFIG))
    if "failed" in told:
        raise CannotKnow(
            engine_rules.REFUSED.get(told["name"] or told["failed"], "postgres_backup.pgbackrest_refused"), repository="pgBackRest", why=told["why"]
        )
    return changes + list(told["made"])
