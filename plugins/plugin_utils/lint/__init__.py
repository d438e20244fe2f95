# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint of the inventory. Who wants to know what is wrong with an inventory, or what is in it, comes in here:

view = InventoryView.load(loader, sources)
lint(view, secret_names=…)  ->  [Mistake(code, file, line, params)], each with its `text` in es and en
explain(view)               ->  [Row(variable, value, kind, origin, items, hosts)]
"""

from __future__ import annotations

from ansible_collections.resto.golive.plugins.plugin_utils.lint.explain import explain
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake, Row
from ansible_collections.resto.golive.plugins.plugin_utils.lint.run import lint
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import InventoryView

__all__ = ["InventoryView", "Mistake", "Row", "explain", "lint"]
