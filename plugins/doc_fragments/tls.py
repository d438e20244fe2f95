# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of TLS have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  domains:
    description: >-
      The names of the system, by their key. Variables C(environment_tls_domains), C(environment_domains), C(golive_domains), whichever is found first.
    type: dict
    required: true
  connect_timeout_s:
    description: Seconds for one connection and for one handshake. Variable C(environment_tls_connect_timeout_s).
    type: float
    default: 5.0
"""

    RENEWAL = r"""
options:
  client:
    description: Who renews. Variable C(environment_tls_client).
    type: str
    choices: [auto, certbot, lego, dehydrated, acme_sh, caddy, managed]
    default: auto
  directory:
    description: ACME directory. Variable C(environment_tls_directory).
    type: str
    default: https://acme-v02.api.letsencrypt.org/directory
  config_dir:
    description: Where certbot keeps its lineages. Variable C(environment_tls_config_dir).
    type: str
    default: /etc/letsencrypt
  address:
    description: Where this host's own server is reached, to see what it serves. Variable C(environment_tls_address).
    type: str
    default: 127.0.0.1
  port:
    description: Port of HTTPS. Variable C(environment_tls_port).
    type: int
    default: 443
"""
