"""Parking in memory, beside a simple model: of a key only its first, none twice, nothing before its time, nothing lost."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qiantang.messaging.client.assisting.parking import MOST, MemoryParking
from qiantang.messaging.model import Frame, Taken
from qiantang.messaging.port import Waiting


def waiting(position: int, key: str = "", due: float = 0.0, queue: str = "0", size: int = 1) -> Waiting:
    frame = Frame(topic="t", id=f"{position}", body=b"x" * size, key=key)
    taken = Taken(frame=frame, queue=queue, position=position, hold=1)
    return Waiting(taken=taken, key=key, due=due, attempt=2)


async def test_it_is_full_by_number_and_by_bytes() -> None:
    parking = MemoryParking(lambda: 0.0)
    await parking.put([waiting(number) for number in range(MOST)])
    assert parking.is_full
    (one,) = await parking.due(1)
    await parking.settle([one], [], [])
    assert not parking.is_full
    await parking.put([waiting(MOST, size=40 << 20)])
    assert parking.is_full
    parking.forget("0")
    assert (len(parking), parking.is_full, parking.next_due) == (0, False, math.inf)


class Machine(RuleBasedStateMachine):
    """Keys a and b are in order, messages without a key are not; two queues, one of which is lost now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.parking = MemoryParking(lambda: self.now)
        self.kept: list[Waiting] = []
        self.given: list[Taken] = []
        self.position = 0

    @rule(queue=st.sampled_from("01"), key=st.sampled_from(["", "a", "b"]), after=st.integers(0, 3))
    def put(self, queue: str, key: str, after: int) -> None:
        self.position += 1
        one = waiting(self.position, key, self.now + after, queue)
        assert asyncio.run(self._put(one)) == ()
        self.kept.append(one)

    async def _put(self, one: Waiting) -> Any:
        return await self.parking.put([one])

    @rule(seconds=st.integers(1, 4))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 4))
    def due(self, count: int) -> None:
        expected = {one.taken.position for one in self._ready() if one.due <= self.now}
        found = asyncio.run(self.parking.due(count))
        assert {one.position for one in found} <= expected
        assert len(found) == min(count, len(expected))
        self.given += found

    @precondition(lambda self: self.given)
    @rule(data=st.data(), what=st.sampled_from(["done", "back", "later"]))
    def settle(self, data: Any, what: str) -> None:
        one = self.given.pop(data.draw(st.integers(0, len(self.given) - 1)))
        mine = next((each for each in self.kept if each.taken.position == one.position), None)
        later = Waiting(taken=one, key=one.handle.key, due=self.now + 2, attempt=one.attempt + 1)
        told = {"done": ([one], [], []), "back": ([], [one], []), "later": ([], [], [later])}[what]
        asyncio.run(self.parking.settle(*told))
        if mine is not None and what == "done":
            self.kept.remove(mine)
        if mine is not None and what == "later":
            mine.due = self.now + 2

    @rule(queue=st.sampled_from("01"))
    def forget(self, queue: str) -> None:
        self.parking.forget(queue)
        self.kept = [one for one in self.kept if one.taken.queue != queue]

    def _ready(self) -> list[Waiting]:
        given = {one.position for one in self.given}
        firsts: dict[Any, Waiting] = {}
        for one in self.kept:
            firsts.setdefault((one.taken.queue, one.key) if one.key else one.taken.position, one)
        return [one for one in firsts.values() if one.taken.position not in given]

    @invariant()
    def it_says_how_much_there_is_and_when(self) -> None:
        assert len(self.parking) == len(self.kept)
        assert self.parking.next_due == min((one.due for one in self._ready()), default=math.inf)


TestMachine = Machine.TestCase
