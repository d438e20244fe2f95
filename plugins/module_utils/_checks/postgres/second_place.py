# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a repository is on another machine: its host's name and addresses, against this one's. Checks about backups come in.

What is seen: :func:`look`. What it means: :func:`where`, which is pure. A public address that a router leads back to this host is not told apart.
"""

from __future__ import annotations

import ipaddress
import pathlib
import re
import socket
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Json

#: restic's kinds of repository (its manual, "Preparing a new repository"): those whose host stands in their name, and those that are a provider's.
HOSTED = ("sftp", "rest", "s3")
PROVIDERS = ("azure", "b2", "gs", "swift")

#: Names of this very host, wherever they are asked (RFC 6761; Debian's /etc/hosts).
LOOPBACK = ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")

#: ``[//][http[s]://][USER[:PASSWORD]@]HOST[:…]``, after the kind.
_HOST = re.compile(r"(?://)?(?:https?://)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)")

#: Where Linux tells its own addresses.
_ROUTES, _SIX = pathlib.Path("/proc/net/fib_trie"), pathlib.Path("/proc/net/if_inet6")


def kind_of(repository: str) -> str:
    """Return restic's kind of *repository*: ``local`` for a folder of this host."""
    return "local" if repository.startswith("/") or ":" not in repository else repository.partition(":")[0]


def host_of(repository: str) -> str:
    """Return the host of a repository of a kind in :data:`HOSTED`, else an empty text."""
    if kind_of(repository) not in HOSTED:
        return ""
    found = _HOST.match(repository.partition(":")[2])
    return found[1].strip("[]").lower().rstrip(".") if found else ""


def look(host: str) -> dict[str, Json]:
    """Return this machine's ``{names, own}``, and the ``addresses`` that *host* has as seen from here; none where nobody knows that name."""
    return {"names": [socket.gethostname().lower()], "own": own_addresses(), "addresses": _resolved(host)}


def _resolved(host: str) -> list[str]:
    try:
        return sorted({str(one[4][0]).partition("%")[0] for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}) if host else []
    except (OSError, UnicodeError):
        return []


def own_addresses() -> list[str]:
    four = re.findall(r"(\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", _ROUTES.read_text(encoding="ascii"))
    six = [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in _SIX.read_text(encoding="ascii").splitlines()] if _SIX.exists() else []
    return sorted({*four, *six})


def where(repository: str, seen: t.Mapping[str, Json]) -> str:
    """Return ``here``, ``away``, or ``unseen`` where neither is proven; *seen* is what :func:`look` saw."""
    kind, host = kind_of(repository), host_of(repository)
    if kind in PROVIDERS:
        return "away"
    if kind == "local" or (kind in HOSTED and host in (*LOOPBACK, *seen["names"])):
        return "here"
    if any(_here(one) or one in seen["own"] for one in seen["addresses"]):
        return "here"
    return "away" if kind in HOSTED and seen["addresses"] else "unseen"


def _here(address: str) -> bool:
    """Loopback, or the address that means any of one's own."""
    found = ipaddress.ip_address(address)
    plain = getattr(found, "ipv4_mapped", None) or found
    return plain.is_loopback or plain.is_unspecified
