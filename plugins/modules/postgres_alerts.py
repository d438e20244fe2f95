#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``postgres_alerts``: somebody would be told when PostgreSQL is in trouble."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_alerts
short_description: Prove that a rule watches connections, space and locks of PostgreSQL, and sees them
version_added: 0.1.0
description:
  - Asks the Prometheus of this host for its alerting rules and its series.
  - For each of connections, space and locks there must be a rule that reads a metric of it, that Prometheus evaluates without an error, whose metrics have
    series (a rule over nothing never fires), and that says how bad it is (label C(severity)).
  - The exporter must be scraped and be in (C(pg_up) is 1). With a week of samples or more, the disk must not be about to be full.
  - Looks only. The rules are written by the role C(resto.golive.postgres).
extends_documentation_fragment:
  - resto.golive.check
author:
  - Resto Golive (@resto-golive)
options:
  prometheus_url:
    description: Where Prometheus answers, as seen from this host. Variable C(postgres_monitoring_prometheus_url).
    type: str
    default: http://127.0.0.1:9090
  prometheus_token:
    description: Bearer token. Variable C(postgres_monitoring_prometheus_token), whose value is a name in the secret store.
    type: str
  rules:
    description:
      - Names of the rules that watch C(connections), C(space) or C(locks), where they read metrics that are not known here (a vendor's, a recorded one).
      - Variable C(postgres_monitoring_rules).
    type: dict
    default: {}
  disk_days:
    description:
      - In how many days the disk may be full at the pace of the last weeks, as [warning, failure]. Variable C(postgres_monitoring_disk_days).
      - The pace is the Theil-Sen slope of one sample a day, which one odd day does not bend.
    type: list
    elements: float
    default: [30, 7]
"""

EXAMPLES = r"""
- name: See whether somebody would be told
  resto.golive.postgres_alerts:

- name: The vendor's own metric tells the space
  resto.golive.postgres_alerts:
    rules:
      space: RdsFreeStorageLow
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
          check: postgres_alerts
          target: {kind: host, name: ops1}
          status: pass
          reason: {code: postgres_alerts.rule_watches, params: {topic: locks, name: GolivePostgresLockWait, severity: warning}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_alerts import PostgresAlerts
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(PostgresAlerts)


if __name__ == "__main__":
    main()
