#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``tls_renewal_drill``: renew for real, and see the served serial change."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_renewal_drill
short_description: Renew the certificates for real, and see the served serial change
version_added: 0.1.0
description:
  - Notes the serial that each name is served with, runs C(certbot renew --force-renewal) on the lineages that cover the names, and waits until each name is
    served with the serial that lies on disk.
  - Passes only if that serial is a new one. certbot's C(--dry-run) skips deploy hooks, so nothing less than a real renewal proves hook and reload.
  - A drill, not part of the audit; staging's result stands for prod. Not in check mode, and never where the lineage's CA is not O(directory).
  - Deletes nothing. Where it fails, the old certificate goes on being served.
requirements:
  - certbot
  - cryptography >= 38 (Debian package C(python3-cryptography))
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.tls
  - resto.golive.tls.renewal
author:
  - Resto Golive (@resto-golive)
options:
  client:
    description: Who renews. Only certbot can be drilled; with V(managed) nothing is to be drilled here. Variable C(environment_tls_client).
  directory:
    description: ACME directory of the CA that issues here. Variable C(environment_tls_directory).
  ca_bundle:
    description:
      - PEM file on the host with the CA that the ACME server's own certificate comes from. Empty, the system's store.
      - Variables C(environment_tls_ca_bundle), C(environment_ca_bundle), C(golive_ca_bundle), whichever is found first.
    type: str
    default: ""
  renew_timeout_s:
    description: Seconds that one run of certbot may take. Variable C(environment_tls_renew_timeout_s).
    type: float
    default: 150.0
  reload_timeout_s:
    description: Seconds within which the new serial must be served. Variable C(environment_tls_reload_timeout_s).
    type: float
    default: 20.0
  public_min_age_h:
    description: >-
      At Let's Encrypt's production CA a lineage younger than this, in hours, is not renewed: it gives one equal certificate every 34 hours
      (letsencrypt.org/docs/rate-limits). Variable C(environment_tls_public_min_age_h).
    type: float
    default: 36.0
"""

EXAMPLES = r"""
- name: Prove that a renewed certificate reaches the customers
  resto.golive.tls_renewal_drill:
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
          check: tls_renewal_drill
          target: {kind: host, name: ""}
          status: pass
          reason: {code: tls_renewal_drill.renewed, params: {lineage: golive, rc: 0}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal_drill import TlsRenewalDrill
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(TlsRenewalDrill)


if __name__ == "__main__":
    main()
