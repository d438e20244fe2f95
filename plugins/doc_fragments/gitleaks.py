# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks have in common that run gitleaks."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description: Folder of a full, local clone on the control node. Variable C(golive_repository).
    type: str
    required: true
  gitleaks:
    description:
      - Path of gitleaks. The default is the one on C(PATH), else the one beside the interpreter that runs the module.
      - Variable C(security_secret_scan_gitleaks).
    type: str
"""
