# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public website lives here (www., port 8002): menu and hours of a restaurant, from the API, and how to reach support.

While the API cannot answer, the last menu seen is shown, and says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from comanda import logs, settings, web

PORT = 8002
DAYS = ("Lunes", "Martes", "Miércoles", "Jueves", "Viernes", "Sábado", "Domingo")
TEMPLATES = Path(__file__).parent / "templates"
# Pages without data of their own: a file there is a page of that name.
PAGES = frozenset(page.stem for page in (TEMPLATES / "pages").glob("*.html"))

templates = Jinja2Templates(TEMPLATES)
templates.env.filters["money"] = lambda minor: f"{minor // 100:,}.{minor % 100:02d}"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.menus = {}
    async with httpx.AsyncClient(base_url=settings.value("COMANDA_API"), timeout=3.0) as client:
        app.state.client = client
        # So that there is a last menu to show, whatever happens before the first guest comes.
        with suppress(HTTPException):
            await _menu(app, settings.value("COMANDA_RESTAURANT"))
        yield


async def _menu(app: Starlette, slug: str) -> tuple[dict[str, Any], bool]:
    """The menu, and whether it is fresh; 404 if there is no such restaurant, 503 if we never saw its menu."""
    ids = {"X-Request-ID": logs.request_id.get(), "traceparent": f"00-{logs.trace_id.get()}-{'1'.zfill(16)}-01"}
    try:
        answer = await app.state.client.get(f"/v1/restaurants/{slug}/menu", headers=ids)
        if answer.status_code == 404:
            raise HTTPException(404, "no such restaurant")
        answer.raise_for_status()
        app.state.menus[slug] = answer.json()
        return app.state.menus[slug], True
    except httpx.HTTPError as error:
        logs.log.warning("API does not answer", extra={"fields": {"error": type(error).__name__}})
    if slug not in app.state.menus:
        raise HTTPException(503, "the menu cannot be shown now")
    return app.state.menus[slug], False


async def home(request: Request) -> Response:
    """A restaurant's card; without a name, the one this site is for."""
    slug = request.path_params.get("slug") or settings.value("COMANDA_RESTAURANT")
    menu, fresh = await _menu(request.app, slug)
    logs.tenant.set(slug)
    return templates.TemplateResponse(request, "menu.html", {"menu": menu, "fresh": fresh, "days": DAYS, "pages": sorted(PAGES)})


async def page(request: Request) -> Response:
    """A page without data of its own."""
    return templates.TemplateResponse(request, f"pages{request.url.path}.html", {"pages": sorted(PAGES)})


async def refused(request: Request, error: Any) -> Response:
    """What a guest reads when there is nothing to show."""
    context = {"status": error.status_code, "request_id": logs.request_id.get(), "pages": sorted(PAGES)}
    return templates.TemplateResponse(request, "refused.html", context, status_code=error.status_code)


def app() -> Starlette:
    """The website as an application."""
    pages = [Route(f"/{name}", page) for name in sorted(PAGES)]
    made = web.application([Route("/", home), Route("/r/{slug}", home), *pages], lifespan)
    made.add_exception_handler(HTTPException, refused)
    return made
