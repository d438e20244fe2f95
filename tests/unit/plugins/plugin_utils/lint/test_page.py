# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/inventory*.md list what the vocabulary has, and what they tell to write is right; so is the example in inventories/."""

from __future__ import annotations

import re

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.resto.golive.plugins.plugin_utils.lint import InventoryView, lint

from .conftest import Shop
from .page import PAGES, ROOT, filled, rows


@pytest.mark.parametrize("language", PAGES)
def test_the_page_lists_the_vocabulary(language: str) -> None:
    text = PAGES[language].read_text(encoding="utf-8")
    assert text == filled(text, language), "write the lists anew: python tests/unit/plugins/plugin_utils/lint/page.py"


E2E = ", ".join(f"acceptance.e2e_{stage}" for stage in ("inbound", "reply", "order", "panel", "close"))
INTEGRATIONS = ", ".join(f"integrations.{item}" for item in ("credentials", "webhooks", "retries", "degraded_mode"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("redis_persistence_memory_share_max", "redis.persistence"),
        ("acceptance_smoke_ui", "acceptance.smoke_ui \\*"),
        # A check's option reads it by its name, whatever section it is of.
        ("acceptance_journey", E2E),
        ("postgres_backups_rpo_minutes", "postgres.backups, postgres.restore"),
        ("integrations_providers", f"{E2E}; {INTEGRATIONS} \\*"),
        ("integrations_providers_extra", f"{E2E}; {INTEGRATIONS} \\*"),
        ("golive_services", "the whole system \\*"),
    ],
)
def test_the_page_says_who_reads_it_and_who_does_not_yet(name: str, told: str) -> None:
    [row] = [line for line in rows("en").splitlines() if line.startswith(f"| `{name}` |")]
    assert row.removesuffix(" |").rpartition(" | ")[2] == told


@pytest.mark.parametrize("language", PAGES)
def test_the_smallest_inventory_of_the_page_has_no_mistake(small: Shop, language: str) -> None:
    hosts, system = re.findall(r"```yaml\n(.*?)```", PAGES[language].read_text(encoding="utf-8"), re.DOTALL)[:2]
    small.write("hosts.yml", hosts).write("group_vars/all/10_system.yml", system)
    assert small.texts() == []


def test_the_example_inventory_has_no_mistake() -> None:
    found = lint(InventoryView.load(DataLoader(), [str(ROOT / "inventories/staging")]))
    assert [mistake.text["en"] for mistake in found] == []
