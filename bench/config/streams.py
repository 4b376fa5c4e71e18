"""Streams: a child process with thousands of light clients that speak the mirror's protocol on bare sockets.

First order: {"host", "port", "source", "application": options of an App, "prefix", "count"}. Each client gets a token of its
own, fetches what is there, and opens its stream; then it answers {"open": n, "seconds": s}. Later orders: {"release": true}
awaits a release, which each client gets on its stream, or hears of there and fetches, and then acknowledges; the answer is
{"taken": n, "at": [nanoseconds], "acknowledged_at": ns of the last}. {"count": true} is answered {"open": n}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import sys
import time
from typing import Any

import msgspec
import uvloop

from bench.children import answer
from qiantang.kernel import protocol, resource, scope, wire

OPENED_AT_A_TIME = 50
TRIES = 5
IP_BIND_ADDRESS_NO_PORT = 24  # the port is chosen at connect, when the other end is known: quick with many in use
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
_delivery = msgspec.json.Decoder(resource.Delivery)


class Crowd:
    """All light clients of this process: who they are, and what came of the release that is awaited."""

    def __init__(self, order: dict[str, Any]) -> None:
        options = order["application"]
        self.place = scope.Scope(**{part: options[part] for part in ("tenant", "environment", "center", "application")})
        self.bundle = resource.Bundle(scope=self.place, capability="config")
        self.credential: str = options["credential"]
        self.key = protocol.signing_key(options["secret"])
        self.address = (order["host"], order["port"])
        self.source = (order["source"], 0)
        self.open = 0
        self.taken: list[int] = []
        self.acknowledged_at: list[int] = []
        self.failed: list[str] = []
        self.changed = asyncio.Event()

    def proof(self) -> protocol.TokenRequest:
        """Sign a request for a token."""
        at, nonce = int(time.time() * 1000), secrets.token_hex(16)
        signature = protocol.sign(self.key, self.credential, at, nonce)
        return protocol.TokenRequest(credential=self.credential, timestamp=at, nonce=nonce, signature=signature)

    async def connect(self) -> tuple[Reader, Writer]:
        """Open a connection from this process's own address, so that processes do not share their ports."""
        line = socket.socket()
        try:
            line.setblocking(False)
            line.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            line.bind(self.source)
            await asyncio.get_running_loop().sock_connect(line, self.address)
        except BaseException:
            line.close()
            raise
        return await asyncio.open_connection(sock=line, limit=1 << 18)


class Client:
    """One instance: a token, a stream, and the digest that it holds."""

    def __init__(self, crowd: Crowd, name: str) -> None:
        self.crowd = crowd
        self.instance = scope.Instance(name=name, host="bench", process=1)
        self.token = ""
        self.held: resource.Position = resource.NOWHERE
        self.snapshot: resource.Snapshot | None = None
        self.line: Writer | None = None  # kept: without it the stream would be closed
        self.listening: asyncio.Task[None] | None = None

    @property
    def digest(self) -> str:
        """What it holds, by its digest."""
        return self.snapshot.digest if self.snapshot is not None else ""

    async def start(self) -> None:
        """Prove, fetch, acknowledge on one connection; then open the stream on its own."""
        reader, writer = await self.crowd.connect()
        try:
            body = await self._exchange(reader, writer, protocol.TOKEN_PATH, self.crowd.proof())
            self.token = wire.decode(body, protocol.Token).token
            await self._take(reader, writer, resource.NOWHERE)
        finally:
            writer.close()
        reader, self.line = await self.crowd.connect()
        request = protocol.StreamRequest(
            scope=self.crowd.place,
            instance=self.instance,
            capabilities=["config"],
            held=[self._word()],
            deliveries=True,
        )
        self.line.write(self._spelled(protocol.STREAM_PATH, request, "text/event-stream"))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise ConnectionError(head[:100].decode("latin-1"))
        await reader.readuntil(b"event: notice")
        self.listening = asyncio.create_task(self._listen(reader))
        self.crowd.open += 1

    async def _listen(self, reader: Reader) -> None:
        try:
            while True:
                line = await reader.readuntil(b"\n")
                if line.startswith(b'data: {"shape":"delta"'):
                    delta = wire.decode(line[6:].strip(), resource.Delta)
                    if not await self._applied(delta):
                        await self._follow(delta.position)
                elif line.startswith(b"data: ") and b'"position"' in line:
                    notice = wire.decode(line[6:].strip(), resource.Notice)
                    if notice.position > self.held:
                        await self._follow(notice.position)
        except (OSError, asyncio.IncompleteReadError, ValueError, msgspec.MsgspecError) as error:
            self.crowd.failed.append(repr(error)[:200])
        finally:
            self.crowd.open -= 1
            self.crowd.changed.set()

    async def _applied(self, delta: resource.Delta) -> bool:
        """Take a delivery as a mirror does; give whether it continued what is held."""
        snapshot = resource.apply_delta(self.snapshot, delta) if self.snapshot is not None else None
        if snapshot is None:
            return False
        self.held, self.snapshot = snapshot.position, snapshot
        self.crowd.taken.append(time.monotonic_ns())
        reader, writer = await self.crowd.connect()
        try:
            await self._exchange(reader, writer, protocol.ACKNOWLEDGE_PATH, self._acknowledgement())
        finally:
            writer.close()
        self.crowd.acknowledged_at.append(time.monotonic_ns())
        self.crowd.changed.set()
        return True

    async def _follow(self, position: resource.Position) -> None:
        for attempt in range(TRIES):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await self.crowd.connect()
                try:
                    await self._take(reader, writer, position)
                    self.crowd.taken.append(time.monotonic_ns())
                    await self._exchange(reader, writer, protocol.ACKNOWLEDGE_PATH, self._acknowledgement())
                    self.crowd.acknowledged_at.append(time.monotonic_ns())
                finally:
                    writer.close()
                self.crowd.changed.set()
                return
            await asyncio.sleep(0.1 * 2**attempt)
        self.crowd.failed.append("did not get the release in several tries")

    async def _take(self, reader: Reader, writer: Writer, position: resource.Position) -> None:
        request = protocol.FetchRequest(
            instance=self.instance,
            bundle=self.crowd.bundle,
            at_least=position,
            have=self.digest,
            have_position=self.held,
        )
        delivery = _delivery.decode(await self._exchange(reader, writer, protocol.FETCH_PATH, request))
        if delivery.position < position:
            raise ConnectionError(f"got {delivery.position} instead of {position}")
        if isinstance(delivery, resource.Delta) and self.snapshot is not None:
            self.snapshot = resource.apply_delta(self.snapshot, delivery)
        elif isinstance(delivery, resource.Snapshot):
            self.snapshot = delivery
        self.held = delivery.position

    async def _exchange(self, reader: Reader, writer: Writer, path: str, body: msgspec.Struct) -> bytes:
        writer.write(self._spelled(path, body, "application/json"))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 2"):
            raise ConnectionError(head[:100].decode("latin-1"))
        _, found, length = head.partition(b"content-length:")
        return await reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""

    def _spelled(self, path: str, body: msgspec.Struct, accept: str) -> bytes:
        content = wire.encode(body)
        authorization = f"authorization: Bearer {self.token}\r\n" if self.token else ""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: bench\r\naccept: {accept}\r\ncontent-type: application/json\r\n"
            f"{authorization}content-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def _word(self) -> protocol.Held:
        return protocol.Held(bundle=self.crowd.bundle, position=self.held, digest=self.digest)

    def _acknowledgement(self) -> protocol.Acknowledgement:
        return protocol.Acknowledgement(scope=self.crowd.place, instance=self.instance, held=[self._word()])


async def _start(clients: list[Client]) -> None:
    gate = asyncio.Semaphore(OPENED_AT_A_TIME)

    async def one(client: Client) -> None:
        async with gate:
            await client.start()

    await asyncio.gather(*(one(client) for client in clients))


async def _await_release(crowd: Crowd, count: int) -> None:
    while len(crowd.acknowledged_at) < count and not crowd.failed:
        crowd.changed.clear()
        await crowd.changed.wait()
    if crowd.failed:
        raise RuntimeError(f"{len(crowd.failed)} clients failed, the first: {crowd.failed[0]}")
    answer({"taken": len(crowd.taken), "at": crowd.taken, "acknowledged_at": max(crowd.acknowledged_at)})


async def _run(order: dict[str, Any]) -> None:
    crowd = Crowd(order)
    clients = [Client(crowd, f"{order['prefix']}-{number}") for number in range(order["count"])]
    began = time.monotonic()
    await _start(clients)
    answer({"open": crowd.open, "seconds": time.monotonic() - began})
    while line := await asyncio.to_thread(sys.stdin.readline):
        if "release" in json.loads(line):
            await _await_release(crowd, len(clients))
            crowd.taken, crowd.acknowledged_at = [], []
        else:
            answer({"open": crowd.open})


if __name__ == "__main__":
    uvloop.run(_run(json.loads(sys.stdin.readline())))
