"""The line before a broker: batches, order, bounds, deadlines, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from qiantang.messaging.client import sending
from qiantang.messaging.client.sending import Line
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, OutcomeUnknownError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import Broker, SendOutcome


class Slow:
    """A broker that answers when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.breaks: Exception | None = None

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        self.batches.append([one.id for one in frames])
        await self.open.wait()
        if self.breaks is not None:
            raise self.breaks
        return [SendOutcome(verdict="accepted", position=int(one.id)) for one in frames]


def frames(*numbers: int, size: int = 1) -> list[Frame]:
    return [Frame(topic="t", id=f"{number}", body=b"x" * size) for number in numbers]


def line(broker: Slow) -> Line:
    return Line("main/one", cast("Broker", broker))


async def test_what_gathers_while_one_batch_is_under_way_is_the_next() -> None:
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    sends = [asyncio.create_task(made.send(frames(number), 5)) for number in range(4)]
    await asyncio.sleep(0.02)
    sends += [asyncio.create_task(made.send(frames(*range(number, number + 2)), 5)) for number in (4, 6)]
    await asyncio.sleep(0.02)
    assert broker.batches == [["0", "1", "2", "3"]]
    broker.open.set()
    outcomes = await asyncio.gather(*sends)
    assert broker.batches == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]
    assert [one.position for some in outcomes for one in some] == list(range(8))


async def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BATCH", 3)
    broker = Slow()
    await line(broker).send(frames(*range(7)), 5)
    assert [len(one) for one in broker.batches] == [3, 3, 1]
    monkeypatch.setattr(sending, "BATCH_BYTES", 100)
    broker = Slow()
    await line(broker).send(frames(*range(4), size=60), 5)
    assert [len(one) for one in broker.batches] == [2, 2]


async def test_what_was_not_answered_in_time_is_unknown_and_what_waited_is_refused_and_not_sent() -> None:
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    first = asyncio.create_task(made.send(frames(1), 0.1))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(made.send(frames(2), 0.1))
    (handed,), (waited,) = await first, await second
    assert (handed.verdict, type(handed.error)) == ("unknown", OutcomeUnknownError)
    assert (waited.verdict, type(waited.error)) == ("refused", BrokerAwayError)
    broker.open.set()
    await made.send(frames(3), 5)
    assert broker.batches == [["1"], ["3"]]


async def test_a_full_line_makes_its_senders_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WAITING", 5)
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    tasks = [asyncio.create_task(made.send(frames(number), 5)) for number in range(20)]
    await asyncio.sleep(0.05)
    assert len(made) <= 5
    broker.open.set()
    await asyncio.gather(*tasks)
    assert sorted(int(one) for some in broker.batches for one in some) == list(range(20))


async def test_an_adapter_that_fails_leaves_the_outcome_unknown() -> None:
    broker = Slow()
    broker.breaks = RuntimeError("torn")
    made = line(broker)
    (outcome,) = await made.send(frames(1), 5)
    assert outcome.verdict == "unknown"
    assert "torn" in str(outcome.error)
    broker.breaks = None
    assert (await made.send(frames(2), 5))[0].verdict == "accepted"


async def test_closing_sends_what_waits_and_takes_nothing_more() -> None:
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    waiting = asyncio.create_task(made.send(frames(1, 2), 5))
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0.02)
    (refused,) = await made.send(frames(3), 5)
    assert isinstance(refused.error, BusClosedError)
    broker.open.set()
    await closing
    assert [one.verdict for one in await waiting] == ["accepted", "accepted"]


async def test_closing_that_is_cut_off_refuses_what_waits() -> None:
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    tasks: list[Any] = [asyncio.create_task(made.send(frames(1), 0.3))]
    await asyncio.sleep(0.02)
    tasks.append(asyncio.create_task(made.send(frames(2), 5)))
    await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await made.close()
    (handed,), (waited,) = await asyncio.gather(*tasks)
    assert handed.verdict == "unknown"
    assert isinstance(waited.error, BusClosedError)


async def test_what_waits_for_one_that_stands_still_may_leave_but_for_what_was_handed_over_or_has_a_key() -> None:
    broker = Slow()
    made = line(broker)
    broker.open.clear()
    handed = asyncio.create_task(made.send(frames(0), 5))
    await asyncio.sleep(0.02)
    keyed = [Frame(topic="t", id="3", body=b"x", key="k"), *frames(4)]
    waiting = [asyncio.create_task(made.send(some, 5)) for some in (frames(1, 2), keyed, frames(5))]
    await asyncio.sleep(0.1)
    assert not any(one.done() for one in waiting), "it does not stand still yet"
    made.leaving = lambda: lambda frame: frame.id != "5"
    left = await waiting[0]
    assert [one.verdict for one in left] == ["refused"] * 2
    assert all(one.may_pass for one in left)
    assert len(made) == 3
    broker.open.set()
    assert [one.position for some in await asyncio.gather(handed, *waiting[1:]) for one in some] == [0, 3, 4, 5]
    assert broker.batches == [["0"], ["3", "4", "5"]]
