"""Start: from settings to a serving process, and what it says to the person who started it."""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from dataclasses import dataclass
from importlib import metadata

import uvloop

from qiantang.kernel import errors, observe, settings
from qiantang_server.app import process, serve
from qiantang_server.app.demo.seed import Demo
from qiantang_server.app.process import ControlPlane, Running
from qiantang_server.app.settings import ServerSettings
from qiantang_server.kernel.web import WebSettings

log = logging.getLogger(__name__)
MISCONFIGURED = 2
FAILED = 1
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True, slots=True)
class Start:
    """How the process is to be started."""

    loaded: settings.Loaded
    friendly: bool
    demo: bool = False
    as_json: bool = False


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
    async with plane.open(address) as running:
        gc.freeze()
        demo = await Demo.start(running) if start.demo else None
        try:
            await _announce(start, running, demo, time.perf_counter() - began)
            await process.serve_until_stopped(running, listener, web)
        finally:
            if demo is not None:
                await demo.stop()
    log.info("stopped")


async def _announce(start: Start, running: Running, demo: Demo | None, took: float) -> None:
    token = await process.identity_of(running).first_start_token()
    version = metadata.version("qiantang-server")
    if start.as_json:
        said = {
            "version": version,
            "address": running.address,
            "node": running.kernel.node,
            "folder": str(running.kernel.folder),
            "database": running.kernel.database.address,
            "first_start_token": token,
            "seconds": round(took, 3),
        }
        print(json.dumps(said), flush=True)  # noqa: T201
        return
    log.info("serving", extra={"address": running.address, "database": running.kernel.database.address})
    if not start.friendly:
        if token:
            log.warning(
                "nobody can sign in yet: run `qiantang login --first TOKEN`; start with `qiantang up` to be shown one"
            )
        return
    lines = [f"qiantang {version} is up in {took:.1f} s at {running.address}"]
    lines += [f"  data      {running.kernel.folder}", f"  database  {running.kernel.database.address}"]
    if token:
        lines.append(f"  first     qiantang login {running.address} --first {token}")
        lines.append("            makes you the administrator; the token works once, within 10 minutes")
    else:
        lines.append(f"  sign in   qiantang login {running.address}")
    lines.append(f"  health    {running.address}/readyz    api  {running.address}/api/v1/openapi/openapi.json")
    if demo is not None:
        lines.append(f"  demo      {demo.described}")
    lines.append("  stop      Ctrl-C")
    print("\n".join(lines), flush=True)  # noqa: T201
