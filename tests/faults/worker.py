"""Worker: an application as a worker server runs it: made at import, before any fork; it answers with what it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

import qiantang


class Settings(msgspec.Struct):
    """What it binds."""

    number: int = -1


app = qiantang.sync.App(**json.loads(os.environ["QIANTANG_TEST_INSTANCE"]))
settings = app.config.bind(Settings)
heard: list[int] = []


@app.config.on_change("number")
def changed(event: Any) -> None:
    """Write down what a callback was told in this process."""
    heard.append(int(event["number"].after))


app.open()


def said() -> bytes:
    """Say who answers, and what it holds."""
    return json.dumps({"process": os.getpid(), "number": settings.number, "heard": heard}).encode()


def wsgi(_environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer as a WSGI application."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "close")])
    return [said()]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer as an ASGI application."""
    if scope["type"] == "lifespan":
        while True:
            step = (await receive())["type"].rpartition(".")[2]
            await send({"type": f"lifespan.{step}.complete"})
            if step == "shutdown":
                return
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said()})
