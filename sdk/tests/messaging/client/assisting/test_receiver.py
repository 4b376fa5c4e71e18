"""The assisted receiver, over a broker that only gives, takes back and forgets: nothing is lost, and of a key nothing overtakes."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from qiantang.messaging.client.assisting import keeping, receiver
from qiantang.messaging.client.assisting.parking import MemoryParking
from qiantang.messaging.client.assisting.receiver import AssistedReceiver
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Frame, Subscription, Taken
from qiantang.messaging.port import Parked, Settle, Waiting


class Log:
    """A broker's log of one queue, which a member holds; what is not done is given anew under the next hold."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.done: set[int] = set()
        self.hold = 1
        self.next = 0
        self.back: list[int] = []

    @property
    def holds(self) -> Mapping[str, int]:
        return {"0": self.hold} if self.hold else {}

    def send(self, key: str, number: int) -> None:
        self.frames.append(Frame(topic="t", id=f"{number}", body=b"%d" % number, key=key))

    def lose(self, hold: int) -> None:
        """Let another have the queue, and take it back: it begins with the first that is not done."""
        self.hold, self.back = hold, []
        self.next = next((one for one in range(len(self.frames)) if one not in self.done), len(self.frames))

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        ends = time.monotonic() + min(wait, 0.05)
        while not self.back and self.next >= len(self.frames) and time.monotonic() < ends:
            await asyncio.sleep(0.001)
        self.back.sort()
        positions, self.back = self.back[:count], self.back[count:]
        while len(positions) < count and self.next < len(self.frames):
            positions.append(self.next)
            self.next += 1
        return [Taken(frame=self.frames[one], queue="0", position=one, hold=self.hold) for one in positions]

    async def settle(self, settles: Sequence[Settle]) -> None:
        for one in settles:
            if one.taken.hold == self.hold:
                assert one.what in ("done", "back")
                (self.done.add if one.what == "done" else self.back.append)(one.taken.position)

    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def close(self) -> None: ...


class Durable:
    """A parking in a store that can be away: what it has outlives its member."""

    durable = True
    is_full = False

    def __init__(self) -> None:
        self.away = False
        self.asked = False
        self.rows: dict[int, Waiting] = {}
        self.given: set[int] = set()
        self.holds: dict[str, int] = {}
        self.numbers = 0

    async def _ask(self) -> None:
        """Take some time for it, and never two at a time: what the one knows of when to ask again the other would undo."""
        assert not self.asked, "two things are asked at a time"
        self.asked = True
        await asyncio.sleep(0.002)
        self.asked = False
        if self.away:
            raise BrokerAwayError("the store is away")

    @property
    def next_due(self) -> float:
        return min((one.due for number, one in self.rows.items() if number not in self.given), default=math.inf)

    async def own(self, holds: Mapping[str, int]) -> Mapping[str, Mapping[str, int]]:
        await self._ask()
        self.holds.update(holds)
        keys: dict[str, int] = defaultdict(int)
        for one in self.rows.values():
            keys[one.key] += 1
        return {"0": keys}

    def forget(self, queue: str) -> None:
        self.holds.pop(queue, None)
        self.given.clear()

    async def put(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        await self._ask()
        there = {one.taken.position for one in self.rows.values()}
        for one in waiting:
            if one.taken.position not in there and self.holds.get("0") is not None:
                self.numbers += 1
                self.rows[self.numbers] = one
        return [one for one in waiting if one.taken.position in there]

    async def due(self, count: int) -> list[Taken]:
        await self._ask()
        over: set[str] = set()
        found: list[Taken] = []
        for number, one in sorted(self.rows.items()):
            if one.key in over:
                continue
            if one.due > time.time() or number in self.given:
                over.add(one.key)
            elif len(found) < count:
                self.given.add(number)
                hold = self.holds.get("0", -1)
                found.append(
                    msgspec.structs.replace(one.taken, handle=Parked(number, one.key), attempt=one.attempt, hold=hold)
                )
        return found

    async def settle(self, done: Sequence[Taken], back: Sequence[Taken], later: Sequence[Waiting]) -> None:
        await self._ask()
        for one in done:
            self.rows.pop(one.handle.number, None)
        for one in later:
            row = self.rows.get(one.taken.handle.number)
            if row is not None:
                row.due, row.attempt = one.due, one.attempt
        self.given -= {one.handle.number for one in [*done, *back, *(each.taken for each in later)]}


ORDERED = Subscription(group="g", topic="t", order="key")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(keeping, "AGAIN_FIRST", 0.01)
    monkeypatch.setattr(keeping, "AGAIN_LONGEST", 0.02)


class Worker:
    """A consumer in small: takes batches, works on the first of each key, and settles some time later, as lanes do."""

    def __init__(self, held: AssistedReceiver, dice: random.Random) -> None:
        self.held = held
        self.dice = dice
        self.seen: dict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return sum(map(len, self.seen.values()))

    async def once(self, wait: float = 0.02) -> None:
        batch = await self.held.fetch(self.dice.randint(1, 20), 1 << 20, wait)
        failed: set[str] = set()
        settles: list[Settle] = []
        for one in batch:
            key = one.frame.key
            if key in failed:
                settles.append(Settle(taken=one, what="back"))
            elif self.dice.random() < 0.25:
                failed.add(key)
                settles.append(Settle(taken=one, what="later", after=self.dice.choice([0.0, 0.005, 0.02])))
            else:
                if int(one.frame.body) not in self.seen[key]:
                    self.seen[key].append(int(one.frame.body))
                settles.append(Settle(taken=one))
        if self.dice.random() < 0.5:
            await asyncio.sleep(0.003)
        await self.held.settle(settles)


def counts(held: Any) -> list[dict[str, int]]:
    return [dict(one) for some in (held._keys, held._given, held._lent) for one in some.values()]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["memory", "durable", "durable, away now and then", "durable, lost now and then"])
async def test_order_by_key_and_nothing_lost(kind: str, seed: int) -> None:
    dice, log = random.Random(seed), Log()
    parking: Any = MemoryParking(time.time) if kind == "memory" else Durable()
    held = AssistedReceiver(log, parking, ORDERED)
    worker = Worker(held, dice)
    sent, ends = 0, time.monotonic() + 20
    while len(worker) < 200:
        assert time.monotonic() < ends, worker.seen
        for _ in range(dice.randint(0, 8) if sent < 200 else 0):
            if sent < 200:
                log.send(f"k{sent % 5}", sent)
                sent += 1
        if kind.endswith("away now and then"):
            parking.away = dice.random() < 0.4
        if kind.endswith("lost now and then") and dice.random() < 0.1:
            log.lose(log.hold + 1)
        await worker.once()
    if isinstance(parking, Durable):
        parking.away = False
    rows: Any = parking.rows if isinstance(parking, Durable) else parking
    while len(log.done) < 200 or any(counts(held)) or len(rows):
        assert time.monotonic() < ends, (len(log.done), counts(held), len(rows))
        await worker.once()
    assert dict(worker.seen) == {f"k{key}": list(range(key, 200, 5)) for key in range(5)}
    await held.close()


async def test_what_comes_of_a_key_waits_for_what_of_it_is_in_hand_and_comes_back() -> None:
    """9 must not be parked before 8, which was given already when 7 failed."""
    log, parking = Log(), Durable()
    held = AssistedReceiver(log, parking, ORDERED)
    for number in (7, 8):
        log.send("k", number)
    (seven,) = await held.fetch(1, 1, 1)
    (eight,) = await held.fetch(1, 1, 1)
    log.send("k", 9)
    await held.settle([Settle(taken=seven, what="later", after=0.05)])
    assert (await held.fetch(10, 1, 0.03)) == []
    await held.settle([Settle(taken=eight, what="back")])
    order: list[bytes] = []
    while len(order) < 3:
        for one in await held.fetch(10, 1, 1):
            order.append(one.frame.body)
            await held.settle([Settle(taken=one)])
    assert order == [b"7", b"8", b"9"]
    await held.close()


async def test_of_a_parked_key_no_more_is_given_before_what_was_is_settled() -> None:
    """Were 2 given before 1 came back, it would overtake it."""
    log, parking = Log(), Durable()
    held = AssistedReceiver(log, parking, ORDERED)
    for number in range(4):
        log.send("k", number)
    (failed,) = await held.fetch(1, 1 << 20, 1)
    await held.settle([Settle(taken=failed, what="later", after=0.1)])
    first: list[Taken] = []
    while not first:
        first = await held.fetch(2, 1 << 20, 0.05)
    assert len(parking.rows) == 4, "all that came meanwhile was parked behind it"
    assert [one.frame.body for one in first] == [b"0", b"1"]
    assert await held.fetch(2, 1 << 20, 0.05) == []
    await held.settle([Settle(taken=one, what="back") for one in first])
    order: list[bytes] = []
    while len(order) < 4:
        for one in await held.fetch(2, 1 << 20, 1):
            order.append(one.frame.body)
            await held.settle([Settle(taken=one)])
    assert order == [b"0", b"1", b"2", b"3"]
    assert not any(counts(held))
    await held.close()


async def test_while_the_store_is_away_what_comes_is_given_and_what_fails_waits_for_it() -> None:
    log, parking = Log(), Durable()
    held = AssistedReceiver(log, parking, ORDERED)
    log.send("bad", 0)
    (bad,) = await held.fetch(1, 1, 1)
    await held.settle([Settle(taken=bad, what="later")])
    while not parking.rows:
        await asyncio.sleep(0.001)
    parking.away = True  # and the message is due: it cannot be had
    for number in range(1, 30):
        log.send("bad" if number % 3 == 0 else "good", number)
    good: list[int] = []
    while len(good) < 20:
        taken = await held.fetch(5, 1 << 20, 1)
        assert taken, good
        good += [int(one.frame.body) for one in taken]
        await held.settle([Settle(taken=one) for one in taken])
    assert good == [number for number in range(1, 30) if number % 3]
    assert len(log.done) == 21, "what fails is not done for the broker until the store has it"
    parking.away = False
    bads: list[int] = []
    while len(bads) < 10:
        taken = await held.fetch(5, 1 << 20, 1)
        bads += [int(one.frame.body) for one in taken]
        await held.settle([Settle(taken=one) for one in taken])
    assert bads == list(range(0, 30, 3))
    await held.close()
    assert len(log.done) == 30


async def test_a_store_that_gives_no_answer_keeps_nobody_waiting() -> None:
    log, parking = Log(), Durable()
    held = AssistedReceiver(log, parking, ORDERED)
    log.send("k", 0)
    assert len(await held.fetch(1, 1, 1)) == 1

    async def hang(count: int) -> list[Taken]:
        await asyncio.sleep(60)
        return []

    parking.due = hang  # type: ignore[method-assign]
    parking.rows[1] = Waiting(taken=Taken(frame=log.frames[0], queue="0", position=9), key="other")
    log.send("k", 1)
    began = time.monotonic()
    assert len(await held.fetch(1, 1, 5)) == 1
    assert time.monotonic() - began < 2
    await held.close()
