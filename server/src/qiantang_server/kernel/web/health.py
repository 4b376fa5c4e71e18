"""Health: whether the process lives, whether it can serve, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency, Provide
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    platform_collector,
    process_collector,
)

from qiantang.kernel import errors, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import Ground
from qiantang_server.kernel.resources.service.ground import Published
from qiantang_server.kernel.watch import Watch

log = logging.getLogger(__name__)
CHECK_WITHIN = 2.0


class Readiness(wire.Wire, frozen=True):
    """Whether the server can serve, part by part: "ok", or that it is not. Not every part is needed for serving."""

    ready: bool
    parts: dict[str, str]


class Live(wire.Wire, frozen=True):
    """The process answers."""

    alive: bool = True
    version: str = ""
    node: str = ""
    up_seconds: float = 0.0


@dataclass(slots=True)
class Health:
    """Checks of the parts. `opened` turns true once every room is open, false when closing begins.

    `checks` are of what serving needs; `spared` of what the server goes on without, only slower: a balancer that took away
    every server because a part failed that all of them share would make of a nuisance an outage.
    """

    version: str
    node: str
    checks: Mapping[str, Callable[[], Awaitable[None]]]
    spared: Mapping[str, Callable[[], Awaitable[None]]] = field(
        default_factory=dict[str, Callable[[], Awaitable[None]]]
    )
    opened: bool = False
    started: float = field(default_factory=time.monotonic)
    _said: dict[str, str] = field(default_factory=dict[str, str])

    async def readiness(self) -> Readiness:
        """Ask every part, each within two seconds."""
        asked = {**self.checks, **self.spared}
        found = await asyncio.gather(*(self._ask(name, check) for name, check in asked.items()))
        parts = dict(zip(asked, found, strict=True))
        parts["process"] = "ok" if self.opened else "opening or closing"
        ready = all(state == "ok" for name, state in parts.items() if name not in self.spared)
        return Readiness(ready=ready, parts=parts)

    async def _ask(self, name: str, check: Callable[[], Awaitable[None]]) -> str:
        """Ask a part. What is wrong with it names addresses, so it goes to the log, once per change; anybody may ask here."""
        state = "ok"
        try:
            async with asyncio.timeout(CHECK_WITHIN):
                await check()
        except errors.QiantangError as error:
            state = error.detail
        except TimeoutError:
            state = f"no answer within {CHECK_WITHIN:g} s"
        if state != self._said.get(name, "ok"):
            level = logging.INFO if state == "ok" else logging.WARNING
            log.log(
                level,
                "a part is back" if state == "ok" else "a part is not ready",
                extra={"part": name, "reason": state},
            )
        self._said[name] = state
        return "ok" if state == "ok" else "not ready; this server's log says why"


def database_check(database: storage.Database) -> Callable[[], Awaitable[None]]:
    """Give the check that the database answers."""

    async def check() -> None:
        async with database.reading() as session:
            await session.scalar(sa.select(sa.literal(1)))

    return check


class Figures:
    """The server's Prometheus metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        platform_collector.PlatformCollector(registry=self.registry)
        process_collector.ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "qiantang_http_requests", "HTTP requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "qiantang_http_request_seconds", "time to answer an HTTP request", ["route"], registry=self.registry
        )
        self.streams = Gauge("qiantang_watch_streams", "open streams of notices", registry=self.registry)
        self.instances = Gauge("qiantang_watch_instances", "instances connected to this server", registry=self.registry)
        self.browsers = Gauge("qiantang_browser_streams", "browsers kept informed by a stream", registry=self.registry)
        self.releases = Counter(
            "qiantang_releases", "releases made by this server", ["capability"], registry=self.registry
        )

    def follow(self, watch: Watch, parts: Ground) -> None:
        """Read the streams and instances whenever asked, and count each release once it is durable."""
        self.streams.set_function(lambda: len(watch.hub))
        self.instances.set_function(lambda: len(watch.instances))
        self.browsers.set_function(lambda: len(watch.topics))
        published = parts.published

        def counted(one: Published) -> None:
            self.releases.labels(one.bundle.capability).inc()
            published(one)

        parts.published = counted


@get("/healthz", opt={"public": "a probe asks before anybody can sign in"})
async def healthz(health: NamedDependency[Health]) -> Live:
    """Say that the process answers."""
    return Live(version=health.version, node=health.node, up_seconds=round(time.monotonic() - health.started, 3))


@get("/readyz", opt={"public": "a probe asks before anybody can sign in"})
async def readyz(health: NamedDependency[Health]) -> Response[Readiness]:
    """Say whether the server can serve; 503 while it cannot."""
    readiness = await health.readiness()
    return Response(readiness, status_code=200 if readiness.ready else 503)


@get("/", opt={"public": "says what this is to somebody who opens it in a browser"}, media_type=MediaType.TEXT)
async def welcome(health: NamedDependency[Health]) -> str:
    """Say what this is and where to go on."""
    return (
        f"qiantang {health.version}, server {health.node}\n\n"
        "  qiantang login ADDRESS          sign in from the command line\n"
        "  /api/v1/openapi/openapi.json    what can be called\n"
        "  /readyz                         whether it can serve, part by part\n"
        "  /metrics                        its figures for Prometheus\n"
    )


@get("/metrics", opt={"public": "figures without names of tenants or applications"}, media_type=MediaType.TEXT)
async def metrics(figures: NamedDependency[Figures]) -> Response[bytes]:
    """Give the server's figures in Prometheus' text format."""
    return Response(generate_latest(figures.registry), media_type="text/plain; version=0.0.4; charset=utf-8")


def router(health: Health, figures: Figures) -> Router:
    """Make the probes."""
    return Router(
        path="/",
        route_handlers=[welcome, healthz, readyz, metrics],
        dependencies={
            "health": Provide(lambda: health, sync_to_thread=False),
            "figures": Provide(lambda: figures, sync_to_thread=False),
        },
        tags=["process"],
    )
