"""Start: from settings to a serving process, and what it says to the person who started it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
import webbrowser
from dataclasses import dataclass
from importlib import metadata
from typing import Any
from urllib.parse import urlencode

import uvloop

from qiantang.kernel import errors, observe, settings
from qiantang_server.app import memory, process, serve
from qiantang_server.app.demo.messages import Broker
from qiantang_server.app.demo.seed import Demo
from qiantang_server.app.process import ControlPlane, Running
from qiantang_server.app.settings import ServerSettings
from qiantang_server.kernel.web import WebSettings

log = logging.getLogger(__name__)
MISCONFIGURED = 2
FAILED = 1
VERSION = metadata.version("qiantang-server")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True, slots=True)
class Start:
    """How the process is to be started."""

    loaded: settings.Loaded
    friendly: bool
    demo: bool = False
    broker: Broker | None = None
    as_json: bool = False
    open_browser: bool = False


def run(start: Start) -> int:
    """Run until stopped; give the exit code. Settings that cannot work are told in one message, without a trace."""
    began = time.perf_counter()
    plane = ControlPlane(start.loaded.sections, start.loaded)
    own = plane.section("server", ServerSettings)
    level = LEVELS[own.log_level]
    observe.log_to(sys.stderr, style="json" if own.log_format == "json" else "human", level=level)
    for noisy in ("uvicorn.error", "alembic", "kazoo"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, level))
    try:
        uvloop.run(_serve(start, plane, began))
    except errors.MisconfiguredError as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201
        return MISCONFIGURED
    except errors.QiantangError as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201
        return FAILED
    return 0


async def _serve(start: Start, plane: ControlPlane, began: float) -> None:
    web = plane.section("web", WebSettings)
    serve.raise_file_limit()
    listener = serve.bind(web)
    address = process.address_of(listener, web)
    async with plane.open(address) as running, memory.tended():
        demo = await Demo.start(running, start.broker) if start.demo else None
        try:
            await _announce(start, running, demo, time.perf_counter() - began)
            await process.serve_until_stopped(running, listener, web)
        finally:
            if demo is not None:
                await demo.stop()
    log.info("stopped")


async def _announce(start: Start, running: Running, demo: Demo | None, took: float) -> None:
    token = await process.identity_of(running).first_start_token()
    link = link_to(running, token)
    if start.as_json:
        print(json.dumps(_described(running, token, link, took)), flush=True)  # noqa: T201
    else:
        log.info("serving", extra={"address": running.address, "database": running.kernel.database.address})
        if start.friendly:
            print("\n".join(_told(running, token, link, demo, took)), flush=True)  # noqa: T201
        elif token:
            log.warning(
                "nobody can sign in yet: run `qiantang login --first TOKEN`; start with `qiantang up` to be shown one"
            )
    if start.open_browser:
        await asyncio.to_thread(_open, link)


def link_to(running: Running, token: str | None) -> str:
    """Give the address to open: the first start's page while there is no account, else the first page of all."""
    web = running.kernel.settings["web"]
    below = running.address + (web.base_path if isinstance(web, WebSettings) else "")
    return f"{below}/first?{urlencode({'token': token})}" if token else f"{below}/"


def _open(link: str) -> None:
    """Show a link in this person's browser; without one he opens it himself."""
    try:
        opened = webbrowser.open(link)
    except webbrowser.Error:
        opened = False
    if not opened:
        log.warning("no browser could be opened: open the link that was printed")


def _described(running: Running, token: str | None, link: str, took: float) -> dict[str, Any]:
    return {
        "version": VERSION,
        "address": running.address,
        "node": running.kernel.node,
        "folder": str(running.kernel.folder),
        "database": running.kernel.database.address,
        "first_start_token": token,
        "link": link,
        "seconds": round(took, 3),
    }


def _told(running: Running, token: str | None, link: str, demo: Demo | None, took: float) -> list[str]:
    lines = [f"qiantang {VERSION} is up in {took:.1f} s at {running.address}", f"  open      {link}"]
    if token:
        lines.append(f"  first     qiantang login {running.address} --first {token}")
        lines.append("            makes you the administrator; the token works once, within 10 minutes")
    else:
        lines.append(f"  sign in   qiantang login {running.address}")
    lines += [f"  data      {running.kernel.folder}", f"  database  {running.kernel.database.address}"]
    lines.append(f"  health    {running.address}/readyz    api  {running.address}/api/v1/openapi/openapi.json")
    if demo is not None:
        lines.append(f"  demo      {demo.described}")
    lines.append("  stop      Ctrl-C")
    return lines
