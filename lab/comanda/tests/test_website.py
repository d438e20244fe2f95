# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The website: the menu of a restaurant, and the last one while the API cannot answer."""

from __future__ import annotations

from conftest import World
from servers import Process


def test_the_last_menu_is_shown(world: World) -> None:
    environment = {"COMANDA_API": f"http://127.0.0.1:{world.api.port}", "COMANDA_RESTAURANT": "la-candelaria"}
    website = Process("website", environment)
    try:
        # Nobody has come yet: what is shown is from the start of the process.
        world.api.stop()
        shown = website.client.get("/")
        assert shown.status_code == 200
        assert "Ajiaco santafereño" in shown.text
        assert "última carta conocida" in shown.text
        assert website.client.get("/r/lavapies").status_code == 503
        assert website.client.get("/soporte").status_code == 200
    finally:
        world.api.start()
    assert "última carta conocida" not in website.client.get("/").text
    assert website.client.get("/r/none").status_code == 404
    website.end()
