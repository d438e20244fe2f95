# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of both APIs lives here, made from the routes themselves: what is not routed is not described, and the reverse."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from starlette.routing import Route

from comanda import panel_routes, sessions, settings

PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


# Who has to say who they are, and how; webhooks have their providers' signatures instead.
BY_TOKEN = frozenset({"me", "take_order", "count", "forget"})
SCHEMES = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}, "session": {"type": "apiKey", "in": "cookie", "name": sessions.COOKIE}}


def _operation(route: Route, server: str, scheme: str | None) -> dict[str, Any]:
    names = PARAMETER.findall(route.path)
    return {
        "summary": (inspect.getdoc(route.endpoint) or route.name.replace("_", " ")).splitlines()[0],
        "operationId": f"{route.endpoint.__module__.rpartition('.')[2]}_{route.name}",
        "servers": [{"url": server}],
        "security": [{scheme: []}] if scheme else [],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {"2XX": {"description": "done"}, "4XX": {"description": "refused, and why"}},
    }


def document(version: str | None, own: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1; paths of the panel name their own server."""
    paths: dict[str, dict[str, Any]] = {}
    api, admin = settings.value("COMANDA_API_ORIGIN"), settings.value("COMANDA_ADMIN_ORIGIN")
    for server, routes in ((api, own), (admin, panel_routes.ROUTES)):
        for route in routes:
            scheme = "session" if server == admin else "token" if route.name in BY_TOKEN else None
            place = paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})
            place |= {method.lower(): _operation(route, server, scheme) for method in sorted(route.methods or ()) if method != "HEAD"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "comanda", "version": version or "0"},
        "paths": dict(sorted(paths.items())),
        "components": {"securitySchemes": SCHEMES},
    }
