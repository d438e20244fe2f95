# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of itself before anything else is asked."""

from __future__ import annotations

import pathlib

from ansible_collections.resto.golive.plugins.modules import probe


def test_servers_are_known_by_their_programs(tmp_path: pathlib.Path) -> None:
    for pid, program in {"7": "redis-server", "8": "postgres", "9": "postgres", "10": "redis-cli", "self": "valkey-server"}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{program}\n")
    (tmp_path / "11").mkdir()  # it ended while its folder was listed
    (tmp_path / "12" / "comm").mkdir(parents=True)  # nor can this be read
    assert probe.servers(str(tmp_path)) == ["postgres", "redis"]
    assert probe.servers(str(tmp_path / "7")) == []
