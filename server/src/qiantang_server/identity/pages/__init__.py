"""Pages: signing in, signing out and the first start, written by the server so that they work without a script."""

from __future__ import annotations

from typing import Any

from litestar import Response, Router, get
from litestar.di import Provide

from qiantang_server.identity.pages import first, login
from qiantang_server.identity.pages.forms import HttpRequest
from qiantang_server.identity.pages.sheet import STYLE, STYLE_HASH, STYLE_PATH, YEAR
from qiantang_server.identity.pages.site import Site as Site


@get(STYLE_PATH, opt={"public": "a style sheet holds no data"}, include_in_schema=False)
async def style(request: HttpRequest) -> Response[bytes]:
    """Give the pages' style sheet; by its hash it is kept for a year, otherwise asked for each time."""
    whole = request.query_params.get("v") == STYLE_HASH
    headers = {
        "Cache-Control": f"public, max-age={YEAR}, immutable" if whole else "no-cache",
        "ETag": f'"{STYLE_HASH}"',
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == f'"{STYLE_HASH}"':
        return Response(b"", status_code=304, headers=headers)
    return Response(STYLE, media_type="text/css; charset=utf-8", headers=headers)


def router(site: Site) -> Router:
    """Make the pages' routes."""
    handlers: list[Any] = [*login.ROUTES, *first.ROUTES, style]
    return Router(path="/", route_handlers=handlers, dependencies={"site": Provide(lambda: site, sync_to_thread=False)})
