# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every check's module has in common, written once."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  fix:
    description:
      - Mend what was found, in the safe order, and look again. The result is what the second look saw.
      - Refused by checks that only observe; their section's role does the mending.
    type: bool
    default: false
  target:
    description:
      - Look at this one of the check's targets only (an endpoint, a repository, a channel); the default is all of them.
    type: str
attributes:
  check_mode:
    description: >-
      Nothing is changed. A check that only looks still looks, and with O(fix=true) says what would be mended. One that acts (a drill, a
      journey, a burst of requests) is skipped and proves nothing.
    support: full
  diff_mode:
    description: Shows the state found and what was, or would be, changed.
    support: full
  action:
    description: >-
      Runs on the control node first, which resolves options left out from the variables of the same names
      (see the inventory page), takes secrets from the store, and records the result as evidence.
    support: full
notes:
  - An option that is left out is read from inventory variables; what is not declared reads C(not_run), with the lines to paste.
  - Finding something wrong does not fail the task. The verdict decides; misuse of options fails the task.
seealso:
  - module: resto.golive.audit
  - module: resto.golive.verdict
"""
