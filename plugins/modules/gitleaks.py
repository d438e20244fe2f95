#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``gitleaks``: no secret in the repository, and a CI that stops the next one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitleaks
short_description: Prove that a repository's whole history holds no secret, and that its CI would stop one
version_added: 0.1.0
description:
  - Scans every commit of every branch, tag and stash with gitleaks' own rules and five more (Stripe webhook secrets, Mercado Pago tokens and keys,
    passwords inside connection URLs, Meta access tokens), what merge commits brought in, and what tracked files hold uncommitted.
  - Works on a private mirror, so that neither the repository's C(.gitattributes) nor its C(.gitleaks.toml) can hide anything. The repository is only read.
  - First commits one random secret of each class to a scratch repository and removes it again. A gitleaks that misses one proves nothing, and reads C(error).
  - Reads the CI files at C(HEAD) for a step that runs gitleaks on pushes or proposed changes, over the full history, and fails the job on a finding.
  - Never reports a secret, only rule, file, line, commit and fingerprint.
requirements:
  - gitleaks >= 8.19
  - git >= 2.36
  - PyYAML
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.gitleaks
author:
  - Resto Golive (@resto-golive)
options:
  workflow:
    description:
      - CI files to read, relative to the repository's root. The default is every CI file known at C(HEAD).
      - GitHub, Gitea, Forgejo and GitLab files are understood. Variable C(security_secret_scan_workflow).
    type: list
    elements: str
  exceptions:
    description:
      - File with the fingerprints that are no secrets, read at C(HEAD). A comment above them says C(reviewed), the date, who, and why.
      - Variable C(security_secret_scan_exceptions).
    type: str
    default: .gitleaksignore
  exceptions_max_age_d:
    description: A review older than this many days has to be made again. Variable C(security_secret_scan_exceptions_max_age_d).
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Look through the whole history of the repository declared in the inventory
  resto.golive.gitleaks:
  delegate_to: localhost

- name: Look through another repository, whose CI file has a name of its own
  resto.golive.gitleaks:
    repository: /srv/git/menu
    workflow:
      - .github/workflows/security.yml
  delegate_to: localhost
"""

RETURN = r"""
golive:
  description: What was observed and how it was judged.
  returned: success
  type: dict
  contains:
    rows:
      description: One row for each item and target, with its status, reason and evidence. Secrets are never part of it.
      type: list
      elements: dict
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks import Gitleaks
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(Gitleaks)


if __name__ == "__main__":
    main()
