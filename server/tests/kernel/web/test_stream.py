"""The browser's stream over HTTP, spoken to as ASGI so that it may stay open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from qiantang_server.kernel.web.stream import MAX_QUERY
from server.tests.kernel.web.conftest import PEOPLE, Running

ADA = PEOPLE["owner"]
BUNDLE = "bundle:acme/dev/trade/order/test"


class Browser:
    """What a browser gets on one stream."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.text = ""
        self.ended = False
        self._moved = asyncio.Event()
        self.left = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.text += message["body"].decode()
            self.ended = not message.get("more_body")
        self._moved.set()

    async def until(self, words: str) -> None:
        async with asyncio.timeout(10):
            while words not in self.text:
                self._moved.clear()
                await self._moved.wait()

    async def until_ended(self) -> None:
        async with asyncio.timeout(10):
            while not self.ended:
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def browser(running: Running, topics: str, who: str = "reader", **headers: str) -> AsyncIterator[Browser]:
    found = Browser()
    sent = [(b"cookie", f"qiantang={who}".encode())]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/stream",
        "raw_path": b"/api/v1/stream",
        "root_path": "",
        "query_string": f"topics={quote(topics)}".encode(),
        "headers": sent,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    first = True

    async def receive() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await found.left.wait()
        return {"type": "http.disconnect"}

    serving = asyncio.create_task(running.app(scope, receive, found.send))  # type: ignore[arg-type]
    try:
        yield found
    finally:
        found.left.set()
        await asyncio.wait_for(serving, 10)


async def test_a_browser_hears_of_a_publish_and_leaves(running: Running) -> None:
    async with browser(running, f"work:acme,bundles:acme,{BUNDLE},work:other") as one:
        await one.until('event: refused\ndata: {"topic":"work:other"}')
        assert (one.status, one.headers[b"content-type"]) == (200, b"text/event-stream")
        assert one.text.startswith("id: ")
        assert len(running.watch.topics) == 1
        await running.life.edit(ADA, "a", "one")
        await one.until('"reason":"draft"')
        await running.life.publish(ADA, 0)
        await one.until('"position":[1,1]')
        last = one.text.rpartition("id: ")[2].partition("\n")[0]
    assert len(running.watch.topics) == 0
    await running.life.edit(ADA, "a", "two")
    async with browser(running, BUNDLE, last_event_id=last) as again:
        await again.until("event: changed")
        assert "event: reset" not in again.text
    async with browser(running, BUNDLE, last_event_id="of-another-server-7") as lost:
        await lost.until("event: reset\ndata: {}")


async def test_a_stream_ends_with_the_session_and_with_the_server(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browser(running, BUNDLE, "owner") as one:
        await one.until("event: hello")
        monkeypatch.delitem(PEOPLE, "owner")
        await running.watch.topics.recheck_all()
        await one.until_ended()
    async with browser(running, BUNDLE) as other:
        await other.until("event: hello")
        running.watch.close_streams()
        await other.until_ended()


async def test_wrong_requests_are_problems(running: Running) -> None:
    for query in ("", "?topics=", "?topics=" + ",".join(f"t{n}" for n in range(60))):
        answer = await running.call("reader", "GET", f"/api/v1/stream{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    long = await running.call("reader", "GET", f"/api/v1/stream?topics={'x' * MAX_QUERY}")
    assert long.status_code == 413
    posted = await running.call("reader", "POST", "/api/v1/stream?topics=work:acme")
    assert (posted.status_code, posted.json()["code"]) == (405, "method_not_allowed")
    assert (await running.client.get("/api/v1/stream?topics=work:acme")).status_code == 401
