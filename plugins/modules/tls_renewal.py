#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``tls_renewal``: who renews, when, and whether the server is told."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_renewal
short_description: Prove that the certificates will be renewed without anybody, and that the server will be told
version_added: 0.1.0
description:
  - Finds who renews on the edge. Of certbot it reads the lineages, their renewal settings and their hooks, its timer and the result of the last run, and
    compares what each name is served with what lies on disk.
  - Passes only if every name is covered by a lineage that renews by itself at the CA of O(directory), a hook runs and reloads, the timer is enabled, active
    and due within O(max_timer_gap_h), the last run went well, and what is served is what lies on disk.
  - Another client is found by its name, and reads C(error), since its settings cannot be read. With O(client=managed) the lifetime that
    M(resto.golive.tls_certificate) sees from outside is the proof; on a host this check sees only that certbot holds no lineage for these names, and without
    a host of the group C(edge) it is not asked.
  - Needs root. Changes nothing.
requirements:
  - cryptography >= 38 (Debian package C(python3-cryptography))
  - systemd
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.tls
  - resto.golive.tls.renewal
author:
  - Resto Golive (@resto-golive)
options:
  client:
    description:
      - Who renews. V(auto) finds out; V(managed) means somebody else, not on this host, which a lineage for these names contradicts.
      - Variable C(environment_tls_client).
  directory:
    description: ACME directory at which the certificates must be renewed. Variable C(environment_tls_directory).
  max_timer_gap_h:
    description: >-
      The timer must be due within so many hours, and have run within twice as many. certbot's fires twice a day.
      Variable C(environment_tls_max_timer_gap_h).
    type: float
    default: 24.0
"""

EXAMPLES = r"""
- name: See who renews
  resto.golive.tls_renewal:

- name: A load balancer renews, not this host
  resto.golive.tls_renewal:
    client: managed
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(environment.tls).
      type: list
      elements: dict
      sample:
        - item: environment.tls
          check: tls_renewal
          target: {kind: host, name: ""}
          status: fail
          reason: {code: tls_renewal.hook_not_executable, params: {lineage: golive, hook: /etc/letsencrypt/renewal-hooks/deploy/golive-nginx}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal import TlsRenewal
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(TlsRenewal)


if __name__ == "__main__":
    main()
