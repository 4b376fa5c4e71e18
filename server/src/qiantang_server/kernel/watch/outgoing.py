"""Outgoing: a stream of server-sent events that is open to somebody: what waits to be sent, and when there is something."""

from __future__ import annotations

import asyncio

from qiantang.kernel import wire

HEARTBEAT = b": beat\n\n"


def frame(event: str, data: object, number: str = "") -> bytes:
    """Write one server-sent event; with `number` one that a stream can be taken up after."""
    told = f"id: {number}\nevent: {event}\ndata: ".encode() if number else f"event: {event}\ndata: ".encode()
    return told + wire.encode(data) + b"\n\n"


class Outgoing:
    """One open stream. Who extends it says whether something waits and gives it up once; it bounds what waits."""

    __slots__ = ("_wake", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._wake = asyncio.Event()

    def close(self) -> None:
        """End the stream, after what waits."""
        self.closed = True
        self._wake.set()

    async def take(self, heartbeat: float) -> bytes:
        """Wait for something to send, at most `heartbeat` seconds; give it, or a heartbeat, or nothing at the end."""
        if not (self._waits() or self.closed):
            try:
                async with asyncio.timeout(heartbeat):
                    await self._wake.wait()
            except TimeoutError:
                return HEARTBEAT
        self._wake.clear()
        return self._given_up()

    def _waits(self) -> bool:
        """Say whether something waits to be sent."""
        raise NotImplementedError

    def _given_up(self) -> bytes:
        """Give all that waits, and keep none of it."""
        raise NotImplementedError
