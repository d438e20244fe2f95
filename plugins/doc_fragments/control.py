# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common that run on the control node alone."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  diff_mode:
    description: Changes nothing on any host.
    support: N/A
  action:
    description: Runs on the control node only; no host is contacted.
    support: full
seealso:
  - module: resto.golive.audit
"""
