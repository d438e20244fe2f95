# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus says: its rules, its series. Checks that ask whether somebody would be told come in."""

from __future__ import annotations

import re
import urllib.parse

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json
from ansible_collections.resto.golive.plugins.module_utils._http import Client

#: Words of PromQL that are no metrics (prometheus.io, "Operators", "Querying basics").
_WORDS = frozenset(["and", "or", "unless", "bool", "offset", "inf", "nan"])


class Prometheus:
    """One server. Every method raises :class:`CannotKnow` for each way to be refused."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._client = Client()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, path: str, **parameters: str) -> Json:
        """Return ``data`` of an answer of the HTTP API (prometheus.io, "HTTP API")."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        answer = self._client.send("GET", url, headers=self._headers)
        body = answer.json()
        if answer.status in (401, 403):
            raise CannotKnow("postgres_alerts.prometheus_login", url=self._url, status_code=answer.status)
        if answer.status != 200 or not isinstance(body, dict) or body.get("status") != "success":
            message = body.get("error") if isinstance(body, dict) else answer.text[:80]
            raise CannotKnow("postgres_alerts.prometheus_odd", url=self._url, status_code=answer.status, message=str(message or "")[:200])
        return body["data"]

    def alerts(self) -> list[dict[str, Json]]:
        """Return the alerting rules, each with ``name, expr, for_s, severity, health, error``."""
        return [
            {
                "name": rule["name"],
                "expr": rule["query"],
                "for_s": rule.get("duration", 0),
                "severity": (rule.get("labels") or {}).get("severity", ""),
                "health": rule.get("health", ""),
                "error": str(rule.get("lastError") or "")[:200],
            }
            for group in self.ask("rules", type="alert")["groups"]
            for rule in group["rules"]
            if rule.get("type") == "alerting"
        ]

    def now(self, query: str) -> list[dict[str, Json]]:
        """Return the series of *query* at this moment, each with ``labels`` and ``value``."""
        return [{"labels": one["metric"], "value": float(one["value"][1])} for one in self.ask("query", query=query)["result"]]

    def over(self, query: str, start: float, end: float, step_s: int) -> list[dict[str, Json]]:
        """Return the series of *query* over time, each with ``labels`` and ``points`` [(seconds, value)]."""
        found = self.ask("query_range", query=query, start=str(start), end=str(end), step=str(step_s))["result"]
        return [{"labels": one["metric"], "points": [(float(at), float(value)) for at, value in one["values"]]} for one in found]


def metrics_in(expression: str) -> list[str]:
    """Return the metrics that a PromQL expression reads, as far as its words tell: no functions, no label names, no strings, no durations."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return sorted({name for name in names if name.lower() not in _WORDS})
