# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restored copy is told, so that it does nothing but be looked at. Facts; :mod:`cage` gives them and asks them back."""

from __future__ import annotations

#: What keeps a copy from doing anything but being looked at: no listener, no archiver, no subscriptions, no workers, no libraries of the live cluster.
ISOLATED = {
    "listen_addresses": "",
    "port": "5432",
    "cluster_name": "golive-drill",
    "archive_mode": "off",
    "archive_command": "/bin/false",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "max_logical_replication_workers": "0",
    "primary_conninfo": "",
    "logging_collector": "off",
    "unix_socket_permissions": "0700",
}

#: A copy that is thrown away needs no durability: with this a restore takes a quarter of the time on a slow disk (research, section 2).
TUNED = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "64GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "wal_buffers": "64MB",
}

#: What holds in every session with the copy: (first version that has it, setting, value). No trigger of the shop's runs, whatever it would do there: older
#: servers know no switch for event triggers, and as a replica they leave them and all others out but those that are always on (:data:`ALWAYS`). No library of
#: the shop's is loaded, and no page that is broken is read as if it were not. Such settings come back with the shop's database and roles too, and those rank
#: above what the server was started with: only what the client gives ranks above them (GucSource in PostgreSQL's guc.h).
OWN = (
    (0, "session_replication_role", "replica"),
    (0, "session_preload_libraries", ""),
    (0, "local_preload_libraries", ""),
    (0, "zero_damaged_pages", "off"),
    (0, "ignore_checksum_failure", "off"),
    (170000, "event_triggers", "off"),
)

#: Event triggers that run on a replica as well.
ALWAYS = "select evtname as name from pg_event_trigger where evtenabled in ('A', 'R')"

#: Less than this in /dev/shm, and a parallel index build dies of it: containers often have 64 MB.
SHM_LEAST = 512 << 20


def own(server_version: int) -> dict[str, str]:
    """Return those of :data:`OWN` that a server of this version has."""
    return {name: value for since, name, value in OWN if server_version >= since}
