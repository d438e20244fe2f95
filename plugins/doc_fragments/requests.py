# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks have in common that send requests to the system."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  domains:
    description: Names of the system, by key. Variable C(golive_domains).
    type: dict
  requests:
    description: Requests that are said once. Variable C(golive_requests), with C(golive_requests_extra) merged over it.
    type: dict
  realms:
    description: How one logs in, by domain. Variable C(golive_realms).
    type: dict
  logins:
    description: Who can log in; passwords are names in the secret store. Variable C(golive_logins), with C(golive_logins_extra) merged over it.
    type: dict
  tenants:
    description: The test restaurants. Variable C(golive_tenants).
    type: dict
  preset:
    description: The framework, which decides where the CSRF token is if the realm does not say so. Variable C(golive_preset).
    type: str
  ca_bundle:
    description: File with authorities to trust besides the system's, on the host that looks. Variable C(golive_ca_bundle).
    type: str
"""
