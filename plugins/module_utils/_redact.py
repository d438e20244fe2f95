# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking secrets out of whatever is about to be written or sent. Used on the host and, because a host is not trusted, again on the control node."""

from __future__ import annotations

import re
import typing as t

MARK = "‹redacted›"

#: Shapes that are secrets wherever they stand, whether or not we were told of them.
_SHAPES = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"  # JSON web tokens (RFC 7519)
    r"|\b(?:sk|rk|whsec|pk)_(?:live|test)?_?[A-Za-z0-9]{16,}"  # Stripe
    r"|\b(?:hvs|hvb|s)\.[A-Za-z0-9_-]{20,}"  # OpenBao and Vault tokens
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"  # GitHub
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL (RFC 3986, 3.2.1)
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|(?i:(?<=authorization: )\S+ \S+|(?<=bearer )[\w.~+/-]{12,}=*)"
)

#: Shorter values stand in too many innocent words; a secret store never makes any this short.
SHORTEST = 4


def scrub(value: t.Any, secrets: t.Iterable[str] = ()) -> t.Any:
    """Return *value* (plain JSON) with every one of *secrets*, and everything shaped like one, replaced by :data:`MARK`."""
    known = sorted({s for s in secrets if len(s) >= SHORTEST}, key=len, reverse=True)
    return _scrub(value, known)


def _scrub(value: t.Any, known: list[str]) -> t.Any:
    if isinstance(value, str):
        for secret in known:
            value = value.replace(secret, MARK)
        return _SHAPES.sub(MARK, value)
    if isinstance(value, t.Mapping):
        return {_scrub(str(key), known): _scrub(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrub(item, known) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and str(value) in known:
        return MARK
    return value
