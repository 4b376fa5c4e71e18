"""Application: the routes of all rooms behind one gate, one error renderer and one OpenAPI document."""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from qiantang_server.kernel.access import Authenticator, Principal
from qiantang_server.kernel.audit import Denials
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources.finding import Finder
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.web import finding, gate, health, problems, resources, stream, watch
from qiantang_server.kernel.web.health import Figures, Health
from qiantang_server.kernel.web.settings import WebSettings
from qiantang_server.kernel.web.tuples import TupleSchemas

OPENAPI_PATH = "/api/v1/openapi"


class WithProblems(JsonRenderPlugin):
    """The OpenAPI document, each operation with the problems that any request can meet."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Write the document; made at the first request, so that starting does not pay for it."""
        return super().render(request, problems.documented(openapi_schema))


def provide_principal(request: Request[Principal, Any, Any]) -> Principal:
    """Give who asks."""
    return request.user


class Timing:
    """ASGI middleware that counts and times requests by route, never by path: paths hold names."""

    def __init__(self, app: ASGIApp, *, figures: Figures) -> None:
        self.app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = str(scope.get("path_template", ""))
                status = str(message["status"])
                self._figures.requests.labels(str(scope.get("method", "")), route, status).inc()
                self._figures.seconds.labels(route).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, counted)


def build(
    settings: WebSettings,
    *,
    life: Resources,
    watching: Watch,
    authenticator: Authenticator,
    denials: Denials,
    permissions: Mapping[str, str],
    routes: Sequence[Any],
    process_health: Health,
    figures: Figures,
    finders: Sequence[Finder] = (),
) -> Litestar:
    """Build the HTTP application.

    Raises:
        MisconfiguredError: a route does not say which permission it needs.
    """

    async def record_refusal(error: Exception, scope: Scope) -> None:
        # what the gate refuses it records itself; this is for places that stand in a body
        if "user" in scope:
            await denials.refused(scope["user"], error)

    application = Litestar(
        route_handlers=[
            health.router(process_health, figures),
            watch.router(),
            stream.router(),
            *resources.routers(life.parts.kinds),
            *finding.ROUTES,
            *routes,
        ],
        dependencies={
            "principal": Provide(provide_principal, sync_to_thread=False),
            "resources": Provide(lambda: life, sync_to_thread=False),
            "watch": Provide(lambda: watching, sync_to_thread=False),
            "finders": Provide(lambda: finders, sync_to_thread=False),
        },
        middleware=[
            DefineMiddleware(Timing, figures=figures),
            DefineMiddleware(
                gate.Gate,
                authenticator=authenticator,
                denials=denials,
                secure=settings.over_tls,
                max_body=settings.max_body,
            ),
        ],
        exception_handlers=problems.HANDLERS,
        plugins=[TupleSchemas()],
        after_exception=[record_refusal],
        openapi_config=OpenAPIConfig(
            title="qiantang",
            version="1",
            openapi_router=Router(
                path=OPENAPI_PATH,
                route_handlers=[],
                opt={"public": "says what can be called; holds no data"},
                include_in_schema=False,
            ),
            render_plugins=[WithProblems()],
            use_handler_docstrings=True,
        ),
        request_max_body_size=settings.max_body,
        state=State({"watch": watching, "authenticator": authenticator}),
        debug=False,
        logging_config=None,
    )
    gate.require_declared(_own(application), permissions)
    return application


def _own(application: Litestar) -> Iterable[BaseRouteHandler]:
    for route in application.routes:
        for handler in getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]:
            if (
                handler is not None
                and not route.path.startswith(OPENAPI_PATH)
                and handler.fn.__module__.startswith("qiantang")
            ):
                yield handler
