# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check by its name. Literal imports only: what is not imported by name is not packed and sent to the host."""

from __future__ import annotations

from ansible_collections.resto.golive.plugins.module_utils._check import Check

CHECKS: dict[str, type[Check]] = {}
