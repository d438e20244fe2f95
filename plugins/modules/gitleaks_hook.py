#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``gitleaks_hook``: a pre-commit hook that really refuses a secret."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitleaks_hook
short_description: Prove, or install, a pre-commit hook that refuses secrets
version_added: 0.1.0
description:
  - Tries the hook that git would run (C(.git/hooks), C(core.hooksPath), linked work trees, the pre-commit framework) in a scratch clone, with real commits.
    A clean commit must be accepted, and one with a random secret refused. The team's repository is never committed to.
  - With O(fix=true) installs a hook with our rules. A hook that is there is kept and runs after ours.
    Nothing is written into a versioned hooks folder or one that other repositories share.
requirements:
  - gitleaks >= 8.19
  - git >= 2.36
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.gitleaks
author:
  - Resto Golive (@resto-golive)
options:
  repository:
    description: Folder of a full, local working clone on the control node. Variable C(golive_repository).
  gitleaks:
    description:
      - Path of gitleaks that the hook calls. The default is the one on C(PATH), else the one beside the interpreter that runs the module.
      - Variable C(security_secret_scan_gitleaks).
"""

EXAMPLES = r"""
- name: See whether the hook of the repository declared in the inventory stops a secret
  resto.golive.gitleaks_hook:
  delegate_to: localhost

- name: Install the hook where it is missing
  resto.golive.gitleaks_hook:
    repository: /srv/git/menu
    fix: true
  delegate_to: localhost
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

from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks_hook import GitleaksHook
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(GitleaksHook)


if __name__ == "__main__":
    main()
