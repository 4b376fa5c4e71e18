"""The line before a store: turns in order, groups as large as what gathered, bounds, and an end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from qiantang.messaging.client.spool import writing
from qiantang.messaging.client.spool.writing import Append, Line


class Store:
    """Keeps what it is given when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fails: Exception | None = None
        self.line = Line("main/one", self.write)

    async def write(self, group: Sequence[Append]) -> None:
        self.groups.append([one.data for one in group])
        await self.open.wait()
        if self.fails is not None:
            raise self.fails

    async def put(self, data: bytes) -> None:
        async with self.line.turn():
            append = Append(data, Counter())
            self.line.put(append)
        await append.kept


async def test_what_gathers_during_a_write_is_the_next() -> None:
    store = Store()
    store.open.clear()
    puts = [asyncio.create_task(store.put(b"%d" % number)) for number in range(3)]
    await asyncio.sleep(0.01)
    puts += [asyncio.create_task(store.put(b"%d" % number)) for number in range(3, 6)]
    await asyncio.sleep(0.01)
    assert (store.groups, store.line.size) == ([[b"0", b"1", b"2"]], 6)
    store.open.set()
    await asyncio.gather(*puts)
    assert (store.groups, store.line.size) == ([[b"0", b"1", b"2"], [b"3", b"4", b"5"]], 0)


async def test_it_is_bounded_and_its_turns_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES", 3)
    monkeypatch.setattr(writing, "WRITE_BYTES", 2)
    store = Store()
    store.open.clear()
    puts = [asyncio.create_task(store.put(b"%d" % number)) for number in range(10)]
    await asyncio.sleep(0.02)
    assert store.line.size == 3
    puts[4].cancel()
    store.open.set()
    await asyncio.gather(*puts, return_exceptions=True)
    assert b"".join(one for some in store.groups for one in some) == b"012356789"
    assert max(len(some) for some in store.groups) == 2


async def test_who_comes_when_there_is_room_again_does_not_overtake_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES", 1)
    store = Store()
    store.open.clear()
    puts = [asyncio.create_task(store.put(b"%d" % number)) for number in range(2)]
    await asyncio.sleep(0.01)
    store.open.set()
    puts.append(asyncio.create_task(store.put(b"2")))  # its first step is between the room and who waits for it
    await asyncio.gather(*puts)
    assert b"".join(one for some in store.groups for one in some) == b"012"


async def test_a_write_that_fails_fails_for_its_group_alone() -> None:
    store = Store()
    store.fails = ValueError("no")
    found = await asyncio.gather(store.put(b"1"), store.put(b"2"), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError, ValueError]
    store.fails = None
    await store.put(b"3")
    assert store.groups == [[b"1", b"2"], [b"3"]]


async def test_its_end_waits_for_what_has_a_place_and_lets_the_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES", 1)
    store = Store()
    store.open.clear()
    puts = [asyncio.create_task(store.put(b"%d" % number)) for number in range(3)]
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(store.line.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    store.open.set()
    await asyncio.gather(closing, *puts)
    assert store.line.size == 0
