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
    """One open stream. Who extends it says whether something waits and gives it up once; it bounds what waits.

    Its one timer is set anew only when it has gone off: a timer for each wait cost more than what was sent after it.
    """

    __slots__ = ("_heart", "_is_silent", "_silent_at", "_wake", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._wake = asyncio.Event()
        self._heart: asyncio.TimerHandle | None = None
        self._silent_at = 0.0
        self._is_silent = False

    def close(self) -> None:
        """End the stream, after what waits."""
        self.closed = True
        self._wake.set()

    def rest(self) -> None:
        """Nobody takes from the stream any more."""
        if self._heart is not None:
            self._heart.cancel()
            self._heart = None

    async def take(self, heartbeat: float) -> bytes:
        """Wait for something to send, at most `heartbeat` seconds; give it, or a heartbeat, or nothing at the end."""
        if not (self._waits() or self.closed):
            self._watch_for_silence(heartbeat)
            await self._wake.wait()
        self._wake.clear()
        beats = self._is_silent and not self.closed
        self._is_silent = False
        return self._given_up() or (HEARTBEAT if beats else b"")

    def _watch_for_silence(self, heartbeat: float) -> None:
        loop = asyncio.get_running_loop()
        self._silent_at = loop.time() + heartbeat
        if self._heart is not None and self._heart.when() > self._silent_at:
            self.rest()
        if self._heart is None:
            self._heart = loop.call_at(self._silent_at, self._is_due, loop)

    def _is_due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heart = None
        if loop.time() < self._silent_at:
            self._heart = loop.call_at(self._silent_at, self._is_due, loop)
            return
        self._is_silent = True
        self._wake.set()

    def _waits(self) -> bool:
        """Say whether something waits to be sent."""
        raise NotImplementedError

    def _given_up(self) -> bytes:
        """Give all that waits, and keep none of it."""
        raise NotImplementedError
