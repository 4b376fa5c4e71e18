"""ActiveMQ as a broker, when something breaks: nothing accepted is lost, and of a key nothing is seen out of its order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.activemq import broker, connecting, connection, sender
from qiantang.messaging.adapters.activemq.incoming import Incoming
from qiantang.messaging.adapters.sharing import membership
from qiantang.messaging.model import Frame, Message, Resource, Store, Subscription, Topic
from qiantang.messaging.port import SendOutcome, Settle
from qiantang.messaging.testing import Rig, Taker, until
from tests.servers.activemq import ActiveMQ
from tests.servers.consumers import Consumers
from tests.servers.fixtures import Factory
from tests.servers.streams import (
    a_newcomer_gets_its_share,
    a_server_is_killed_twice,
    consuming,
    finished,
    members_come_and_go,
    queues_are_shared_out,
    take,
)

pytestmark = [pytest.mark.activemq, pytest.mark.timeout(300)]  # servers start slowly where others are busy


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


def rig_of(server: ActiveMQ, store: Store | None, **more: str) -> Rig:
    return Rig("activemq", Resource(name="one", url=server.address(**more)), store)


@pytest.fixture
async def rig(activemq_server: ActiveMQ, store: Store) -> AsyncIterator[Rig]:
    made = rig_of(activemq_server, store)
    yield made
    await made.close()


async def opened(server: ActiveMQ, **more: str) -> broker.ActiveMQBroker:
    found = broker.make(Resource(name="one", url=server.address(**more)))
    await found.open()
    return found


def frame(topic: str, id: str, **more: Any) -> Frame:
    return Frame(topic=topic, id=id, text={"mf-v": "2.0", "mf-id": id}, **more)


def topic_of(server: ActiveMQ, queues: int = 2) -> Topic:
    return Topic(name=server.new_name("faults"), clusters=["main"], queues=queues)


async def test_a_server_that_is_killed_and_comes_back(activemq_factory: Factory[ActiveMQ], store: Store) -> None:
    server = await asyncio.to_thread(activemq_factory)
    rig = rig_of(server, store)
    await a_server_is_killed_twice(rig, server.kill, server.start)
    await rig.close()


async def test_a_group_that_is_away_loses_nothing_though_the_server_is_killed_at_once(
    activemq_factory: Factory[ActiveMQ],
) -> None:
    server = await asyncio.to_thread(activemq_factory)
    topic = topic_of(server)
    one = await opened(server)
    await one.ensure(topic, [Subscription(group="away", topic=topic.name)])
    await one.close()
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    sender_ = await opened(server)  # knows of no group
    await sender_.ensure(topic)
    outcomes = await sender_.send([frame(topic.name, f"{number}", body=b"") for number in range(10)])
    assert [outcome.verdict for outcome in outcomes] == ["accepted"] * 10
    assert (await sender_.lag(topic.name, "away")).messages == 10
    await sender_.close()


async def test_a_server_that_stands_still_and_goes_on(
    activemq_factory: Factory[ActiveMQ], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CONFIRM_SECONDS", 1.0)
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 1.0)
    server = await asyncio.to_thread(activemq_factory)
    rig = rig_of(server, store, heartbeat="1")
    topic = rig.topic()
    stream, (bus,) = await consuming(rig, topic)
    await stream.send(50)
    await asyncio.to_thread(server.pause)
    try:
        began = time.monotonic()
        frames = [frame(topic.name, "x", body=b"{}")] * 3
        (link,) = bus._ground.links["main"]  # type: ignore[attr-defined]
        outcomes = [(await link.broker.send(frames))[0] for _ in range(3)]
        assert [one.verdict for one in outcomes] == ["unknown", "refused", "refused"]
        assert time.monotonic() - began < 10
        sending = asyncio.create_task(stream.send(100, deadline=1.0))
        await asyncio.sleep(5)  # the heartbeat ends what consumes as well
    finally:
        await asyncio.to_thread(server.resume)
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    await finished(bus, topic)
    await rig.close()


async def test_closing_does_not_wait_for_a_server_that_stands_still(
    activemq_factory: Factory[ActiveMQ], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CONFIRM_SECONDS", 1.0)
    server = await asyncio.to_thread(activemq_factory)
    rig = rig_of(server, store)
    stream, (bus,) = await consuming(rig, rig.topic())
    await stream.send(10)
    await asyncio.to_thread(server.pause)
    try:
        began = time.monotonic()
        await bus.close()
        assert time.monotonic() - began < 30
    finally:
        await asyncio.to_thread(server.resume)
    await rig.close()


class Line:
    """Between clients and a server: brings bytes both ways until it is cut, and then answers no more."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.deaf = False
        self.swallowed = asyncio.Event()

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, server = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += (writer, server)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._bring(reader, server), self._bring(there, writer, answers=True))

    async def _bring(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        incoming = Incoming()
        while data := await reader.read(65536):
            if answers and self.deaf and any(said.command == "RECEIPT" for said in incoming.feed(data)):
                self.swallowed.set()
            elif not (answers and self.deaf):
                writer.write(data)
        writer.close()


async def test_a_line_that_is_cut_before_the_answer(activemq_server: ActiveMQ) -> None:
    topic = topic_of(activemq_server)
    outside = await opened(activemq_server)
    await outside.ensure(topic, [Subscription(group="g", topic=topic.name)])
    async with Line(activemq_server.port) as line:
        url = activemq_server.address().replace(f":{activemq_server.port}?", f":{line.port}?")
        one = broker.make(Resource(name="one", url=url))
        await one.open()
        await one.ensure(topic)
        frames = [frame(topic.name, f"{number}", body=b"", queue=number % 2) for number in range(10)]
        assert [outcome.verdict for outcome in await one.send(frames[:4])] == ["accepted"] * 4
        line.deaf = True
        sending: asyncio.Task[Any] = asyncio.create_task(_send(one, frames[4:]))
        await asyncio.wait_for(line.swallowed.wait(), 60)
        line.cut()
        line.deaf = False
        assert [outcome.verdict for outcome in await sending] == ["unknown"] * 6
        assert (await outside.lag(topic.name, "g")).messages == 10, "they are there, and nobody could say so"
        await until_sent(one, frames[4:])
        assert (await outside.lag(topic.name, "g")).messages == 16, "sent again under the same ids"
        await one.close()
    await outside.close()


async def _send(one: broker.ActiveMQBroker, frames: list[Frame]) -> list[SendOutcome]:
    return list(await one.send(frames))


async def until_sent(one: broker.ActiveMQBroker, frames: list[Frame]) -> None:
    ends = time.monotonic() + 60
    while {outcome.verdict for outcome in await one.send(frames)} != {"accepted"}:
        assert time.monotonic() < ends
        await asyncio.sleep(0.1)


async def test_lines_that_are_cut_while_messages_go_both_ways(activemq_server: ActiveMQ, store: Store) -> None:
    async with Line(activemq_server.port) as line:
        url = activemq_server.address().replace(f":{activemq_server.port}?", f":{line.port}?")
        rig = Rig("activemq", Resource(name="one", url=url), store)
        topic = rig.topic()
        stream, (bus, _) = await consuming(rig, topic, 2)
        dice = random.Random(3)
        stream.fails = lambda: dice.random() < 0.1
        sending = asyncio.create_task(stream.send(600))
        for _ in range(4):
            await asyncio.sleep(0.7)
            line.cut()
        await sending
        await until(stream.complete, stream.progress)
        stream.check()
        await finished(bus, topic)
        await rig.close()


async def test_members_that_come_and_go_while_messages_fail(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "DRAIN_SECONDS", 5.0)
    await members_come_and_go(rig)


async def test_queues_are_shared_out_among_members(activemq_server: ActiveMQ) -> None:
    rig = rig_of(activemq_server, None)
    topic, holds = await queues_are_shared_out(rig)
    other = await opened(activemq_server)
    await a_newcomer_gets_its_share(other, topic, holds)
    await other.close()
    await rig.close()


@pytest.mark.process
async def test_members_that_are_killed_lose_nothing_and_no_order(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    await Consumers(rig, topic, tmp_path).lose_nothing_while_they_are_killed(bus)


ONCE = """
import os, signal
from pathlib import Path
_flag = Path({flag!r})

def end_once():
    if not _flag.exists():
        _flag.write_text("")
        {end}

import qiantang.messaging.client.working as working
_call = working.Work._call

async def _ending(self, arguments, count):
    if arguments[0] == 40:
        end_once()
    return await _call(self, arguments, count)

working.Work._call = _ending
"""


@pytest.mark.process
@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGSTOP)"])
async def test_a_handler_that_ends_or_stops_its_process(activemq_server: ActiveMQ, tmp_path: Path, end: str) -> None:
    # without a store: SQLite's would be kept locked where a process stops in the middle of a transaction
    rig = rig_of(activemq_server, None, heartbeat="1")
    topic = rig.topic()
    bus = await rig.bus(topic)
    first = ONCE.format(flag=str(tmp_path / "flag"), end=end)
    consumers = Consumers(rig, topic, tmp_path, first)
    running = consumers._running  # type: ignore[attr-defined]
    try:
        consumers.start()
        consumers.start()
        while not consumers.seen():
            await bus.send(topic.name, 0, key="k0")
            await asyncio.sleep(0.2)
        for number in range(1, 101):
            await bus.send(topic.name, number, key=f"k{number % 7}")
        await rig.until(lambda: {body for _, _, body in consumers.seen()} >= set(range(1, 101)), "all taken")
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)  # who stood still finds that it holds nothing any more
        for number in range(101, 131):
            await bus.send(topic.name, number, key=f"k{number % 7}")
        await rig.until(lambda: {body for _, _, body in consumers.seen()} >= set(range(1, 131)), "all taken")
    finally:
        for process in running:
            process.kill()
            process.wait(10)
    for key in range(7):
        firsts = list(dict.fromkeys(body for _, name, body in consumers.seen() if name == f"k{key}" and body))
        assert firsts == [number for number in range(1, 131) if number % 7 == key]
    await rig.close()


async def test_what_a_member_has_in_hand_goes_to_another_when_it_is_lost(activemq_server: ActiveMQ) -> None:
    topic = topic_of(activemq_server, 1)
    group = Subscription(group="g", topic=topic.name)
    one, other = [await opened(activemq_server) for _ in range(2)]
    for each in (one, other):
        await each.ensure(topic, [group])
    first = await one.receive(group, "one")
    await until(lambda: len(first.holds) == 1)
    await other.send([frame(topic.name, f"{number}", body=b"", key="k") for number in range(10)])
    await until(lambda: first.holdings.unfinished() == 10)
    taken = await first.fetch(4, 10**6, 30)
    await first.settle([Settle(taken=taken[0]), Settle(taken=taken[1], what="back")])
    assert [each.frame.id for each in await first.fetch(1, 10**6, 30)] == [taken[1].frame.id], "in its place"
    second = await other.receive(group, "other", ["0"])
    assert await second.fetch(10, 10**6, 0.5) == [], "the first has it still"
    (await one._consuming.get()).cut()  # type: ignore[attr-defined]
    await until(lambda: len(second.holds) == 1)
    found: list[str] = []
    ends = time.monotonic() + 60
    while len(found) < 9:
        assert time.monotonic() < ends, found
        found += [each.frame.id for each in await second.fetch(10, 10**6, 1)]
    assert found == [f"{number}" for number in range(1, 10)]
    await first.settle([Settle(taken=taken[2])])  # nothing is told of what was under a hold that is lost
    assert (await other.lag(topic.name, "g")).messages == 9
    for each in (one, other):
        await each.close()


async def test_what_others_put_into_a_queue_is_dead_at_once_and_keeps_nobody_back(
    activemq_server: ActiveMQ, store: Store
) -> None:
    rig = rig_of(activemq_server, store)
    topic, taker = rig.topic(queues=1), Taker()
    dead = Topic(name=f"dead.g{topic.name}", clusters=["main"], queues=1)
    letters = await opened(activemq_server)
    await letters.ensure(dead, [Subscription(group="letters", topic=dead.name)])
    bus = await rig.bus(topic)
    bus.subscribe(topic.name, group=f"g{topic.name}", order="key")(taker)
    await rig.joined(bus, topic, f"g{topic.name}")
    foreign = await connecting.supervisor(broker.Address(activemq_server.url), "foreign", nothing).get()
    where = f"/topic/VirtualTopic.{topic.name}.0"
    for headers, body in (
        ("", b"plain"),
        ("mf-v:9.9\n", b"{}"),
        ("mf-v:2.0\nmf-codec:json\nmf-bin:a\na:%%\ncontent-length:2\n", b"\0\xff"),
        ("mf-v:2.0\nmf-codec:json\nmf-id:9\nmf-prio:high\npriority:9\n", b"{"),
    ):
        receipt = foreign.next()
        data = f"SEND\ndestination:{where}\npersistent:true\nreceipt:{receipt}\n{headers}\n".encode() + body + b"\0"
        await foreign.ask(data, receipt)
    await bus.send(topic.name, "good", key="k")
    await until(lambda: taker.bodies == ["good"], lambda: taker.bodies)
    await finished_of(bus, topic, f"g{topic.name}")
    assert (await letters.lag(dead.name, "letters")).messages == 4
    await letters.close()
    await foreign.end()
    await rig.close()


async def nothing(_: connection.StompConnection) -> None: ...


async def finished_of(bus: Any, topic: Topic, group: str) -> None:
    ends = time.monotonic() + 60
    while (lag := await bus.lag(topic.name, group)).messages:
        assert time.monotonic() < ends, lag
        await asyncio.sleep(0.05)


async def test_a_message_too_large_for_the_server(activemq_server: ActiveMQ) -> None:
    topic = topic_of(activemq_server, 1)
    frames = [frame(topic.name, f"{size}", body=b"x" * size) for size in (10, 17 * 1024 * 1024, 11)]
    one = await opened(activemq_server, max_message_size=f"{16 * 1024 * 1024}")
    assert one.capabilities.max_frame == 16 * 1024 * 1024
    assert one.capabilities.version.startswith("5.")
    await one.ensure(topic)
    outcomes = await one.send(frames)
    assert [outcome.verdict for outcome in outcomes] == ["accepted", "refused", "accepted"]
    assert isinstance(outcomes[1].error, messaging_errors.BodyTooLargeError)
    await one.close()
    other = await opened(activemq_server)
    assert other.capabilities.max_frame == 100 * 1024 * 1024, "what is known of its default"
    await other.ensure(topic)
    assert "accepted" not in {outcome.verdict for outcome in await other.send(frames[1:])}, "of it and what is with it"
    await until_sent(other, [frames[0], frames[2]])
    await other.close()


async def test_a_topic_with_more_queues_loses_nothing_whoever_knows_of_them(activemq_server: ActiveMQ) -> None:
    few, many = await opened(activemq_server), await opened(activemq_server)
    name = activemq_server.new_name("grow")
    group = Subscription(group="g", topic=name)
    await few.ensure(Topic(name=name, clusters=["main"], queues=2), [group])
    receiver = await few.receive(group, "few")
    taken: list[str] = []
    await many.ensure(Topic(name=name, clusters=["main"], queues=7))
    frames = [frame(name, f"{number}", body=b"", queue=number) for number in range(7)]
    await many.send(frames)
    await take(receiver, taken, 7)
    assert sorted(taken) == [f"{number}" for number in range(7)]
    await many.ensure(Topic(name=name, clusters=["main"], queues=7), [group])
    other = await many.receive(group, "many")
    await until(lambda: len(receiver.holds) + len(other.holds) == 7 and len(other.holds) == 3, lambda: receiver.holds)
    again = await opened(activemq_server)
    await again.ensure(Topic(name=name, clusters=["main"], queues=2), [group])
    await many.send(frames)
    assert (await again.lag(name, "g")).messages == 7, "it knows all queues"
    for one in (again, few, many):
        await one.close()


async def test_who_is_not_let_in_is_told_so_and_no_password_is_shown(
    activemq_server: ActiveMQ, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = f"127.0.0.1:{activemq_server.port}"
    wrong: list[tuple[str, type[errors.QiantangError]]] = [
        (f"stomp://app:s3cret@{place}", errors.UnauthenticatedError),
        (f"stomp://nobody:s3cret@{place}", errors.UnauthenticatedError),
        (f"stomp://{place}", errors.UnauthenticatedError),
        ("stomp://app:s3cret@127.0.0.1:1", messaging_errors.BrokerAwayError),
    ]
    for url, error in wrong:
        one = broker.make(Resource(name="one", url=url))
        with pytest.raises(error) as caught:
            await one.open()
        assert "s3cret" not in str(caught.value)
        await one.close()
    assert "s3cret" not in caplog.text


async def test_what_is_not_known_is_said_by_name(activemq_server: ActiveMQ) -> None:
    one = await opened(activemq_server)
    topic = topic_of(activemq_server)
    (outcome,) = await one.send([frame("nowhere", "1", body=b"")])
    assert isinstance(outcome.error, messaging_errors.UnknownTopicError)
    with pytest.raises(messaging_errors.UnknownTopicError):
        await one.receive(Subscription(group="g", topic="nowhere"), "me")
    with pytest.raises(messaging_errors.UnknownTopicError):
        await one.lag("nowhere", "g")
    await one.ensure(topic)
    with pytest.raises(messaging_errors.UnknownTopicError):
        await one.lag(topic.name, "nobody")
    await one.close()
    assert [outcome.verdict for outcome in await one.send([frame(topic.name, "1", body=b"")])] == ["refused"]
    plain = broker.make(Resource(name="one", url=activemq_server.url))
    await plain.open()
    await plain.ensure(topic)
    with pytest.raises(messaging_errors.FeatureMissingError, match="jolokia="):
        await plain.lag(topic.name, "g")
    await plain.close()
    wrong = broker.make(Resource(name="one", url=activemq_server.address().replace("admin-pw", "s3cret")))
    await wrong.open()
    await wrong.ensure(topic)
    with pytest.raises(errors.UnauthenticatedError) as caught:
        await wrong.lag(topic.name, "g")
    assert "s3cret" not in str(caught.value)
    await wrong.close()


async def test_a_server_that_is_absent_at_the_start(activemq_factory: Factory[ActiveMQ], store: Store) -> None:
    server = await asyncio.to_thread(activemq_factory)
    await asyncio.to_thread(server.kill)
    rig = rig_of(server, store)
    topic, taker = rig.topic(), Taker()
    bus = rig.made(topic)
    bus.subscribe(topic.name)(taker)
    await bus.open()
    (sent,) = await bus.send_many([Message(topic=topic.name, body=1)], deadline=1.0)
    assert not sent.ok
    assert isinstance(sent.error, messaging_errors.BrokerAwayError), sent.error
    await asyncio.to_thread(server.start)
    await rig.joined(bus, topic)
    ends = time.monotonic() + 60
    while 2 not in taker.bodies:
        assert time.monotonic() < ends
        await bus.send_many([Message(topic=topic.name, body=2)], deadline=2.0)
        await asyncio.sleep(0.2)
    await rig.close()


async def test_a_group_that_ends_with_its_only_member(activemq_server: ActiveMQ) -> None:
    one, other = [await opened(activemq_server) for _ in range(2)]
    topic = topic_of(activemq_server)
    group = Subscription(group="mine", topic=topic.name, broadcast=True)
    await other.ensure(topic)
    await one.ensure(topic, [group])
    await other.send([frame(topic.name, "before", body=b"")])
    receiver = await one.receive(group, "me")
    assert receiver.holds == {"0": 1, "1": 2}
    await other.send([frame(topic.name, f"{number}", body=b"", key=f"{number}") for number in range(10)])
    taken: list[Any] = []
    ends = time.monotonic() + 60
    while len(taken) < 10:
        assert time.monotonic() < ends, taken
        taken += await receiver.fetch(10, 10**6, 1)
    assert sorted(each.frame.id for each in taken) == [f"{number}" for number in range(10)]
    assert (await one.lag(topic.name, "mine")).messages == 10
    await receiver.settle([Settle(taken=each) for each in taken])
    assert (await one.lag(topic.name, "mine")).messages == 0
    (await one._consuming.get()).cut()  # type: ignore[attr-defined]
    await until(lambda: bool(receiver.holds) and min(receiver.holds.values()) > 2, lambda: receiver.holds)
    await other.ensure(Topic(name=topic.name, clusters=["main"], queues=3))
    await other.send([frame(topic.name, "more", body=b"", queue=2)])
    (more,) = await receiver.fetch(10, 10**6, 60)
    assert (more.frame.id, more.queue) == ("more", "2")
    await receiver.close()
    with pytest.raises(messaging_errors.UnknownTopicError):
        await one.lag(topic.name, "mine")
    for each in (one, other):
        await each.close()
