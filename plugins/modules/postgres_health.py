#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``postgres_health``: how the database server is right now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_health
short_description: Prove that PostgreSQL has room, waits for nobody and will not lose what it holds
version_added: 0.1.0
description:
  - Reads connections, space, locks, transactions, vacuum, sequences, indexes, WAL, replicas and settings in one read-only session whose statements have a
    deadline, and holds each against two limits, of a warning and of a failure.
  - Reads catalogues and statistics only, no table of yours, and changes nothing.
  - A part that the role may not see is an error of its own, never a pass.
  - That somebody would be told tomorrow is proven by M(resto.golive.postgres_alerts) and M(resto.golive.postgres_lock_drill).
requirements:
  - psycopg >= 3.1 (Debian package C(python3-psycopg))
  - PostgreSQL 15 or 17 (other versions were not tried)
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres
author:
  - Resto Golive (@resto-golive)
options:
  database:
    description: Database whose tables, sequences and indexes are looked at. The rest is the server's. Variable C(postgres_database).
  user:
    description: Role to connect as, a member of C(pg_monitor). Variable C(postgres_user).
  pools_max:
    description:
      - What all the app's connection pools may open together, over all instances. Variable C(postgres_monitoring_pools_max).
      - Where it is given, more than the server takes is a failure, however few are open now.
    type: int
  long_applications:
    description: What calls itself so (C(application_name)) may have long transactions. Variable C(postgres_monitoring_long_applications).
    type: list
    elements: str
    default: [pg_dump, pg_basebackup, golive-backup]
  connections_ratio:
    description: Connections in use, as a share of those that clients may open; warning and failure. Source MX, AP (80 %), CP (90 and 95 %).
    type: list
    elements: float
    default: [0.8, 0.9]
  idle_in_transaction_s:
    description: Seconds for which a transaction may be open and idle. An order at a table takes longer, but holds no transaction.
    type: list
    elements: float
    default: [60, 300]
  transaction_s:
    description: Seconds for which a transaction may be open. Source CN (300 s), AP (2 min).
    type: list
    elements: float
    default: [300, 1800]
  lock_wait_s:
    description: Seconds for which somebody may wait for a lock. Source CP (1 and 2 min).
    type: list
    elements: float
    default: [30, 120]
  lock_table_ratio:
    description: Locks held, as a share of C(max_locks_per_transaction) times C(max_connections). Source MX, AP (20 %).
    type: list
    elements: float
    default: [0.2, 0.6]
  deadlocks_per_day:
    description: Deadlocks a day since the counters began. Source MX (5 a minute); one an hour is a bug that guests see.
    type: list
    elements: float
    default: [24, 7200]
  prepared_s:
    description: Age of the oldest prepared transaction, in seconds. Source CP.
    type: list
    elements: float
    default: [1, 30]
  xmin_age:
    description: How many transactions back vacuum is held.
    type: list
    elements: float
    default: [10000000, 100000000]
  xid_age:
    description: Age of the oldest unfrozen transaction, or multixact. Source CN (300 M), CP (1.3 and 1.4 G).
    type: list
    elements: float
    default: [300000000, 1000000000]
  freeze_ratio:
    description: The same as a share of C(autovacuum_freeze_max_age). At 1 autovacuum begins; past 1.2 it does not keep up.
    type: list
    elements: float
    default: [1.2, 1.5]
  dead_ratio:
    description: Dead rows of a table with more than 10000 of them, as a share of all its rows. Source AP (10 %), MX (40 %); autovacuum waits for one sixth.
    type: list
    elements: float
    default: [0.25, 0.4]
  sequence_ratio:
    description: How much of a sequence is gone, held against the column behind it where that is narrower. Source CP (85 and 95 %).
    type: list
    elements: float
    default: [0.7, 0.9]
  replication_s:
    description: Seconds for which a replica may be behind; 1 GB is a failure in any case. Source MX, CN.
    type: list
    elements: float
    default: [60, 300]
  disk_ratio:
    description: How full a file system under the data, the WAL or a tablespace may be, in space and in inodes. Source AP (90 %), CP (90 and 95 %).
    type: list
    elements: float
    default: [0.8, 0.9]
"""

EXAMPLES = r"""
- name: See how the database is
  resto.golive.postgres_health:
    database: comanda

- name: A server with a large pool in front, looked at over the network
  resto.golive.postgres_health:
    host: 10.0.0.5
    user: golive
    database: comanda
    pools_max: 60
    connections_ratio: [0.6, 0.8]
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
          check: postgres_health
          target: {kind: host, name: db1}
          status: pass
          reason: {code: postgres_health.connections_ok, params: {used: 12, usable: 97, percent: 12}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_health import PostgresHealth
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(PostgresHealth)


if __name__ == "__main__":
    main()
