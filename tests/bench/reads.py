# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bench's trivial checks read, and what they expect: data and five readers, with nothing but the standard library.

The bare floor (``ssh host python3 -``) is this file as it stands, the bench's checks import it, testinfra and the plain tasks take their assertions from it.
Who may come in: everything that has to look at the same things.
"""

from __future__ import annotations

import functools
import os
import pwd

#: Items of the catalogue lend their names, so that a tag picks one set or the other as it picks a section.
EVERYWHERE_TAG, WEB_SERVER_TAG = "redis.persistence", "environment.tls"

#: (kind, subject, what is there on a healthy host). What every host of the lab has:
EVERYWHERE: tuple[tuple[str, str, object], ...] = (
    *(
        ("package", name, True)
        for name in (
            "bash",
            "ca-certificates",
            "coreutils",
            "dbus",
            "dpkg",
            "grep",
            "iproute2",
            "libc6",
            "openssh-server",
            "passwd",
            "python3",
            "sed",
            "sudo",
            "systemd",
            "tar",
        )
    ),
    *(("process", name, True) for name in ("dbus-daemon", "sshd", "systemd", "systemd-journal")),
    ("port", "22", True),
    *(
        ("file", path, ["root", "0644"])
        for path in (
            "/etc/debian_version",
            "/etc/group",
            "/etc/hosts",
            "/etc/login.defs",
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/etc/profile",
            "/etc/services",
            "/etc/ssh/sshd_config",
            "/etc/ssl/openssl.cnf",
        )
    ),
    ("file", "/etc", ["root", "0755"]),
    ("file", "/tmp", ["root", "1777"]),
    ("file", "/etc/sudoers", ["root", "0440"]),
    ("file", "/etc/shadow", ["root", "0640"]),
    ("file", "/usr/bin/sudo", ["root", "4755"]),
    *(("line", f"/etc/ssh/sshd_config:{line}", True) for line in ("Include /etc/ssh/sshd_config.d/*.conf", "UsePAM yes", "X11Forwarding yes")),
    *(("line", f"/etc/login.defs:{line}", True) for line in ("UMASK\t\t022", "ENCRYPT_METHOD SHA512", "UID_MIN\t\t\t 1000")),
    ("line", "/etc/shells:/bin/bash", True),
    ("line", "/etc/nsswitch.conf:shadow:         files", True),
    ("line", "/etc/passwd:root:x:0:0:root:/root:/bin/bash", True),
    ("line", "/etc/group:root:x:0:", True),
)

#: The twenty that everybody writes for a web server.
WEB_SERVER: tuple[tuple[str, str, object], ...] = (
    *(("package", name, True) for name in ("nginx", "openssh-server", "python3", "sudo")),
    *(("process", name, True) for name in ("nginx", "sshd")),
    *(("port", port, True) for port in ("22", "80", "443")),
    *(("file", path, ["root", "0644"]) for path in ("/etc/group", "/etc/nginx/nginx.conf", "/etc/passwd", "/etc/ssh/sshd_config")),
    ("file", "/etc/shadow", ["root", "0640"]),
    ("file", "/etc/sudoers", ["root", "0440"]),
    *(("line", f"/etc/ssh/sshd_config:{line}", True) for line in ("Include /etc/ssh/sshd_config.d/*.conf", "UsePAM yes")),
    *(("line", f"/etc/nginx/nginx.conf:{line}", True) for line in ("include /etc/nginx/modules-enabled/*.conf;", "worker_processes auto;", "user www-data;")),
)


@functools.cache
def _packages() -> frozenset[str]:
    with open("/var/lib/dpkg/status", encoding="utf-8") as status:
        stanzas = status.read().split("\n\n")
    return frozenset(stanza.partition("\n")[0].removeprefix("Package: ") for stanza in stanzas if "\nStatus: install ok installed\n" in stanza)


@functools.cache
def _processes() -> frozenset[str]:
    names = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                names.add(comm.read().rstrip("\n"))
        except FileNotFoundError:  # it ended while we looked
            continue
    return frozenset(names)


@functools.cache
def _ports() -> frozenset[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as sockets:
            found |= {str(int(line.split()[1].rpartition(":")[2], 16)) for line in list(sockets)[1:] if line.split()[3] == "0A"}
    return frozenset(found)


def _file(path: str) -> list[str]:
    seen = os.stat(path)
    return [pwd.getpwuid(seen.st_uid).pw_name, f"{seen.st_mode & 0o7777:04o}"]


def _line(place: str) -> bool:
    path, _colon, wanted = place.partition(":")
    with open(path, encoding="utf-8") as handle:
        return wanted in handle.read().splitlines()


def look(kind: str, subject: str) -> object:
    """Return what is there."""
    sets = {"package": _packages, "process": _processes, "port": _ports}
    if kind in sets:
        return subject in sets[kind]()
    return _file(subject) if kind == "file" else _line(subject)
