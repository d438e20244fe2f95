#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``rate_limit``: who sends too much is refused, and nobody else."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rate_limit
short_description: Prove by counting that the declared routes are limited, each client for itself
version_added: 0.1.0
description:
  - Sends a short burst to each declared route from outside and counts. Of a limit of rate r and burst B exactly B+1 requests are let in at once, and
    floor(t*r) more after t seconds. That is the arithmetic of nginx' C(limit_req) with C(nodelay), of GCRA and of a token bucket of B+1.
  - Sees that the refusal has the declared status and a C(Retry-After) (RFC 6585, RFC 9110), that a made-up C(X-Forwarded-For) does not help, that another
    client is let in meanwhile, that leaving out what is counted by does not help either, and that the limit recovers.
  - Answers of the application itself count only if they are what one request alone was answered. Its failures are neither let in nor refused.
  - A request that may change something is sent without its content, so that the application turns it down. One that is carried out all the same is not
    repeated.
  - For a route it sends at most B+2+r requests to find the limit (r a second), as many again where others are counted (made-up addresses, a second client,
    no key, recovery), and for most limits one or two of each. A bucket that was found used is tried at most three times.
  - Waits for one request to be let in again (6 seconds under C(10/m)), and for an idle bucket only if it finds it used.
  - Changes nothing. The role C(resto.golive.security) writes the limits for nginx.
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.requests
author:
  - Resto Golive (@resto-golive)
options:
  routes:
    description:
      - The limited routes. Each has C(request), C(rate) (a number per C(s), C(m) or C(h), such as C(10/m)), C(burst) (default 0), C(key) (what is counted by,
        C(ip), C(login) or C(header:<name>), default C(ip)) and C(status) (of the refusal, default 429).
      - Variable C(security_rate_limit_routes).
    type: list
    elements: dict
    required: true
  wait_s:
    description:
      - The longest wait for one route, in seconds, at most 120. A limit slower than that is not seen to recover, which is an error.
      - Variable C(security_rate_limit_wait_s).
    type: float
    default: 40.0
  sources:
    description:
      - Addresses of the host that looks to send from, for limits that count by address; two at least. The default are those of the interface that leads to
        the route. With more than two, they take turns, and the first one is left to the other checks.
      - Variable C(security_rate_limit_sources).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See whether the login is limited
  resto.golive.rate_limit:
    routes:
      - {request: "POST admin:/login", rate: 10/m, burst: 5, key: ip}
  delegate_to: probe1
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(security.rate_limit) for each route.
      type: list
      elements: dict
      sample:
        - item: security.rate_limit
          check: rate_limit
          target: {kind: route, name: "POST admin:/login (ip)"}
          status: pass
          reason: {code: rate_limit.burst_exact, params: {accepted: 6, sent: 7, wanted: "6"}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit import RateLimit
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(RateLimit)


if __name__ == "__main__":
    main()
