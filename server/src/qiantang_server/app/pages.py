"""Pages: the portal, which is a house of its own, found by its entry point and never imported."""

from __future__ import annotations

from importlib import metadata
from typing import cast

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from qiantang.kernel import errors

GROUP = "qiantang.pages"
API = "/api"


def find(base_path: str) -> ASGIApp | None:
    """Give what serves the installed pages below a base path; None where none are installed, and the API stands alone.

    Raises:
        MisconfiguredError: two distributions bring pages, or the one there is cannot be loaded.
    """
    found = list(metadata.entry_points(group=GROUP))
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(sorted(one.value for one in found))
        raise errors.MisconfiguredError(f"more than one distribution brings pages ({names}): uninstall all but one")
    try:
        make = found[0].load()
    except ImportError as error:
        raise errors.MisconfiguredError(f"the pages in {found[0].value} cannot be loaded: {error}") from error
    return cast("ASGIApp", make(base_path=base_path))


def over(application: Litestar, pages: ASGIApp | None) -> ASGIApp:
    """Have the pages answer who asks for what is neither the API's nor below a route of the application."""
    if pages is None:
        return application
    own = {API, *(route.path.partition("{")[0].rstrip("/") for route in application.routes)} - {""}

    async def shown(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        asked = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and path.startswith("/")
        ours = not asked or any(path == one or path.startswith(f"{one}/") for one in own)
        await (application if ours else pages)(scope, receive, send)

    return shown
