# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which check classes a host loads: those that it runs. All of them travel; a host compiles what it imports anew in every run, so it imports no more."""

from __future__ import annotations

import importlib

from ansible_collections.resto.golive.plugins.module_utils._check import Check

#: Where classes may come from.
HOME = "ansible_collections.resto.golive.plugins.module_utils."


def class_of(name: str, module: str) -> type[Check]:
    """Return the check or part *name*, which the file *module* defines. Raises ``LookupError``."""
    if module.startswith(HOME):
        for found in vars(importlib.import_module(module)).values():
            if isinstance(found, type) and issubclass(found, Check) and getattr(found, "name", None) == name:
                return found
    # AnsiballZ packs what is imported by name, wherever that stands: this line is why all of them travel.
    from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS, PARTS

    return {**CHECKS, **PARTS}[name]
