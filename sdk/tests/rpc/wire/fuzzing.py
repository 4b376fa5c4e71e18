"""Fuzzing of csf1: bytes of any kind for a provider, and for a caller, kept where they reach lines that none reached before.

`python -m sdk.tests.rpc.wire.fuzzing SECONDS` goes on from the corpus beside this file, and adds to it; `test_corpus.py` runs all.
What must hold is in `feed`: nothing is raised that the loop would log, and nothing stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, Protocol

from qiantang.kernel import errors
from qiantang.rpc import method, service
from qiantang.rpc.client import connection
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.wire import frames, headers, link

CORPUS: Final = Path(__file__).parent / "corpus"
MOST_BYTES: Final = 4096
KEPT_BYTES: Final = 1 << 20
WATCHED: Final = ("/rpc/wire/", "/rpc/provider/", "/rpc/client/connection", "/rpc/client/exchange")


@service("fuzz.Target")
class Target(Protocol):
    """Methods of each shape."""

    @method(timeout=0.2)
    async def echo(self, text: str, count: int = 1) -> list[str]: ...

    @method(timeout=0.2)
    def rows(self, count: int) -> AsyncIterator[int]: ...

    @method(timeout=0.2)
    async def total(self, items: AsyncIterator[int]) -> int: ...


class Answers:
    async def echo(self, text: str, count: int = 1) -> list[str]:
        return [text[:100]] * min(count, 10)

    async def rows(self, count: int) -> AsyncIterator[int]:
        for number in range(min(count, 50)):
            yield number

    async def total(self, items: AsyncIterator[int]) -> int:
        return sum([item async for item in items])


class Wire(asyncio.Transport):
    """A transport that goes nowhere, and keeps to what a transport does."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.ended = False
        self.written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def feed(data: bytes) -> None:
    """Give bytes to one end of a connection, in pieces: the first byte says which end, the second how they are cut.

    Raises:
        AssertionError: something stays of it, or was raised where nobody hears it.
    """
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: problems.append(context))
    end = _to_provider if data[:1] < b"\x80" else _to_caller
    await end(data[2:], data[1] if len(data) > 1 else 0)
    await asyncio.sleep(0)
    assert not problems, problems


def pieces(data: bytes, cut: int) -> list[bytes]:
    """Cut bytes as they might come."""
    size = (len(data) or 1) if cut == 0 else 1 + cut % 64
    return [data[start : start + size] for start in range(0, len(data), size)]


async def _to_provider(data: bytes, cut: int) -> None:
    provider = Provider("n1", ProviderSettings(connection_calls=8, calls=16)).add(Target, Answers())
    protocol: Any = provider._accept()
    wire = Wire(protocol)
    protocol.connection_made(wire)
    for piece in pieces(data, cut):
        if wire.ended:
            break
        protocol.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert wire.written <= KEPT_BYTES
    protocol.connection_lost(None)
    for _ in range(200):
        if not provider.running:
            break
        await asyncio.sleep(0.001)
    assert not provider.running, "a call stays"
    assert not provider.connections, "a connection stays"
    await provider.close()


async def _to_caller(data: bytes, cut: int) -> None:
    made = link.Link(answers=False)
    one = connection.Connection("fuzz", made)
    wire = Wire(made)
    made.connection_made(wire)
    opening = asyncio.create_task(one.meet(by_name("acme/prod/bank/till")))
    calls: list[asyncio.Task[Any]] = []
    for piece in pieces(data, cut):
        if wire.ended:
            break
        made.data_received(piece)
        await asyncio.sleep(0)
        if opening.done() and not opening.exception() and len(calls) < 3:
            header = headers.CallHeader(0, 100)
            calls.append(asyncio.create_task(one.call(header, b"\x80", time.monotonic() + 0.05)))
            await asyncio.sleep(0)
    made.connection_lost(None)
    for task in (opening, *calls):
        with suppress(errors.QiantangError):
            async with asyncio.timeout(5):
                await task
    assert len(one) == 0


# -- finding more of them --------------------------------------------------------------------------------


class Lines:
    """Lines of what is watched that were run."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()
        self.new = False
        self._watched: dict[CodeType, bool] = {}

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        code = frame.f_code
        watched = self._watched.get(code)
        if watched is None:
            watched = self._watched[code] = any(part in code.co_filename for part in WATCHED)
        if not watched:
            return None
        if event == "line":
            place = (code.co_filename, frame.f_lineno)
            if place not in self.seen:
                self.seen.add(place)
                self.new = True
        return self.trace


def seeds() -> list[bytes]:
    """Give what is well formed, for both ends."""
    hello = frames.frame(frames.HELLO, body=headers.encode(headers.Hello(headers.VERSION, "acme/prod/bank/till")))
    begun = b"\x00\x00" + frames.PREFACE + hello

    def call(number: int, place: int, body: bytes, flags: int = 0) -> bytes:
        return frames.frame(frames.CALL, number, headers.encode(headers.CallHeader(place, 500)), body, flags)

    echo = call(1, 0, headers.encode({"text": "tea", "count": 2}))
    rows = call(2, 1, headers.encode({"count": 5}), 1)
    total = call(3, 2, headers.encode({}), 2)
    items = b"".join(frames.frame(frames.STREAM_DATA, 3, b"", headers.encode(number)) for number in range(3))
    ends = frames.frame(frames.STREAM_END, 3)
    credit = frames.frame(frames.CREDIT, 2, b"", headers.encode(1 << 20))
    rest = frames.frame(frames.CANCEL, 1) + frames.frame(frames.PING, 7)
    challenge = frames.frame(frames.CHALLENGE, body=headers.encode(headers.Challenge(headers.VERSION, "n1", b"n" * 32)))
    welcome = frames.frame(frames.WELCOME, body=headers.encode(headers.Welcome(["fuzz.Target/echo"], 1 << 20, 8)))
    answers = frames.frame(frames.RESULT, 1, b"", headers.encode(["tea"])) + frames.frame(frames.PONG, 1)
    bad = frames.frame(frames.ERROR, 2, b"", headers.write_error(errors.NotFoundError("no")))
    return [
        begun + echo + rest,
        begun + rows + credit,
        begun + total + items + ends,
        b"\x80\x00" + challenge + welcome + answers + bad + frames.frame(frames.GOAWAY, body=b"leaving"),
    ]


def changed(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Change bytes in one of the ways in which they may be wrong."""
    ways: list[Callable[[bytearray], None]] = [
        lambda one: one.__setitem__(chance.randrange(len(one)), chance.randrange(256)),
        lambda one: one.__setitem__(slice(at := chance.randrange(len(one)), at + chance.choice((1, 2, 4, 8))), b""),
        lambda one: one.__setitem__(slice(at := chance.randrange(len(one)), at), chance.randbytes(chance.randrange(9))),
        lambda one: one.__setitem__(
            slice(at := chance.randrange(len(one)), at + 4),
            chance.choice((0, 1, 12, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20)).to_bytes(4),
        ),
        lambda one: one.extend(chance.choice(others)[2:]),
        lambda one: one.extend(one[chance.randrange(len(one)) :]),
        lambda one: one.__delitem__(slice(chance.randrange(2, max(3, len(one))), None)),
    ]
    made = bytearray(data)
    for _ in range(1 + chance.randrange(4)):
        if made:
            chance.choice(ways)(made)
    return bytes(made[:MOST_BYTES])


async def main(seconds: float, seed: int) -> None:
    """Go on for so many seconds, and keep what reaches more."""
    CORPUS.mkdir(exist_ok=True)
    logging.disable()
    chance, lines = random.Random(seed), Lines()  # a test
    pool = [*seeds(), *(file.read_bytes() for file in sorted(CORPUS.glob("*.bin")))]
    sys.settrace(lines.trace)
    for one in pool:
        await feed(one)
    ends, runs, began = time.monotonic() + seconds, 0, len(pool)
    while time.monotonic() < ends:
        lines.new, one = False, changed(chance.choice(pool), pool, chance)
        runs += 1
        try:
            await feed(one)
        except Exception:
            (CORPUS / f"failed-{hashlib.sha256(one).hexdigest()[:16]}.bin").write_bytes(one)
            raise
        if lines.new:
            pool.append(one)
            (CORPUS / f"{hashlib.sha256(one).hexdigest()[:16]}.bin").write_bytes(one)
    sys.settrace(None)
    sys.stdout.write(f"{runs:,} inputs, {len(pool) - began} kept, {len(lines.seen):,} lines reached\n")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
