#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``postgres_lock_drill``: a breach, made on purpose, is seen."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_lock_drill
short_description: Make one session wait for a lock, and see the exporter tell of it
version_added: 0.1.0
description:
  - Makes an empty scratch table in the database C(postgres), has one session lock it and another want it, and asks the exporter until it tells of the one
    that waits. Then lets go, and asks until it no longer does.
  - Touches no table of the app's. The table goes again; one that a killed drill left is made its own and removed by the next.
  - Impact C(active); runs in staging, and prod takes staging's evidence.
requirements:
  - psycopg >= 3.1 (Debian package C(python3-psycopg))
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres
author:
  - Resto Golive (@resto-golive)
options:
  database:
    description: Any database of the server; the drill itself works in C(postgres). Variable C(postgres_database).
  user:
    description: Role to connect as. It must be able to create a table in the database C(postgres). Variable C(postgres_user).
  exporter_url:
    description: Where the exporter answers, as seen from this host. Variable C(postgres_monitoring_exporter_url).
    type: str
    default: http://127.0.0.1:9187/metrics
  exporter_metric:
    description: The metric that counts sessions that wait for a lock. Variable C(postgres_monitoring_exporter_metric).
    type: str
    default: golive_postgres_locks_waiting
  seen_within_s:
    description: Within how many seconds the exporter must tell. Variable C(postgres_monitoring_seen_within_s).
    type: float
    default: 20.0
"""

EXAMPLES = r"""
- name: See a breach arrive
  resto.golive.postgres_lock_drill:
    database: comanda
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.monitoring), with everything that was looked at as its evidence.
      type: list
      elements: dict
      sample:
        - item: postgres.monitoring
          check: postgres_lock_drill
          target: {kind: host, name: db1}
          status: pass
          reason: {code: postgres_lock_drill.seen, params: {seconds: 0.6, metric: golive_postgres_locks_waiting}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_lock_drill import PostgresLockDrill
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(PostgresLockDrill)


if __name__ == "__main__":
    main()
