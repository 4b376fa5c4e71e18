"""Routes of the control plane with what each says that it needs, read from the program and never from its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from litestar import Litestar
from litestar.di import Provide

from qiantang_server.app import platform, process
from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.catalog import api as catalog_api
from qiantang_server.config import api as config_api
from qiantang_server.identity import api as identity_api
from qiantang_server.kernel.resources import Kinds
from qiantang_server.kernel.web import finding, health, resources, stream, watch
from qiantang_server.kernel.web.gate import PLACES, needed_permission
from qiantang_server.messaging import api as messaging_api
from qiantang_server.registry import api as registry_api
from qiantang_server.rpc import api as rpc_api

ANY = "*"
KINDS = Kinds(kind for room in CAPABILITIES for kind in room.kinds)
DECLARED: Mapping[str, str] = process.declared_permissions(KINDS)

Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Route:
    """One method of one path, and what its `opt` says."""

    method: str
    path: str
    opt: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def permission(self) -> str:
        """What it needs; empty where being known, or nothing at all, is enough."""
        return needed_permission(dict(self.opt)) or ""

    @property
    def public(self) -> bool:
        return bool(self.opt.get("public"))

    def place(self, names: Mapping[str, str]) -> Place:
        """Give the place that it is about when its path is filled with these names."""
        found = [names[part] if f"{{{part}}}" in self.path else ANY for part in PLACES]
        return (found[0], found[1], found[2], found[3])

    def filled(self, names: Mapping[str, str]) -> str:
        """Give its path with these names in it."""
        return self.path.format(**names)


def _stand_in() -> Callable[[], None]:
    """Stand for a service: only the shapes of routes are looked at."""
    return lambda: None


def routes() -> list[Route]:
    """Give every route of every room; of the probes and the streams, too."""
    nothing: Any = None
    routers: list[Any] = [
        health.router(nothing, nothing),
        watch.router(),
        stream.router(),
        *finding.ROUTES,
        *resources.routers(KINDS),
        *identity_api.routers(nothing),
        config_api.router(nothing),
        *registry_api.routers(nothing),
        messaging_api.router(nothing),
        rpc_api.router(nothing),
        catalog_api.router(nothing, nothing),
        platform.router(nothing),
    ]
    known = {
        name: Provide(_stand_in(), sync_to_thread=False) for name in ("principal", "resources", "watch", "finders")
    }
    application = Litestar(route_handlers=routers, dependencies=known, openapi_config=None, logging_config=None)
    found: list[Route] = []
    for route in application.routes:
        handlers = getattr(route, "route_handlers", None) or [cast("Any", route).route_handler]
        for handler in handlers:
            if not handler.fn.__module__.startswith("qiantang"):
                continue
            methods = getattr(handler, "http_methods", {handler.opt.get("method", "POST")})
            found += [Route(method, route.path_format, handler.opt) for method in sorted(methods - {"HEAD", "OPTIONS"})]
    return sorted(found, key=str)
