"""Serve: a bound socket, uvicorn on it, and an orderly stop when a signal asks for one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from qiantang.kernel import errors, tls
from qiantang_server.app.connection import BoundedConnection
from qiantang_server.kernel.web import WebSettings

log = logging.getLogger(__name__)
PORTS_TRIED = 50
BACKLOG = 4096


def bind(settings: WebSettings) -> socket.socket:
    """Bind the port, or the next free one above it.

    Raises:
        MisconfiguredError: none of the next ports is free, the address is not of this machine, or it is open to others
            without TLS.
    """
    require_safe(settings)
    reason: OSError | None = None
    for port in range(settings.port, min(settings.port + PORTS_TRIED, 65536)) if settings.port else (0,):
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            reason = error
        else:
            if settings.port and port != settings.port:
                log.warning(
                    "the port is taken, so the next free one is used", extra={"wanted": settings.port, "used": port}
                )
            listener.setblocking(False)
            return listener
    raise errors.MisconfiguredError(
        f"cannot listen on {settings.host}, port {settings.port} or the {PORTS_TRIED} above it: {reason}"
    )


def require_safe(settings: WebSettings) -> None:
    """Pass where what is said on the socket cannot be read by others, or the operator took that on himself.

    Raises:
        MisconfiguredError: it listens beyond this machine without TLS, or a TLS file is missing.
    """
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise errors.MisconfiguredError("web.tls_certificate and web.tls_key belong together: one of them is not set")
    for name, path in (("tls_certificate", settings.tls_certificate), ("tls_key", settings.tls_key)):
        if path and not Path(path).is_file():
            raise errors.MisconfiguredError(f"web.{name}: there is no file {path}")
    if not (tls.is_loopback(settings.host) or settings.tls_certificate or settings.insecure):
        raise errors.MisconfiguredError(
            f"web.host is {settings.host}, which others can reach, and there is no TLS: set web.tls_certificate and "
            "web.tls_key, or web.insecure=true if a proxy in front of it has TLS"
        )


def raise_file_limit() -> None:
    """Let the process open as many files as the machine allows it: each stream is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Listener(uvicorn.Server):
    """uvicorn, told when to stop by the process rather than by signals of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def given_up_in_order(application: ASGIApp) -> ASGIApp:
    """Have a request that is still under way when the time to stop is over answered with 503, not torn with a trace."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await application(scope, receive, noted)
        except asyncio.CancelledError:
            log.info("a request was given up, since the server stops", extra={"path": scope["path"]})
            if not started:
                headers = [(b"retry-after", b"1"), (b"content-length", b"0")]
                await send({"type": "http.response.start", "status": 503, "headers": headers})
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


def below(base_path: str, application: ASGIApp) -> ASGIApp:
    """Have an application answer below a path too, as it does at the root: a proxy may pass the path on or take it away."""
    if not base_path:
        return application

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == base_path or path.startswith(f"{base_path}/"):
            rest = path[len(base_path) :] or "/"
            scope = {**scope, "path": rest, "raw_path": rest.encode()}  # type: ignore[assignment]  # the same keys
        await application(scope, receive, send)

    return stripped


def listener_for(application: ASGIApp, settings: WebSettings) -> Listener:
    """Make the HTTP server for an application."""
    config = uvicorn.Config(
        given_up_in_order(below(settings.base_path, application)),
        loop="none",
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "127.0.0.1",
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(settings.close_within.total_seconds()) - 2),
        h11_max_incomplete_event_size=1 << 16,
    )
    return Listener(config)


class StopSignal:
    """SIGINT and SIGTERM: the first asks for an orderly stop, the second for a stop at once."""

    def __init__(self, on_force: Callable[[], None]) -> None:
        self.asked = asyncio.Event()
        self._on_force = on_force

    def __enter__(self) -> StopSignal:
        """Listen for the signals."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the signals to whoever had them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def _received(self) -> None:
        if self.asked.is_set():
            self._on_force()
        self.asked.set()
