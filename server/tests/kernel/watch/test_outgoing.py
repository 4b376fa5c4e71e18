"""Outgoing: what is sent, and when silence is broken."""

from __future__ import annotations

import asyncio

from qiantang_server.kernel.watch.outgoing import HEARTBEAT, Outgoing


class Lines(Outgoing):
    """A stream of lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []

    def say(self, line: bytes) -> None:
        self.lines.append(line)
        self._wake.set()

    def _waits(self) -> bool:
        return bool(self.lines)

    def _given_up(self) -> bytes:
        told, self.lines = b"".join(self.lines), []
        return told


async def test_silence_is_broken_again_and_again() -> None:
    stream = Lines()
    assert [await stream.take(0.01) for _ in range(3)] == [HEARTBEAT] * 3


async def test_silence_begins_with_what_was_sent_last() -> None:
    stream = Lines()
    asyncio.get_running_loop().call_later(0.1, stream.say, b"one")
    assert await stream.take(0.2) == b"one"

    began = asyncio.get_running_loop().time()
    assert await stream.take(0.2) == HEARTBEAT
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_shorter_silence_counts_at_once() -> None:
    stream = Lines()
    asyncio.get_running_loop().call_soon(stream.say, b"one")
    assert await stream.take(60) == b"one"
    assert await asyncio.wait_for(stream.take(0.01), 30) == HEARTBEAT


async def test_what_waits_goes_before_the_end_and_no_heartbeat_after_it() -> None:
    stream = Lines()
    assert await stream.take(0.01) == HEARTBEAT
    stream.say(b"last")
    stream.close()
    assert await stream.take(0.01) == b"last"
    assert await stream.take(0.01) == b""


async def test_nothing_is_due_once_nobody_takes() -> None:
    stream = Lines()
    asyncio.get_running_loop().call_soon(stream.say, b"one")
    assert await stream.take(0.05) == b"one"
    stream.rest()
    await asyncio.sleep(0.1)
    assert not stream._wake.is_set()
