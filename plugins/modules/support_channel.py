#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``support_channel``: what a program can know about the channel by which a restaurant asks for help."""

from __future__ import annotations

DOCUMENTATION = r"""
module: support_channel
short_description: See that the declared support channel can be reached
version_added: 0.1.0
description:
  - For C(https:) one GET, with certificate verification. It must answer 2xx, over https to the end, with a body that is not empty
    and does not say that it failed.
  - For C(mailto:) the mailbox must be well formed and its domain must take mail. Nothing is sent.
  - For C(tel:) the number must be well formed (E.164). A program cannot ring it.
  - Hours, response times and escalation are a person's word. The item C(operations.support) needs an attestation besides this.
requirements:
  - dnspython, for mail domains without an address of their own
extends_documentation_fragment:
  - resto.golive.check
author:
  - Resto Golive (@resto-golive)
options:
  channel:
    description: The channel, as a C(https:), C(mailto:) or C(tel:) address. Variable C(operations_support_channel).
    type: str
    required: true
  contains:
    description: Text that the page must contain, so that a parked domain is not taken for it. Variable C(operations_support_contains).
    type: str
  deadline_s:
    description: The page must have answered whole within this many seconds. Variable C(operations_support_deadline_s).
    type: float
    default: 15.0
  ca_bundle:
    description: File with authorities to trust besides the system's, on the host that looks. Variable C(golive_ca_bundle).
    type: str
"""

EXAMPLES = r"""
- name: See that the support page answers
  resto.golive.support_channel:
    channel: https://soporte.comanda.example/
    contains: Soporte

- name: See that the number declared in the inventory is well formed
  resto.golive.support_channel:
"""

RETURN = r"""
golive:
  description: What was observed and how it was judged.
  returned: success
  type: dict
  contains:
    rows:
      description: One row for each item and target, with its status, reason and evidence.
      type: list
      elements: dict
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.operations.support_channel import SupportChannel
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(SupportChannel)


if __name__ == "__main__":
    main()
