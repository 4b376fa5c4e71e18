"""RabbitMQ as a broker, when something breaks: nothing accepted is lost, and of a key nothing is seen out of its order."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import time
from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.rabbitmq import broker, connection, sender
from qiantang.messaging.adapters.sharing import membership
from qiantang.messaging.model import Frame, Message, Resource, Store, Subscription, Topic
from qiantang.messaging.port import Settle
from qiantang.messaging.testing import Rig, until
from tests.servers.consumers import Consumers
from tests.servers.fixtures import Factory
from tests.servers.rabbitmq import PASSWORD, RabbitMQ
from tests.servers.streams import (
    a_newcomer_gets_its_share,
    a_server_is_killed_twice,
    consuming,
    finished,
    members_come_and_go,
    queues_are_shared_out,
    take,
)

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(300)]  # servers start slowly where others are busy


@pytest.fixture(params=["classic", "quorum"])
def queue_type(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


def rig_of(url: str, store: Store | None, queue_type: str = "classic", **more: str) -> Rig:
    said = "&".join(f"{name}={value}" for name, value in {"queue_type": queue_type, **more}.items())
    return Rig("rabbitmq", Resource(name="one", url=f"{url}?{said}"), store)


async def test_a_server_that_is_killed_and_comes_back(
    rabbitmq_factory: Factory[RabbitMQ], store: Store, queue_type: str
) -> None:
    server = await asyncio.to_thread(rabbitmq_factory)
    rig = rig_of(server.create_vhost(), store, queue_type)
    await a_server_is_killed_twice(rig, server.kill, server.start, 1.5)  # a quorum queue does not live at once
    await rig.close()


async def test_connections_that_the_server_closes(rabbitmq_server: RabbitMQ, store: Store, queue_type: str) -> None:
    url = rabbitmq_server.create_vhost()
    rig = rig_of(url, store, queue_type)
    topic = rig.topic()
    stream, (bus, _) = await consuming(rig, topic, 2)
    vhost = url.rpartition("/")[2]

    def cut() -> int:
        found = rabbitmq_server.call("GET", f"/vhosts/{vhost}/connections")
        for one in found:
            rabbitmq_server.call("DELETE", f"/connections/{one['name'].replace(' ', '%20').replace('>', '%3E')}")
        return len(found)

    sending = asyncio.create_task(stream.send(600))
    closed = 0
    for _ in range(4):
        await asyncio.sleep(1.2)  # the management interface sees a connection after a second
        closed += await asyncio.to_thread(cut)
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    assert closed >= 4
    await finished(bus, topic)
    await rig.close()
    await asyncio.to_thread(rabbitmq_server.drop_vhost, url)


async def test_a_server_that_stands_still_and_goes_on(
    rabbitmq_factory: Factory[RabbitMQ], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CONFIRM_SECONDS", 1.0)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1.0)
    server = await asyncio.to_thread(rabbitmq_factory)
    rig = rig_of(server.create_vhost(), store, heartbeat="1")
    topic = rig.topic()
    stream, (bus,) = await consuming(rig, topic)
    await stream.send(50)
    await asyncio.to_thread(server.pause)
    try:
        began = time.monotonic()
        frames = [Frame(topic=topic.name, id="x", body=b"{}", text={"mf-v": "2.0", "mf-id": "x"})] * 3
        (link,) = bus._ground.links["main"]  # type: ignore[attr-defined]
        outcomes = [(await link.broker.send(frames))[0] for _ in range(3)]
        assert [one.verdict for one in outcomes] == ["unknown", "refused", "refused"]
        assert time.monotonic() - began < 10
        sending = asyncio.create_task(stream.send(100, deadline=1.0))
        await asyncio.sleep(9)  # the heartbeat ends what consumes as well
    finally:
        await asyncio.to_thread(server.resume)
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    await finished(bus, topic)
    await rig.close()


async def test_closing_does_not_wait_for_a_server_that_stands_still(
    rabbitmq_factory: Factory[RabbitMQ], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CONFIRM_SECONDS", 1.0)
    server = await asyncio.to_thread(rabbitmq_factory)
    rig = rig_of(server.create_vhost(), store)
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


async def test_members_that_come_and_go_while_messages_fail(
    rabbitmq_url: str, store: Store, queue_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "DRAIN_SECONDS", 5.0)
    rig = rig_of(rabbitmq_url, store, queue_type)
    await members_come_and_go(rig)
    await rig.close()


async def test_queues_are_shared_out_among_members(rabbitmq_url: str, queue_type: str) -> None:
    rig = rig_of(rabbitmq_url, None, queue_type)
    began = time.monotonic()
    topic, holds = await queues_are_shared_out(rig, 15)
    assert time.monotonic() - began < 20
    other = await opened(rig.cluster.resources[0].url)
    await a_newcomer_gets_its_share(other, topic, holds, 15)
    await other.close()
    await rig.close()


@pytest.mark.process
async def test_members_that_are_killed_lose_nothing_and_no_order(
    rabbitmq_url: str, store: Store, queue_type: str, tmp_path: Path
) -> None:
    rig = rig_of(rabbitmq_url, store, queue_type)
    topic = rig.topic()
    bus = await rig.bus(topic)
    await Consumers(rig, topic, tmp_path).lose_nothing_while_they_are_killed(bus)
    await rig.close()


async def test_a_server_out_of_memory_refuses_messages_and_goes_on_giving(rabbitmq_factory: Factory[RabbitMQ]) -> None:
    server = await asyncio.to_thread(rabbitmq_factory)
    rig = rig_of(server.create_vhost(), None)
    topic = rig.topic()
    bus, _, taker = await rig.taking(topic)
    await bus.pause(topic.name)
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(20)])
    await asyncio.to_thread(ctl, server, "set_vm_memory_high_watermark", "absolute", "1MB")
    await asyncio.sleep(1.5)
    began = time.monotonic()
    sent = [(await bus.send_many([Message(topic=topic.name, body=body)], deadline=4.0))[0] for body in (20, 21)]
    assert [one.outcome for one in sent] in (["refused"] * 2, ["unknown", "refused"]), sent
    assert isinstance(sent[1].error, messaging_errors.BrokerAwayError)
    assert time.monotonic() - began < 10
    await bus.resume(topic.name)
    await until(lambda: len(taker.bodies) >= 20, lambda: taker.bodies)
    assert (await bus.lag(topic.name)).messages == 0, "it is told so too"
    await asyncio.to_thread(ctl, server, "set_vm_memory_high_watermark", "absolute", "256MB")
    await asyncio.sleep(1.5)
    assert (await bus.send(topic.name, 30)).ok
    await until(lambda: 30 in taker.bodies)
    assert sent[0].outcome == "refused" or 20 in taker.bodies, "it was only late"
    assert 21 not in taker.bodies
    await rig.close()


def ctl(server: RabbitMQ, *words: str) -> None:
    script = "/usr/lib/rabbitmq/bin/rabbitmqctl"
    subprocess.run(
        [script, "-q", "-n", "test@localhost", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(server.folder), "LC_ALL": "C.UTF-8", **server.variables},
        check=True,
        timeout=60,
    )


async def opened(url: str) -> broker.RabbitBroker:
    found = broker.make(Resource(name="one", url=url))
    await found.open()
    return found


async def test_what_was_removed_on_the_server_is_made_again(rabbitmq_server: RabbitMQ, rabbitmq_url: str) -> None:
    vhost = rabbitmq_url.rpartition("/")[2]
    rig = rig_of(rabbitmq_url, None)
    topic = rig.topic(queues=2)
    bus, _, taker = await rig.taking(topic)
    for number in range(2):
        await asyncio.to_thread(rabbitmq_server.call, "DELETE", f"/queues/{vhost}/order.{topic.name}.{number}")

    async def arrives(body: int) -> None:
        ends = time.monotonic() + 20
        while body not in taker.bodies:
            assert time.monotonic() < ends
            await bus.send_many([Message(topic=topic.name, body=body)])
            await asyncio.sleep(0.1)

    for body in range(4):
        await arrives(body)
    await rig.close()


async def test_messages_nobody_wants_and_topics_that_are_gone(rabbitmq_server: RabbitMQ, rabbitmq_url: str) -> None:
    vhost = rabbitmq_url.rpartition("/")[2]
    one = await opened(rabbitmq_url)
    for name in ("here", "gone"):
        await one.ensure(Topic(name=name, clusters=["main"], queues=2))
    frames = [Frame(topic=name, id=f"{name}{number}", body=b"x") for number in range(2) for name in ("here", "gone")]
    assert [outcome.verdict for outcome in await one.send(frames)] == ["accepted"] * 4
    await asyncio.to_thread(rabbitmq_server.call, "DELETE", f"/exchanges/{vhost}/gone")
    outcomes = await one.send(frames)
    gone = [outcome.error for frame, outcome in zip(frames, outcomes, strict=True) if frame.topic == "gone"]
    assert all(isinstance(error, messaging_errors.UnknownTopicError) for error in gone), outcomes
    assert [outcome.verdict for outcome in await one.send([frames[0]])] == ["accepted"], "the next channel"
    await one.close()
    assert [outcome.verdict for outcome in await one.send([frames[0]])] == ["refused"]


async def test_a_message_too_large_for_the_server(rabbitmq_factory: Factory[RabbitMQ]) -> None:
    server = await asyncio.to_thread(rabbitmq_factory)
    await asyncio.to_thread(ctl, server, "eval", "application:set_env(rabbit, max_message_size, 100000).")
    one = await opened(server.create_vhost())
    assert one.capabilities.max_frame == 128 * 1024 * 1024, "what is known of its default"
    await one.ensure(Topic(name="t", clusters=["main"], queues=1))
    frames = [Frame(topic="t", id=f"{size}", body=b"x" * size) for size in (10, 100_001, 11)]
    outcomes = await one.send(frames)
    assert outcomes[0].verdict in ("accepted", "unknown")
    assert [outcome.verdict for outcome in outcomes[1:]] == ["refused", "refused"]
    assert isinstance(outcomes[1].error, messaging_errors.BodyTooLargeError)
    assert isinstance(outcomes[2].error, messaging_errors.BrokerAwayError), "it may be sent again"
    assert [outcome.verdict for outcome in await one.send([frames[0], frames[2]])] == ["accepted"] * 2
    await one.close()


async def test_what_others_have_in_hand_counts_as_well(rabbitmq_url: str) -> None:
    one, other, outside = [await opened(rabbitmq_url) for _ in range(3)]
    topic, group = Topic(name="t", clusters=["main"], queues=2), Subscription(group="g", topic="t")
    for broker_ in (one, other, outside):
        await broker_.ensure(topic, [group])
    receivers = [await one.receive(group, "one"), await other.receive(group, "other")]
    await until(lambda: [len(receiver.holds) for receiver in receivers] == [1, 1], seconds=15)
    await outside.send([Frame(topic="t", id=f"{number}", body=b"") for number in range(10)])
    taken = [await receiver.fetch(10, 1000, 2) for receiver in receivers]
    await asyncio.sleep(1.2)  # what each has in hand it says every second
    assert {(await each.lag("t", "g")).messages for each in (one, other, outside)} == {10}
    for receiver, batch in zip(receivers, taken, strict=True):
        await receiver.settle([Settle(taken=each) for each in batch])
    await asyncio.sleep(1.2)
    assert {(await each.lag("t", "g")).messages for each in (one, other, outside)} == {0}
    for each in (one, other, outside):
        await each.close()


async def test_a_topic_with_more_queues_loses_nothing_whoever_knows_of_them(rabbitmq_url: str) -> None:
    few, many = await opened(rabbitmq_url), await opened(rabbitmq_url)
    group = Subscription(group="g", topic="grow")
    await few.ensure(Topic(name="grow", clusters=["main"], queues=2), [group])
    receiver = await few.receive(group, "few")
    taken: list[str] = []
    await many.ensure(Topic(name="grow", clusters=["main"], queues=7))
    frames = [Frame(topic="grow", id=f"{number}", body=b"", queue=number) for number in range(7)]
    await many.send(frames)
    await take(receiver, taken, 7, 20)
    await many.ensure(Topic(name="grow", clusters=["main"], queues=7), [group])
    other = await many.receive(group, "many")  # and so the first member hears that there are more
    await until(lambda: len(receiver.holds) + len(other.holds) == 7, lambda: (receiver.holds, other.holds), 15)
    await many.send(frames)
    found: list[str] = []
    ends = time.monotonic() + 20
    while len(found) < 7:
        assert time.monotonic() < ends, found
        for one in (receiver, other):
            found += [f"{taken.frame.id}-{taken.queue}" for taken in (await one.fetch(100, 10**6, 0.2))]
    assert sorted(found) == [f"{number}-{number}" for number in range(7)], "each once, and from its own queue"
    again = await opened(rabbitmq_url)
    await again.ensure(Topic(name="grow", clusters=["main"], queues=2), [group])
    assert (await again.lag("grow", "g")).messages == 7, "it knows all queues, and what others have in hand"
    for one in (again, few, many):
        await one.close()


async def test_who_is_not_let_in_is_told_so_and_no_password_is_shown(
    rabbitmq_server: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = f"127.0.0.1:{rabbitmq_server.port}"
    wrong: list[tuple[str, type[errors.QiantangError]]] = [
        (f"amqp://guest:s3cret@{place}/", errors.UnauthenticatedError),
        (f"amqp://guest:{PASSWORD}@{place}/nowhere", errors.ForbiddenError),
        ("amqp://guest:s3cret@127.0.0.1:1/", messaging_errors.BrokerAwayError),
    ]
    for url, error in wrong:
        one = broker.make(Resource(name="one", url=url))
        with pytest.raises(error) as caught:
            await one.open()
        assert "s3cret" not in str(caught.value)
        await one.close()
    assert "s3cret" not in caplog.text
