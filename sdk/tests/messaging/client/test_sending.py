"""The line before a broker: batches, order, bounds, deadlines, and its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from qiantang.messaging.client import sending
from qiantang.messaging.client.sending import Line
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, OutcomeUnknownError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import Broker, SendOutcome, Verdict


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
    assert len(made) == 2, "what was sent with one of a key leaves it behind"
    broker.open.set()
    assert [one.position for some in await asyncio.gather(handed, *waiting[1:]) for one in some] == [0, 3, -1, 5]
    assert broker.batches == [["0"], ["3", "5"]]


class Other:
    """Where messages go that leave a line; answers when it is let."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.open = asyncio.Event()
        self.verdict: Verdict = "accepted"

    async def send(
        self, some: Sequence[Frame], outcomes: Sequence[SendOutcome], deadline: float
    ) -> Sequence[SendOutcome]:
        assert len(outcomes) == len(some)
        assert 0 < deadline <= 60
        self.taken += [one.id for one in some]
        await self.open.wait()
        return [SendOutcome(verdict=self.verdict, position=1000 + int(one.id)) for one in some]


async def half_handed(broker: Slow, monkeypatch: pytest.MonkeyPatch, deadline: float = 60) -> tuple[Line, Other, Any]:
    """Send eight messages together of which a broker that stands still was given four; two of the others have a key."""
    monkeypatch.setattr(sending, "BATCH", 4)
    made, other = line(broker), Other()
    broker.open.clear()
    some = [
        *frames(0, 1, 2, 3, 4),
        Frame(topic="t", id="5", body=b"x", key="k"),
        *frames(6),
        Frame(topic="t", id="7", body=b"x", key="k"),
    ]
    going = asyncio.create_task(made.send(some, deadline))
    await asyncio.sleep(0.02)
    made.elsewhere = other.send
    made.leaving = lambda: lambda _frame: True
    async with asyncio.timeout(60):
        while len(other.taken) < 2:
            await asyncio.sleep(0.01)
    assert (broker.batches, other.taken, len(made)) == ([["0", "1", "2", "3"]], ["4", "6"], 2)
    return made, other, going


async def test_what_was_not_handed_over_leaves_though_it_was_sent_with_what_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = Slow()
    made, other, going = await half_handed(broker, monkeypatch)
    assert not going.done()
    other.open.set()
    broker.open.set()
    outcomes = await going
    assert [one.position for one in outcomes] == [0, 1, 2, 3, 1004, 5, 1006, 7], "in the order in which they were sent"
    assert broker.batches == [["0", "1", "2", "3"], ["5", "7"]], "keys stay, and nothing goes twice"
    assert made._bytes == 0
    await made.close()


async def test_what_left_and_has_no_answer_in_time_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Slow()
    made, other, going = await half_handed(broker, monkeypatch, deadline=2)
    verdicts = [one.verdict for one in await going]
    assert verdicts == ["unknown"] * 5 + ["refused", "unknown", "refused"]
    other.open.set()
    broker.open.set()
    await made.close()
    assert broker.batches == [["0", "1", "2", "3"]], "what was given up is not sent"


async def test_what_left_and_is_refused_is_said_to_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Slow()
    made, other, going = await half_handed(broker, monkeypatch)
    other.verdict = "refused"
    other.open.set()
    broker.open.set()
    assert [one.verdict for one in await going] == ["accepted"] * 4 + ["refused", "accepted", "refused", "accepted"]
    await made.close()


async def test_closing_waits_for_what_left_and_cut_off_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Slow()
    made, other, going = await half_handed(broker, monkeypatch)
    broker.open.set()
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert [(await going)[place].verdict for place in (4, 6)] == ["unknown"] * 2
    other.open.set()
    await asyncio.sleep(0.02)
    assert other.taken == ["4", "6"]


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_leaves_when_each_goes_once_and_keys_keep_their_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(sending, "BATCH", 5)
    monkeypatch.setattr(sending, "WATCH_SECONDS", 0.001)
    broker, other = Slow(), Other()
    other.open.set()
    made = line(broker)
    made.elsewhere = other.send
    made.leaving = lambda: (lambda frame: int(frame.id) % 3 > 0) if not broker.open.is_set() else None
    numbers, sends = iter(range(10_000)), list[tuple[list[Frame], asyncio.Task[list[SendOutcome]]]]()
    for _ in range(40):
        some = [
            Frame(topic="t", id=f"{next(numbers)}", body=b"x", key=dice.choice(["", "", "k"]))
            for _ in range(dice.randint(1, 12))
        ]
        sends.append((some, asyncio.create_task(made.send(some, 60))))
        (broker.open.set if dice.random() < 0.5 else broker.open.clear)()
        await asyncio.sleep(dice.choice([0, 0, 0.001, 0.004]))
    broker.open.set()
    for some, going in sends:
        outcomes = await going
        said = [(int(frame.id), one) for frame, one in zip(some, outcomes, strict=True)]
        assert all(one.position % 1000 == number for number, one in said if one.verdict == "accepted")
        for frame, one in zip(some, outcomes, strict=True):
            went = sum(frame.id in batch for batch in broker.batches) + other.taken.count(frame.id)
            assert went == (one.verdict == "accepted"), "once, or it may be sent elsewhere by who sent it"
            assert one.verdict == "accepted" or (one.may_pass and not frame.key and int(frame.id) % 3)
    assert broker.batches
    assert other.taken
    keyed = {frame.id for some, _ in sends for frame in some if frame.key}
    assert [int(one) for batch in broker.batches for one in batch if one in keyed] == sorted(map(int, keyed))
    await made.close()
