"""RocketMQ as a broker, when something breaks: nothing accepted is lost, and of a key nothing is seen out of its order."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.rocketmq import broker, holds, names, passing, sender
from qiantang.messaging.adapters.rocketmq.receiver import RocketReceiver
from qiantang.messaging.adapters.rocketmq.wire import Code
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Context, Frame, Message, Resource, Store, Subscription, Topic
from qiantang.messaging.port import Feature, Settle
from qiantang.messaging.testing import Rig, until
from tests.servers.consumers import Consumers
from tests.servers.fixtures import Factory
from tests.servers.process import HOST
from tests.servers.remoting import SEND, RemotingError, remoting
from tests.servers.rocketmq import RocketMQ
from tests.servers.streams import (
    QUICK,
    Stream,
    a_server_is_killed_twice,
    consuming,
    finished,
    members_come_and_go,
    queues_are_shared_out,
    take,
)

pytestmark = [pytest.mark.rocketmq, pytest.mark.timeout(300)]  # servers start slowly where others are busy


def url_of(server: RocketMQ) -> str:
    return f"rocketmq://{server.names.hosts}"


def rig_of(server: RocketMQ, folder: Path) -> Rig:
    store = Store(url=f"sqlite:///{folder / 'store.sqlite3'}")
    return Rig("rocketmq", Resource(name="one", url=url_of(server)), store)


@pytest.fixture
async def rig(rocketmq_server: RocketMQ, tmp_path: Path) -> AsyncIterator[Rig]:
    made = rig_of(rocketmq_server, tmp_path)
    yield made
    await made.close()


async def opened(server: RocketMQ) -> broker.RocketBroker:
    one = broker.make(Resource(name="one", url=url_of(server)))
    await one.open()
    return one


async def test_a_broker_that_is_killed_and_comes_back(rocketmq_factory: Factory[RocketMQ], tmp_path: Path) -> None:
    server = await asyncio.to_thread(rocketmq_factory)
    rig = rig_of(server, tmp_path)
    await a_server_is_killed_twice(rig, server.broker.kill, server.broker.start)
    await rig.close()


async def test_a_broker_that_stands_still_and_goes_on(
    rocketmq_factory: Factory[RocketMQ], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "SEND_SECONDS", 1.0)
    monkeypatch.setattr(holds, "RENEW_SECONDS", 1.0)
    monkeypatch.setattr(holds, "LAPSE_SECONDS", 4.0)
    server = await asyncio.to_thread(rocketmq_factory)
    rig = rig_of(server, tmp_path)
    topic = rig.topic()
    stream, (bus,) = await consuming(rig, topic)
    await stream.send(50)
    (link,) = bus._ground.links["main"]  # type: ignore[attr-defined]
    server.broker.pause()
    try:
        frames = [Frame(topic=topic.name, id="x", body=b"{}", text={"mf-v": "2.0", "mf-id": "x"})]
        began = time.monotonic()
        assert [(await link.broker.send(frames))[0].verdict] == ["unknown"]
        assert time.monotonic() - began < 10
        sending = asyncio.create_task(stream.send(100, deadline=1.0))
        await asyncio.sleep(8)  # beyond what a hold is believed in
        (consumer,) = bus.consumers(topic.name)
        assert not consumer._receiver._inner.holds  # type: ignore[union-attr]
    finally:
        server.broker.resume()
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    await finished(bus, topic)
    await rig.close()


async def test_name_servers_that_are_away_keep_nobody_from_going_on(
    rocketmq_factory: Factory[RocketMQ], tmp_path: Path
) -> None:
    server = await asyncio.to_thread(rocketmq_factory)
    rig = rig_of(server, tmp_path)
    topic = rig.topic()
    stream, (bus,) = await consuming(rig, topic)
    await asyncio.to_thread(server.names.kill)
    await stream.send(50)
    await until(stream.complete, stream.progress)
    await asyncio.sleep(4)
    await stream.send(50)
    await until(stream.complete, stream.progress)
    stream.check()
    await asyncio.to_thread(server.names.start)
    await bus.close()
    await rig.close()


async def test_members_that_come_and_go_while_messages_fail(rig: Rig) -> None:
    await members_come_and_go(rig)


async def test_queues_are_shared_out_among_members(rig: Rig) -> None:
    await queues_are_shared_out(rig)


@pytest.mark.process
async def test_members_that_are_killed_lose_nothing_and_no_order(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    await Consumers(rig, topic, tmp_path).lose_nothing_while_they_are_killed(bus)


async def test_a_connection_that_is_cut_before_the_answer_makes_an_unknown_outcome(
    rocketmq_factory: Factory[RocketMQ],
) -> None:
    server = await asyncio.to_thread(rocketmq_factory)
    one = await opened(server)
    topic, group = Topic(name="cut", clusters=["main"], queues=1), Subscription(group="g", topic="cut")
    await one.ensure(topic, [group])
    frames = [Frame(topic="cut", id=f"{number}", body=b"x") for number in range(3)]
    assert [found.verdict for found in await one.send(frames)] == ["accepted"] * 3
    server.broker.pause()
    sending = asyncio.create_task(one.send(frames))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.broker.kill)
    outcomes = await sending
    assert [found.verdict for found in outcomes] == ["unknown"] * 3
    assert isinstance(outcomes[0].error, messaging_errors.OutcomeUnknownError)
    refused = (await one.send(frames))[0]
    assert refused.verdict == "refused"
    assert isinstance(refused.error, messaging_errors.BrokerAwayError)
    await asyncio.to_thread(server.broker.start)
    receiver = await one.receive(group, "after")
    taken: list[str] = []
    await take(receiver, taken, 3)
    assert taken[:3] == ["0", "1", "2"]
    await one.close()


async def test_what_is_not_settled_comes_to_the_next_member_in_its_order(rocketmq_server: RocketMQ) -> None:
    one, other = await opened(rocketmq_server), await opened(rocketmq_server)
    topic, group = Topic(name="next", clusters=["main"], queues=1), Subscription(group="g", topic="next")
    for each in (one, other):
        await each.ensure(topic, [group])
    first = await one.receive(group, "one")
    frames = [Frame(topic="next", id=f"{number}", body=b"x", key="k") for number in range(10)]
    outcomes = await one.send(frames)
    assert [found.position for found in outcomes] == list(range(10)), "positions are those of the queue"
    batch: list[str] = []
    taken = []
    while len(taken) < 10:
        taken += await first.fetch(10, 10**6, 5)
    assert [each.position for each in taken] == list(range(10))
    await first.settle([Settle(taken=each) for each in taken[:3]] + [Settle(taken=taken[5])])
    assert (await one.lag("next", "g")).in_flight == 6
    await first.close()
    assert (await other.lag("next", "g")).messages == 7, "up to where there is a gap"
    second = await other.receive(group, "two")
    await take(second, batch, 7)
    assert batch == [f"{number}" for number in range(3, 10)]
    for each in (one, other):
        await each.close()


async def share(receivers: Sequence[RocketReceiver]) -> None:
    """Wait until four queues are shared out among two members; locks of others would keep them for a minute."""
    await until(lambda: [len(one.holds) for one in receivers] == [2, 2], lambda: [one.holds for one in receivers], 20)


async def test_members_that_die_together_keep_no_queues_from_those_who_come_after_them(
    rocketmq_server: RocketMQ,
) -> None:
    one, other = await opened(rocketmq_server), await opened(rocketmq_server)
    topic, group = Topic(name="replaced", clusters=["main"], queues=4), Subscription(group="g", topic="replaced")
    for each in (one, other):
        await each.ensure(topic, [group])
    gone = [await one.receive(group, "a"), await other.receive(group, "b")]
    await share(gone)
    for receiver in gone:  # as processes that die: they say nothing
        receiver.membership._task.cancel()
        await receiver.membership.holds.end()
        await receiver.membership._remotes.close()
    came = await asyncio.gather(one.receive(group, "c"), other.receive(group, "d"))
    await share(came)
    for each in (one, other):
        await each.close()


async def test_what_a_member_locked_and_did_not_get_is_given_back(
    rocketmq_server: RocketMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await opened(rocketmq_server), await opened(rocketmq_server)
    topic, group = Topic(name="broken.off", clusters=["main"], queues=4), Subscription(group="g", topic="broken.off")
    for each in (one, other):
        await each.ensure(topic, [group])
    first = await one.receive(group, "a")
    tried = asyncio.Event()

    async def fail(_: object) -> NoReturn:
        tried.set()
        raise messaging_errors.BrokerAwayError("it is just coming back")

    with monkeypatch.context() as patch:
        patch.setattr(first.membership._group, "starts", fail)
        for connection in list(first.membership._beats):
            connection.cut()
        await tried.wait()
        second = await other.receive(group, "b")
        assert not second.holds
    await share([first, second])
    for each in (one, other):
        await each.close()


ENDS = """
import builtins, os
calls = []
def open(*args):
    calls.append(1)
    if len(calls) == 5:
        os._exit(9)
    return builtins.open(*args)
"""


@pytest.mark.process
async def test_a_handler_that_ends_its_process_leaves_all_to_one_that_never_knew_it(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    consumers = Consumers(rig, topic, tmp_path, ENDS)
    consumers.start()
    stream = Stream(bus, topic)
    while not consumers.seen():  # the group receives what is sent once it has joined
        await bus.send(topic.name, -1, key="first")
        await asyncio.sleep(0.2)
    await stream.send(50)
    await until(lambda: consumers.has_ended(0), consumers.seen)

    async def take(body: int, context: Context) -> None:
        if body >= 0:
            await stream.take(body, context)

    for _, key, body in consumers.seen():
        await take(body, Context(id="", topic=topic.name, group="order", key=key))
    bus.subscribe(topic.name, order="key", retry=QUICK)(take)
    await until(stream.complete, stream.progress)
    stream.check()
    await finished(bus, topic)


async def test_bytes_of_others_become_dead_letters_and_disturb_nobody(rocketmq_server: RocketMQ, rig: Rig) -> None:
    topic = rig.topic(queues=1)
    dead = Topic(name="dead.reading", clusters=["main"], queues=1)
    bus = await rig.bus(topic, dead)
    taken: list[object] = []

    async def take(body: object) -> None:
        taken.append(body)

    bus.subscribe(topic.name, group="reading", retry=QUICK)(take)
    await rig.joined(bus, topic, "reading")
    foreign = {
        "producerGroup": "others",
        "topic": names.topic_name(topic.name),
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": 4,
        "queueId": 0,
        "sysFlag": 0,
        "bornTimestamp": 0,
        "flag": 0,
        "properties": "mf-v\x012.0\x02mf-bin\x01raw\x02raw\x01é\x02mf-sent\x01soon\x02",
        "reconsumeTimes": 0,
    }
    await asyncio.to_thread(remoting, rocketmq_server.broker.port, SEND, foreign, b"\xff\xfe\x00")
    foreign["properties"] = ""
    await asyncio.to_thread(remoting, rocketmq_server.broker.port, SEND, foreign, struct.pack(">q", -1))
    await bus.send(topic.name, "after")
    (consumer,) = bus.consumers(topic.name, "reading")
    await rig.until(lambda: taken == ["after"] and consumer.counts.dead == 2, (taken, consumer.counts))
    await finished_group(bus, topic, "reading")


async def test_through_a_proxy(rocketmq_server: RocketMQ) -> None:
    alone = broker.make(Resource(name="one", url=f"rocketmq://{rocketmq_server.proxy.remoting_hosts}"))
    await alone.open()
    assert Feature.DELAY not in alone.capabilities.native, "it does not say how its brokers are set"
    topic, group = Topic(name="proxied", clusters=["main"], queues=2), Subscription(group="g", topic="proxied")
    with pytest.raises(messaging_errors.UnknownTopicError, match="mqadmin updateTopic"):
        await alone.ensure(topic, [group])
    url = f"rocketmq://{rocketmq_server.proxy.remoting_hosts}?namesrv={rocketmq_server.names.hosts}"
    one = broker.make(Resource(name="one", url=url))
    await one.open()
    await one.ensure(topic, [group])
    await alone.ensure(topic, [group])
    receiver = await alone.receive(group, "m")
    frames = [Frame(topic="proxied", id=f"{number}", body=b"x") for number in range(10)]
    assert [found.verdict for found in await one.send(frames)] == ["accepted"] * 10
    taken: list[str] = []
    await take(receiver, taken, 10)
    assert sorted(taken) == sorted(frame.id for frame in frames)
    await receiver.close()
    while (await one.lag("proxied", "g")).messages:  # the proxy tells the broker in its own time
        await asyncio.sleep(0.05)
    for each in (one, alone):
        await each.close()


async def finished_group(bus: MessageBus, topic: Topic, group: str) -> None:
    ends = time.monotonic() + 60
    while (lag := await bus.lag(topic.name, group)).messages:
        assert time.monotonic() < ends, lag
        await asyncio.sleep(0.05)


async def test_one_message_that_is_too_large_keeps_no_other_of_its_batch(rocketmq_server: RocketMQ) -> None:
    one = await opened(rocketmq_server)
    assert one.capabilities.max_frame == 4 * 1024 * 1024
    assert one.capabilities.version.startswith("5.")
    await one.ensure(Topic(name="large", clusters=["main"], queues=1))
    frames = [Frame(topic="large", id=f"{size}", body=b"x" * size) for size in (10, 5 * 1024 * 1024, 11)]
    outcomes = await one.send(frames)
    assert [found.verdict for found in outcomes] == ["accepted", "refused", "accepted"]
    assert isinstance(outcomes[1].error, messaging_errors.BodyTooLargeError)
    many = Frame(topic="large", id="many", body=b"", text={f"h{number}": "x" * 8000 for number in range(5)})
    (found,) = await one.send([many])
    assert isinstance(found.error, messaging_errors.InvalidMessageError)
    await one.close()


async def test_a_topic_with_more_queues_loses_nothing_whoever_knows_of_them(rocketmq_server: RocketMQ) -> None:
    few, many = await opened(rocketmq_server), await opened(rocketmq_server)
    group = Subscription(group="g", topic="grow")
    await few.ensure(Topic(name="grow", clusters=["main"], queues=2), [group])
    receiver = await few.receive(group, "few")
    await many.ensure(Topic(name="grow", clusters=["main"], queues=5))
    frames = [Frame(topic="grow", id=f"{number}", body=b"", queue=number) for number in range(5)]
    assert [one.queue for one in await many.send(frames)] == [f"{number}" for number in range(5)]
    taken: list[str] = []
    await take(receiver, taken, 5)
    assert sorted(taken) == [f"{number}" for number in range(5)]
    await few.ensure(Topic(name="grow", clusters=["main"], queues=2), [group])
    async with asyncio.timeout(30):
        while (await few.lag("grow", "g")).messages:  # offsets are told in the background
            await asyncio.sleep(0.1)
    for one in (few, many):
        await one.close()


async def test_what_is_missing_is_said_at_once(rocketmq_server: RocketMQ) -> None:
    one = await opened(rocketmq_server)
    (found,) = await one.send([Frame(topic="nowhere", id="x", body=b"")])
    assert isinstance(found.error, messaging_errors.UnknownTopicError)
    with pytest.raises(messaging_errors.UnknownTopicError):
        await one.receive(Subscription(group="g", topic="nowhere"), "m")
    await one.close()
    await one.close()
    (found,) = await one.send([Frame(topic="nowhere", id="x", body=b"")])
    assert isinstance(found.error, messaging_errors.BusClosedError)


async def test_a_group_that_somebody_removed_is_made_anew(rocketmq_server: RocketMQ, rig: Rig) -> None:
    bus, topic, taker = await rig.taking(rig.topic())
    fields = {"groupName": names.group_name(topic.name, "order"), "cleanOffset": "false"}
    await asyncio.to_thread(remoting, rocketmq_server.broker.port, Code.REMOVE_GROUP, fields)
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(10)])
    await rig.until(lambda: sorted(set(taker.bodies)) == list(range(10)), taker.bodies)


_AUTH = "org.apache.rocketmq.auth"
GUARDED = {
    "authenticationEnabled": "true",
    "authenticationProvider": f"{_AUTH}.authentication.provider.DefaultAuthenticationProvider",
    "authenticationMetadataProvider": f"{_AUTH}.authentication.provider.LocalAuthenticationMetadataProvider",
    "initAuthenticationUser": '{"username":"admin","password":"s3cret-1"}',
    "innerClientAuthenticationCredentials": '{"accessKey":"admin","secretKey":"s3cret-1"}',
}


async def test_who_is_not_let_in_is_told_so_and_no_key_is_shown(
    rocketmq_server: RocketMQ, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = RocketMQ(GUARDED)
    try:
        for part in (server.names, server.broker):
            await asyncio.to_thread(part.start)
        for keys in ("admin:s3cret-2@", "nobody:s3cret-2@", ""):
            one = broker.make(Resource(name="one", url=f"rocketmq://{keys}{server.names.hosts}"))
            with pytest.raises(errors.UnauthenticatedError) as caught:
                await one.open()
            assert "s3cret" not in str(caught.value)
            await one.close()
        one = broker.make(Resource(name="one", url=f"rocketmq://admin:s3cret-1@{server.names.hosts}"))
        await one.open()
        topic, group = Topic(name="guarded", clusters=["main"], queues=1), Subscription(group="g", topic="guarded")
        await one.ensure(topic, [group])
        receiver = await one.receive(group, "m")
        assert (await one.send([Frame(topic="guarded", id="é", body=b"\xff")]))[0].verdict == "accepted"
        taken: list[str] = []
        await take(receiver, taken, 1)
        await one.close()
    finally:
        await asyncio.to_thread(server.close)
    assert "s3cret" not in caplog.text


async def test_who_is_absent_at_the_start_is_told_so_and_no_key_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = broker.make(Resource(name="one", url=f"rocketmq://me:s3cret@{HOST}:1"))
    with pytest.raises(messaging_errors.BrokerAwayError) as caught:
        await one.open()
    await one.close()
    assert "s3cret" not in f"{caught.value}{caplog.text}"


async def test_a_server_of_another_kind_is_told_so() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    one = broker.make(Resource(name="one", url=f"rocketmq://{HOST}:{port}"))
    with pytest.raises(errors.UnavailableError):
        await one.open()
    await one.close()
    server.close()


async def groups_of(server: RocketMQ) -> set[str]:
    _, body = await asyncio.to_thread(remoting, server.broker.port, Code.GROUPS)
    return {name for name in msgspec.json.decode(body)["subscriptionGroupTable"] if names.began(name) is not None}


async def test_a_group_that_ends_with_its_member(rocketmq_server: RocketMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await opened(rocketmq_server), await opened(rocketmq_server)
    topic = Topic(name="passing", clusters=["main"], queues=2)
    group = Subscription(group="g", topic="passing", broadcast=True)
    for each in (one, other):
        await each.ensure(topic, [group])
    await one.send([Frame(topic="passing", id="before", body=b"x")] * 4)
    assert not await groups_of(rocketmq_server)
    receivers = [await one.receive(group, "one"), await other.receive(msgspec.structs.replace(group, group="h"), "two")]
    await one.send([Frame(topic="passing", id=f"{number}", body=b"x") for number in range(6)])
    for receiver in receivers:
        taken: list[str] = []
        await take(receiver, taken, 6)
        assert sorted(taken) == [f"{number}" for number in range(6)]
    left = await groups_of(rocketmq_server)
    assert len(left) == 2
    await receivers[0].close()
    (living,) = await groups_of(rocketmq_server)
    gone = (left - {living}).pop()
    with pytest.raises(RemotingError):
        await asyncio.to_thread(remoting, rocketmq_server.names.port, Code.ROUTE, {"topic": f"%RETRY%{gone}"})
    again = await one.receive(group, "again")
    await one.send([Frame(topic="passing", id="after", body=b"x")])
    taken = []
    await take(again, taken, 1)
    assert taken == ["after"], "what came while nobody was there is not kept"
    await again.membership.close()  # as a process that dies: nobody removes its group
    monkeypatch.setattr(passing, "LEAST_SECONDS", -10.0)
    await other._passing.sweep()
    assert await groups_of(rocketmq_server) == {living}, "who has a member stays"
    await receivers[1].close()
    for each in (one, other):
        await each.close()
    assert not await groups_of(rocketmq_server)
