#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``tls_certificate``: what every endpoint serves, seen from outside."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_certificate
short_description: Prove that every endpoint serves a certificate that browsers accept, and for long enough
version_added: 0.1.0
description:
  - Shakes hands with every address of every name as a browser does, with verification of chain and name, and holds what is served against its dates, its
    lifetime, its key and its signature. Shakes hands again as a client of TLS 1.0 and 1.1, which must be refused, and asks port 80 for its redirect.
  - What is left is judged as a fraction of the certificate's lifetime, since lifetimes shrink (47 days from 2029-03-15).
  - Sends nothing over TLS and changes nothing. One address costs two handshakes and one HTTP request.
requirements:
  - cryptography >= 38 on the host that looks (Debian package C(python3-cryptography))
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.tls
author:
  - Resto Golive (@resto-golive)
options:
  endpoints:
    description:
      - Endpoints to look at besides, as C(host), C(host:port) or C([v6]:port). Port 80 is not asked for these. Variable C(environment_tls_endpoints).
    type: list
    elements: str
    default: []
  port:
    description: Port of HTTPS of each of O(domains). Variable C(environment_tls_port).
    type: int
    default: 443
  redirect_port:
    description: Port of plain HTTP, which must redirect to C(https://). Variable C(environment_tls_redirect_port).
    type: int
    default: 80
  ca_bundle:
    description:
      - PEM file with the private CAs to trust, on the host that looks. Empty, the system's store is trusted and O(public_lifetime_days) holds.
      - Variables C(environment_tls_ca_bundle), C(environment_ca_bundle), C(golive_ca_bundle), whichever is found first.
    type: str
    default: ""
  warn_fraction:
    description:
      - Below this fraction of the lifetime, less O(timer_period_h), a warning. Variable C(environment_tls_warn_fraction).
      - certbot renews at a third of the lifetime (since 4.0); it may come as much as one period of its timer later.
    type: float
    default: 0.3333
  fail_fraction:
    description: Below this fraction of the lifetime a fail, since half the time for renewing has passed. Variable C(environment_tls_fail_fraction).
    type: float
    default: 0.1667
  short_lifetime_days:
    description: Up to this lifetime, in days, the two fractions below hold. certbot draws the line there. Variable C(environment_tls_short_lifetime_days).
    type: float
    default: 10.0
  short_warn_fraction:
    description: O(warn_fraction) of short certificates; certbot renews these at half their lifetime. Variable C(environment_tls_short_warn_fraction).
    type: float
    default: 0.5
  short_fail_fraction:
    description: O(fail_fraction) of short certificates. Variable C(environment_tls_short_fail_fraction).
    type: float
    default: 0.25
  timer_period_h:
    description: >-
      Longest time between two runs of the renewal timer, in hours. certbot's fires every 12 h with a random delay of up to 12 h.
      Variable C(environment_tls_timer_period_h).
    type: float
    default: 24.0
  public_lifetime_days:
    description:
      - The longest lifetime that a public CA may give, in days, by the first day of issuance (a quoted date). Variable C(environment_tls_public_lifetime_days).
      - CA/Browser Forum Baseline Requirements 6.3.2 with ballot SC-081v3.
    type: dict
    default:
      "2020-09-01": 398
      "2026-03-15": 200
      "2027-03-15": 100
      "2029-03-15": 47
  min_rsa_bits:
    description: Smallest RSA key, in bits (Baseline Requirements 6.1.5). Variable C(environment_tls_min_rsa_bits).
    type: int
    default: 2048
  min_ec_bits:
    description: Smallest elliptic curve key, in bits (P-256). Variable C(environment_tls_min_ec_bits).
    type: int
    default: 256
  min_version:
    description: Oldest version that may be agreed on. RFC 8996 deprecates all before TLS 1.2. Variable C(environment_tls_min_version).
    type: str
    choices: [TLSv1.2, TLSv1.3]
    default: TLSv1.2
"""

EXAMPLES = r"""
- name: Look at every endpoint of the inventory
  resto.golive.tls_certificate:

- name: Look at one name, and at the mail server
  resto.golive.tls_certificate:
    domains:
      website: www.comanda.example
    endpoints: ["mail.comanda.example:465"]

- name: Look at one endpoint only
  resto.golive.tls_certificate:
    target: api.comanda.example:443
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(environment.tls) for each endpoint.
      type: list
      elements: dict
      sample:
        - item: environment.tls
          check: tls_certificate
          target: {kind: endpoint, name: "www.comanda.example:443"}
          status: fail
          reason: {code: tls_certificate.expired, params: {name: www.comanda.example, days: 3.2}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import TlsCertificate
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(TlsCertificate)


if __name__ == "__main__":
    main()
