#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``order_journey``: from a guest's message to a closed order."""

from __future__ import annotations

DOCUMENTATION = r"""
module: order_journey
short_description: Prove the whole way of an order, from the guest's message to the closed ticket
version_added: 0.1.0
description:
  - Sends a signed message of a test guest to the webhook, under a fresh id C(golive-<uuid>), and sees each of five stages with the observer declared for it.
    The message is stored, the bot replies, exactly one order is made, the panel is told, and closing the order tells the guest.
  - Listens before it sends. Delivers the same event twice and, another one, twenty times at once. Looks for an id that was never sent as well, and an
    observer that sees it proves nothing.
  - Sends nothing to a restaurant that is not flagged as a test one (O(tenants_flag)).
  - Undoes what it made, reads back that nothing is left, and sweeps what runs that were killed, or runs of more than an hour ago, left behind.
  - What is in a database is looked at on the first host of the group C(postgres). That takes the audit (C(playbooks/audit.yml)). This module alone, on one
    host, can use observers that the host itself can look at, and says so of all others.
requirements:
  - psycopg 3 on the database's host, for observers of the kind C(sql) (Debian package C(python3-psycopg))
  - websocket-client on the probe, for observers of the kind C(websocket) (Debian package C(python3-websocket))
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.requests
author:
  - Resto Golive (@resto-golive)
options:
  journey:
    description:
      - The stages C(inbound), C(reply), C(order), C(panel) and C(close), each with C(see) (an observer) and C(within_s) in seconds, counted from the guest's
        message and for C(close) from its own request. C(inbound) and C(close) have C(send).
      - C(clean) has C(undo), a request that takes back what has C({cid}) (or any column that C(see) selects), and C(see), which must find nothing in the end.
        C({cids}) are the ids of this run and of runs that were killed, C({before}) is an hour ago.
      - Variable C(acceptance_journey).
    type: dict
    required: true
  tenants_flag:
    description: Observer that sees something only if C({tenant}) is a test restaurant. Variable C(golive_tenants_flag).
    type: dict
    required: true
  providers:
    description: The providers; keys are names in the secret store. Variable C(integrations_providers), with C(integrations_providers_extra) merged over it.
    type: dict
"""

EXAMPLES = r"""
- name: See the way of an order, with what the inventory declares
  resto.golive.order_journey:
  delegate_to: probe1
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation for each of the items C(acceptance.e2e_inbound), C(.e2e_reply), C(.e2e_order), C(.e2e_panel) and C(.e2e_close).
      type: list
      elements: dict
      sample:
        - item: acceptance.e2e_order
          check: order_journey
          target: {kind: host, name: probe1}
          status: pass
          reason: {code: order_journey.seen, params: {stage: order, took: 0.31, seconds: 10}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(OrderJourney)


if __name__ == "__main__":
    main()
