"""Shrinking: where messages of a topic that shrinks go, who waits, and what is refused meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.client import moving, shrinking
from qiantang.messaging.client.shrinking import Shrinks
from qiantang.messaging.model import Frame, Resource, Topic
from qiantang.messaging.model.estate import Shrinking
from qiantang.messaging.model.spreading import queue_of_key
from qiantang.messaging.port import Lag, SendOutcome
from qiantang.messaging.testing import Rig, until

QUEUES, STAYING = 4, 2
LEAVING = next(key for key in "abcdefgh" if queue_of_key(key, QUEUES) >= STAYING)
STAYS = next(key for key in "abcdefgh" if queue_of_key(key, QUEUES) < STAYING)
TOPIC = Topic(name="t", clusters=["main"], queues=QUEUES, shrink=Shrinking(queues=STAYING, groups=["g", "h"]))


class Server:
    """What is known of a broker: how many queues, and what groups have left."""

    def __init__(self) -> None:
        self.left = {"g": 0, "h": 0}
        self.asked: list[int] = []
        self.went: list[int] = []
        self.away = False
        self.verdict = SendOutcome(verdict="accepted")
        self.gate = asyncio.Event()
        self.gate.set()

    async def lag(self, _topic: str, group: str, first: int) -> Lag:
        self.asked.append(first)
        if self.away:
            raise messaging_errors.BrokerAwayError("away")
        return Lag(messages=self.left[group])

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        await self.gate.wait()
        self.went += [one.queue for one in frames]
        return [self.verdict] * len(frames)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(shrinking, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(shrinking, "STAYING_SECONDS", 0.01)
    monkeypatch.setattr(moving, "REST_SECONDS", 0.1)
    return Server()


@pytest.fixture
async def shrinks(server: Server) -> AsyncIterator[Shrinks]:
    made = Shrinks("main/one", lambda _: QUEUES, server.lag)
    made.know({"t": TOPIC})
    yield made
    await made.close()


def frame(key: str = "", topic: str = "t", queue: int = -1) -> Frame:
    return Frame(topic=topic, id="x", body=b"", key=key, queue=queue)


async def test_what_has_no_key_and_what_stays_go_at_once(shrinks: Shrinks, server: Server) -> None:
    server.left["g"] = 10**6
    for _ in range(2):
        frames = [frame(), frame(STAYS), frame(topic="other"), frame(queue=1)]
        assert await shrinks.admit(frames) is None
        await shrinks.send(frames, server.send)
    assert server.went == [0, queue_of_key(STAYS, QUEUES), -1, 1, 1, queue_of_key(STAYS, QUEUES), -1, 1]
    assert not server.asked


@pytest.mark.parametrize("moves", [frame(LEAVING), frame(queue=3)])
async def test_a_key_waits_for_all_groups_and_moves(shrinks: Shrinks, server: Server, moves: Frame) -> None:
    moves = msgspec.structs.replace(moves)
    server.left["h"] = 3
    waiting = asyncio.create_task(shrinks.admit([moves]))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert set(server.asked) == {STAYING}
    server.left["h"] = 0
    assert await waiting is None
    await shrinks.send([moves], server.send)
    assert server.went == [queue_of_key(LEAVING, STAYING) if moves.key else 1]
    asked = len(server.asked)
    assert await shrinks.admit([frame(LEAVING)]) is None
    assert len(server.asked) == asked, "what has moved is not asked for again"


async def test_a_group_that_does_not_finish_keeps_keys_where_they_are(
    shrinks: Shrinks, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "HOLD_SECONDS", 0.05)
    server.left["g"] = 5
    done = await shrinks.admit([frame(LEAVING)])
    assert done is not None
    await shrinks.send([frame(LEAVING)], server.send)
    assert server.went == [-1], "its queue is chosen as before"
    server.left["g"] = 0
    monkeypatch.setattr(moving, "HOLD_SECONDS", 60)
    while shrinks._topics["t"].move.state == "staying":  # who sends has it looked at
        again = await shrinks.admit([frame(LEAVING)])
        assert again is not None
        again()
        await asyncio.sleep(0.02)
    waiting = asyncio.create_task(shrinks.admit([frame(LEAVING)]))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "the first is on its way still, so that nothing is sure"
    done()
    assert await waiting is None


async def test_who_waits_for_one_topic_holds_up_no_other(shrinks: Shrinks, server: Server) -> None:
    shrinks.know({"t": TOPIC, "u": msgspec.structs.replace(TOPIC, name="u")})
    (one, other) = shrinks._topics.values()
    one.move.state, one.move._again = "staying", 0.0
    server.left["g"] = 5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await shrinks.admit([frame(LEAVING), frame(LEAVING, topic="u")])
    assert one.move.is_quiet, "what was not sent is not on its way"
    assert other.move.is_quiet


async def test_what_goes_past_the_line_is_refused_while_keys_move(shrinks: Shrinks, server: Server) -> None:
    server.left["g"] = 1
    sent = await shrinks.send([frame(LEAVING), frame(STAYS)], server.send)
    assert [one.verdict for one in sent] == ["refused", "accepted"]
    assert sent[0].may_pass
    assert server.went == [queue_of_key(STAYS, QUEUES)]
    server.left["g"] = 0
    await until(lambda: shrinks._topics["t"].move.state == "moved")
    assert [one.verdict for one in await shrinks.send([frame(LEAVING)], server.send)] == ["accepted"]


async def test_a_broker_that_cannot_be_asked_makes_nobody_wait(shrinks: Shrinks, server: Server) -> None:
    server.away = True
    async with asyncio.timeout(moving.HOLD_SECONDS / 2):
        assert await shrinks.admit([frame(LEAVING)]) is not None


async def test_a_topic_that_is_to_shrink_no_more_lets_who_waits_go_on(shrinks: Shrinks, server: Server) -> None:
    server.left["g"] = 1
    waiting = asyncio.create_task(shrinks.admit([frame(LEAVING)]))
    await asyncio.sleep(0.02)
    shrinks.know({"t": msgspec.structs.replace(TOPIC, shrink=None)})
    async with asyncio.timeout(1):
        await waiting
    assert not shrinks


async def test_a_topic_that_shrinks_as_before_goes_on(shrinks: Shrinks, server: Server) -> None:
    await shrinks.admit([frame(LEAVING)])
    shrinks.know({"t": msgspec.structs.replace(TOPIC, max_body=10)})
    server.left["g"] = 1
    assert await shrinks.admit([frame(LEAVING)]) is None, "it has moved already"


def test_more_queues_than_there_were_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="shrink to 5 queues and has 4"):
        msgspec.convert(
            {"name": "t", "clusters": ["main"], "queues": 4, "shrink": {"queues": 5, "groups": ["g"]}}, Topic
        )


async def test_who_sends_is_told_where_keys_do_not_move_in_time() -> None:
    rig = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    topic = rig.topic(queues=QUEUES)
    bus, consuming = await rig.bus(topic), await rig.bus(topic)
    gate = asyncio.Event()

    async def take(_body: int) -> None:
        await gate.wait()

    consuming.subscribe(topic.name, order="key")(take)
    await rig.joined(consuming, topic)
    await bus.send(topic.name, 1, key=LEAVING)
    shrink = Shrinking(queues=STAYING, groups=["order"])
    await bus.change(rig.estate(msgspec.structs.replace(topic, shrink=shrink)))
    with pytest.raises(errors.UnavailableError, match="moving to other queues"):
        await bus.send(topic.name, 2, key=LEAVING, deadline=0.2)
    assert (await bus.send(topic.name, 3, key=STAYS, deadline=0.2)).ok
    assert (await bus.lag(topic.name, "order", first=STAYING)).messages == 1
    gate.set()
    assert (await bus.send(topic.name, 4, key=LEAVING)).queue in ("0", "1")
    await rig.close()
