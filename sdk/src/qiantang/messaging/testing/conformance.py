"""Conformance suite of the port: what every broker must keep, seen through the bus as an application sees it.

Subclass `BrokerConformance` in a test module (pytest with pytest-asyncio in auto mode) and give it the fixture `resource`: the
address of a broker that is running. Each test makes topics of names that were not used before.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.client import Item, MessageBus
from qiantang.messaging.model import (
    Context,
    Dead,
    Message,
    Reply,
    Resource,
    Retry,
    RetryPolicy,
    Shrinking,
    Store,
    Topic,
)
from qiantang.messaging.port import Feature
from qiantang.messaging.testing.rig import DEADLINE, Rig, Taker

QUICK = RetryPolicy(attempts=5, backoff="fixed", first=0.05, jitter=0)


class Order(msgspec.Struct):
    """A body with a type."""

    number: int
    note: str = ""


class BrokerConformance:
    """The suite."""

    adapter: str = ""
    lacks: frozenset[Feature] = frozenset()
    """What the broker does not do, and nobody in its place: that it is refused is what is tested then."""
    chooses_queues: bool = True
    """Whether a member may ask for physical queues by name."""

    @pytest.fixture
    def store(self) -> Store | None:
        """The store that does what the broker cannot; a subclass gives one for such a broker."""
        return None

    @pytest.fixture
    async def rig(self, resource: Resource, store: Store | None) -> AsyncIterator[Rig]:
        made = Rig(self.adapter, resource, store)
        yield made
        await made.close()

    # -- there and back ----------------------------------------------------------------------------------

    async def test_what_is_sent_arrives_as_it_was(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        headers = {"trace": "a·b", "raw": b"\x00\xff", "empty": ""}
        before = time.time()
        sent = await bus.send(topic.name, {"n": 1}, tag="vip", key="k 1", priority=7, headers=headers)
        assert sent.ok
        await rig.until(lambda: len(taker.bodies) == 1)
        assert taker.bodies == [{"n": 1}]
        (context,) = taker.contexts
        assert (context.id, context.topic, context.group) == (sent.id, topic.name, "order")
        assert (context.tag, context.key, context.priority, dict(context.headers)) == ("vip", "k 1", 7, headers)
        assert (context.center, context.application, context.attempt, context.died) == ("trade", "order", 1, None)
        assert before - 1 <= context.sent_at <= time.time() + 1

    async def test_bodies_of_any_type_and_size(self, rig: Rig) -> None:
        topic = rig.topic(packing={"codec": "msgpack"}, max_body=2_000_000)
        topic = msgspec.convert(msgspec.to_builtins(topic), Topic)
        bus = await rig.bus(topic)
        taken: list[Order] = []

        @bus.subscribe(topic.name)
        async def take(body: Order) -> None:
            taken.append(body)

        await rig.joined(bus, topic)
        bodies = [Order(0), Order(1, "茶" * 10), Order(2, "x" * 1_000_000)]
        for body in bodies:
            await bus.send(topic.name, body)
        await rig.until(lambda: len(taken) == 3)
        assert sorted(taken, key=lambda one: one.number) == bodies

    async def test_an_empty_body_and_raw_bytes(self, rig: Rig) -> None:
        topic = msgspec.convert({**msgspec.to_builtins(rig.topic()), "packing": {"codec": "bytes"}}, Topic)
        bus = await rig.bus(topic)
        taken: list[bytes] = []

        @bus.subscribe(topic.name)
        async def take(body: bytes) -> None:
            taken.append(body)

        await rig.joined(bus, topic)
        for body in (b"", bytes(range(256))):
            await bus.send(topic.name, body)
        await rig.until(lambda: len(taken) == 2)
        assert sorted(taken) == [b"", bytes(range(256))]

    async def test_many_at_once_have_a_result_each(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic(max_body=1000))
        messages: list[Message[Any]] = [Message(topic=topic.name, body=number) for number in range(300)]
        messages[7] = Message(topic=topic.name, body="x" * 2000)
        messages[9] = Message(topic="nowhere", body=0)
        sent = await bus.send_many(messages)
        assert [one.id for one in sent] == [one.id for one in messages]
        wrong: dict[int, Any] = {place: type(one.error) for place, one in enumerate(sent) if not one.ok}
        assert wrong == {7: messaging_errors.BodyTooLargeError, 9: messaging_errors.UnknownTopicError}
        await rig.until(lambda: len(taker.bodies) >= 298)
        assert sorted(taker.bodies) == [number for number in range(300) if number not in {7, 9}]

    async def test_sends_that_nobody_waits_for_arrive_and_tell(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        told: list[Any] = []
        named = [bus.send_async(topic.name, number, on_result=told.append) for number in range(20)]
        bus.oneway(topic.name, 20)
        await rig.until(lambda: len(taker.bodies) == 21 and len(told) == 20)
        assert sorted(one.id for one in told) == sorted(named)
        assert all(one.ok for one in told)

    async def test_every_group_gets_every_message_and_within_one_each_goes_to_one_member(self, rig: Rig) -> None:
        topic = rig.topic()
        one, other = await rig.bus(topic), await rig.bus(topic)
        takers = [Taker(), Taker(), Taker()]
        one.subscribe(topic.name, group="billing")(takers[0])
        other.subscribe(topic.name, group="billing")(takers[1])
        other.subscribe(topic.name, group="audit")(takers[2])
        await rig.joined(one, topic, "billing")
        await rig.joined(other, topic, "billing")
        await rig.joined(other, topic, "audit")
        for number in range(60):
            await one.send(topic.name, number)
        await rig.until(lambda: len(takers[0].bodies) + len(takers[1].bodies) >= 60 and len(takers[2].bodies) >= 60)
        assert sorted(takers[0].bodies + takers[1].bodies) == list(range(60))
        assert sorted(takers[2].bodies) == list(range(60))

    async def test_a_group_that_is_away_finds_what_was_sent_meanwhile(self, rig: Rig) -> None:
        topic = rig.topic()
        first = await rig.bus(topic)
        taker = Taker()
        first.subscribe(topic.name)(taker)
        await rig.joined(first, topic)
        await first.close()
        sender = await rig.bus(topic)
        for number in range(10):
            await sender.send(topic.name, number)
        back = await rig.bus(topic)
        back.subscribe(topic.name)(taker)
        await rig.until(lambda: len(taker.bodies) == 10)
        assert sorted(taker.bodies) == list(range(10))

    # -- kinds of messages -------------------------------------------------------------------------------

    async def test_tags(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic(), tags=["vip", "gold"])
        for tag in ("vip", "", "plain", "gold", "vip"):
            await bus.send(topic.name, tag, tag=tag)
        await rig.until(lambda: len(taker.bodies) == 3)
        assert sorted(taker.bodies) == ["gold", "vip", "vip"]
        await self.settled(rig, bus, topic)

    async def test_messages_of_a_key_stay_in_order(self, rig: Rig) -> None:
        topic = rig.topic()
        buses = [await rig.bus(topic) for _ in range(2)]
        seen: dict[str, list[int]] = defaultdict(list)
        working: set[str] = set()

        async def take(body: int, context: Context) -> None:
            assert context.key not in working, "two messages of one key at a time"
            working.add(context.key)
            await asyncio.sleep(0.001)
            seen[context.key].append(body)
            working.discard(context.key)

        for bus in buses:
            bus.subscribe(topic.name, order="key", retry=QUICK)(take)
            await rig.joined(bus, topic)
        messages = [Message(topic=topic.name, body=number, key=f"k{number % 7}") for number in range(210)]
        for start in range(0, 210, 30):
            assert all(one.ok for one in await buses[0].send_many(messages[start : start + 30]))
        await rig.until(lambda: sum(map(len, seen.values())) >= 210)
        assert dict(seen) == {f"k{key}": list(range(key, 210, 7)) for key in range(7)}

    async def test_a_key_that_fails_waits_alone_and_in_order(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        seen: list[tuple[str, int]] = []
        failures = 0

        async def take(body: int, context: Context) -> None:
            nonlocal failures
            if (context.key, body) == ("bad", 1) and failures < 3:
                failures += 1
                raise ValueError("not yet")
            seen.append((context.key, body))

        bus.subscribe(topic.name, order="key", retry=QUICK)(take)
        await rig.joined(bus, topic)
        for number in range(6):
            for key in ("bad", "good"):
                await bus.send(topic.name, number, key=key)
        await rig.until(lambda: len(seen) >= 12, seen)
        assert failures == 3
        assert [body for key, body in seen if key == "bad"] == list(range(6))
        assert [body for key, body in seen if key == "good"] == list(range(6))
        await self.settled(rig, bus, topic)

    async def test_a_delay(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        taken: list[tuple[Any, float]] = []

        async def take(body: Any) -> None:
            taken.append((body, time.time()))

        bus.subscribe(topic.name)(take)
        await rig.joined(bus, topic)
        if Feature.DELAY in self.lacks:
            with pytest.raises(messaging_errors.FeatureMissingError):
                await bus.send(topic.name, "late", delay=1.5)
            return
        began = time.time()
        await bus.send(topic.name, "late", delay=1.5)
        await bus.send(topic.name, "timed", deliver_at=began + 0.7)
        await bus.send(topic.name, "now")
        await rig.until(lambda: len(taken) == 3)
        assert [body for body, _ in taken] == ["now", "timed", "late"]
        at = {body: moment - began for body, moment in taken}
        assert at["timed"] >= 0.7
        assert at["late"] >= 1.5

    async def test_a_delayed_message_is_taken_back(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        if Feature.CANCEL in self.lacks:
            sent = await bus.send(topic.name, "always")
            with pytest.raises(messaging_errors.FeatureMissingError):
                await bus.cancel(topic.name, sent.id)
            return
        sent = await bus.send(topic.name, "never", delay=1.0)
        assert await bus.cancel(topic.name, sent.id)
        assert not await bus.cancel(topic.name, sent.id)
        await bus.send(topic.name, "after", delay=1.2)
        await rig.until(lambda: bool(taker.bodies))
        assert taker.bodies == ["after"]

    async def test_priority(self, rig: Rig) -> None:
        topic = rig.topic(queues=1, priorities=True)
        bus = await rig.bus(topic)
        taken: list[int] = []

        async def take(body: int) -> None:
            taken.append(body)
            await asyncio.sleep(0.02)  # what is more important may come a little later

        bus.subscribe(topic.name, concurrency=1)(take)
        await rig.joined(bus, topic)
        await bus.pause(topic.name)
        await asyncio.sleep(0.1)
        for priority in (0, 4, 9, 2):
            await bus.send_many([Message(topic=topic.name, body=priority, priority=priority) for _ in range(10)])
        await bus.resume(topic.name)
        await rig.until(lambda: len(taken) >= 40)
        # of the least important ones some were on their way already
        places = {body: [place for place, one in enumerate(taken) if one == body] for body in (9, 4, 2)}
        assert sum(places[9]) < sum(places[4]) < sum(places[2]), taken

    async def test_what_has_expired_is_not_delivered(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        await bus.pause(topic.name)
        await asyncio.sleep(0.1)
        await bus.send(topic.name, "short", ttl=0.2)
        await bus.send(topic.name, "long", ttl=60)
        await asyncio.sleep(0.5)
        await bus.resume(topic.name)
        await rig.until(lambda: bool(taker.bodies))
        await self.settled(rig, bus, topic)
        assert taker.bodies == ["long"]

    # -- what fails --------------------------------------------------------------------------------------

    async def test_what_fails_is_tried_again_then_is_a_dead_letter_with_all_that_it_was(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic, msgspec.structs.replace(topic, name="dead.failing", queues=1))
        attempts: list[int] = []
        letters = Taker()

        async def take(body: Any, context: Context) -> None:
            attempts.append(context.attempt)
            raise ValueError(f"cannot take {body}")

        bus.subscribe("dead.failing", group=f"reader{topic.name}")(letters)
        await rig.joined(bus, msgspec.structs.replace(topic, name="dead.failing"), f"reader{topic.name}")
        policy = msgspec.structs.replace(QUICK, attempts=3)
        bus.subscribe(topic.name, group="failing", retry=policy)(take)
        await rig.joined(bus, topic, "failing")
        sent = await bus.send(topic.name, {"n": 1}, tag="t", key="k", headers={"raw": b"\xff", "why": "x"})
        await rig.until(lambda: any(one.id == sent.id for one in letters.contexts))
        assert attempts == [1, 2, 3]
        context = next(one for one in letters.contexts if one.id == sent.id)
        assert (context.tag, context.key, dict(context.headers)) == ("t", "k", {"raw": b"\xff", "why": "x"})
        died = context.died
        assert died is not None
        assert (died.topic, died.group, died.attempts) == (topic.name, "failing", 3)
        assert died.error == "ValueError: cannot take {'n': 1}"
        assert "raise ValueError" in died.stack
        assert abs(died.at - time.time()) < 60
        await self.settled(rig, bus, topic, "failing")

    async def test_a_handler_says_when_and_whether(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        seen: list[tuple[str, int, float]] = []

        async def take(body: str, context: Context) -> Retry | Dead | None:
            seen.append((body, context.attempt, time.time()))
            if body == "later" and context.attempt == 1:
                return Retry(after=0.4)
            return Dead("of no use") if body == "never" else None

        bus.subscribe(topic.name, retry=QUICK)(take)
        await rig.joined(bus, topic)
        for body in ("later", "never"):
            await bus.send(topic.name, body)
        await rig.until(lambda: len(seen) == 3)
        await self.settled(rig, bus, topic)
        first, second = [moment for body, _, moment in seen if body == "later"]
        assert second - first >= 0.4
        assert [attempt for body, attempt, _ in seen if body == "never"] == [1]

    async def test_a_handler_that_hangs_is_cut_off(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        attempts: list[int] = []

        async def take(_body: Any, context: Context) -> None:
            attempts.append(context.attempt)
            if context.attempt == 1:
                await asyncio.sleep(60)

        bus.subscribe(topic.name, handler_timeout=0.2, retry=QUICK)(take)
        await rig.joined(bus, topic)
        await bus.send(topic.name, "slow")
        await rig.until(lambda: len(attempts) == 2)
        await self.settled(rig, bus, topic)

    async def test_a_body_of_another_type_is_dead_at_once(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        taken: list[Order] = []

        @bus.subscribe(topic.name, retry=QUICK)
        async def take(body: Order) -> None:
            taken.append(body)

        await rig.joined(bus, topic)
        await bus.send(topic.name, {"number": "many"})
        await bus.send(topic.name, Order(2))
        await rig.until(lambda: len(taken) == 1)
        await self.settled(rig, bus, topic)
        assert taken == [Order(2)]

    async def test_batches_with_an_answer_for_each(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        sizes: list[int] = []
        seen: dict[int, list[int]] = defaultdict(list)

        @bus.subscribe_batch(topic.name, most=20, retry=QUICK)
        def take(items: list[Item[int]]) -> list[Any]:
            sizes.append(len(items))
            for one in items:
                seen[one.body].append(one.context.attempt)
            return [Retry() if one.body % 10 == 3 and one.context.attempt == 1 else None for one in items]

        await rig.joined(bus, topic)
        await bus.send_many([Message(topic=topic.name, body=number) for number in range(100)])
        await rig.until(lambda: sum(map(len, seen.values())) >= 110)
        await self.settled(rig, bus, topic)
        assert max(sizes) <= 20
        assert {number: len(attempts) for number, attempts in seen.items()} == {
            number: 2 if number % 10 == 3 else 1 for number in range(100)
        }

    # -- members -----------------------------------------------------------------------------------------

    async def test_pause_and_resume(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        await bus.pause(topic.name)
        await asyncio.sleep(0.1)
        await bus.send(topic.name, 1)
        await asyncio.sleep(0.3)
        assert taker.bodies == []
        assert (await bus.lag(topic.name)).messages == 1
        await bus.resume(topic.name)
        await rig.until(lambda: taker.bodies == [1])
        await self.settled(rig, bus, topic)

    async def test_a_member_that_asks_for_a_queue_gets_it_and_others_get_the_rest(self, rig: Rig) -> None:
        topic = rig.topic(queues=3)
        asking, other = rig.made(topic), await rig.bus(topic)
        takers = [Taker(), Taker()]
        asking.subscribe(topic.name)(takers[0])
        other.subscribe(topic.name)(takers[1])
        stop = asyncio.Event()
        if not self.chooses_queues:
            return
        running = asyncio.create_task(asking.consume([topic.name], queue="1", until=stop))
        await rig.joined(other, topic)
        await rig.until(lambda: bool(asking.consumers(topic.name)) and asking.consumers(topic.name)[0].joined)
        ends = time.monotonic() + DEADLINE
        while {one.queue for one in takers[0].contexts} != {"1"} or len(takers[0].bodies) < 20:
            assert time.monotonic() < ends, takers[0].bodies
            await other.send_many([Message(topic=topic.name, body=number) for number in range(12)])
            await asyncio.sleep(0.2)
        takers[1].contexts.clear()
        await other.send_many([Message(topic=topic.name, body=number) for number in range(30)])
        await self.settled(rig, other, topic)
        assert {one.queue for one in takers[1].contexts} == {"0", "2"}
        stop.set()
        await running

    async def test_what_a_member_leaves_unfinished_goes_to_another(self, rig: Rig) -> None:
        topic = rig.topic()
        leaving, staying = rig.made(topic, close_seconds=0.4), await rig.bus(topic)
        await leaving.open()
        begun: list[int] = []
        taker = Taker()

        async def hang(body: int) -> None:
            begun.append(body)
            await asyncio.sleep(60)

        leaving.subscribe(topic.name, concurrency=2)(hang)
        await rig.joined(leaving, topic)
        await leaving.send_many([Message(topic=topic.name, body=number) for number in range(20)])
        await rig.until(lambda: len(begun) == 2)
        staying.subscribe(topic.name)(taker)
        await rig.joined(staying, topic)
        await leaving.close()
        await rig.until(lambda: len(set(taker.bodies)) == 20, taker.bodies)
        await self.settled(rig, staying, topic)

    async def test_closing_waits_for_what_is_being_done(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        done: list[int] = []

        async def take(body: int) -> None:
            await asyncio.sleep(0.3)
            done.append(body)

        bus.subscribe(topic.name, concurrency=3)(take)
        await rig.joined(bus, topic)
        await bus.send_many([Message(topic=topic.name, body=number) for number in range(3)])
        await rig.until(lambda: sum(one.in_hand for one in bus.consumers(topic.name)) == 3)
        await asyncio.sleep(0.05)
        await bus.close()
        assert sorted(done) == [0, 1, 2]
        again = await rig.bus(topic)
        taker = Taker()
        again.subscribe(topic.name)(taker)
        await rig.joined(again, topic)
        await self.settled(rig, again, topic)
        assert taker.bodies == [], "they were settled before it left"

    async def test_lag_counts_what_is_not_finished(self, rig: Rig) -> None:
        topic = rig.topic()
        bus = await rig.bus(topic)
        gate = asyncio.Event()

        async def take(_body: int) -> None:
            await gate.wait()

        bus.subscribe(topic.name, concurrency=2)(take)
        await rig.joined(bus, topic)
        await bus.send_many([Message(topic=topic.name, body=number) for number in range(9)])
        await rig.until(lambda: sum(one.in_hand for one in bus.consumers(topic.name)) >= 2)
        await self.settled(rig, bus, topic, left=9)  # a broker may count a little late
        gate.set()
        await self.settled(rig, bus, topic)

    async def test_all_that_stands_behind_a_key_that_fails_comes_after_it(self, rig: Rig) -> None:
        topic, failed = rig.topic(), set[int]()
        bus, seen = await rig.bus(topic), list[int]()

        async def take(body: int) -> None:
            if body % 100 == 0 and body not in failed:
                failed.add(body)
                raise ValueError("once")
            seen.append(body)

        bus.subscribe(topic.name, order="key", concurrency=4, retry=QUICK)(take)
        await rig.joined(bus, topic)
        sent = await bus.send_many([Message(topic=topic.name, body=number, key="k") for number in range(250)])
        assert all(one.ok for one in sent)
        await rig.until(lambda: len(set(seen)) == 250, seen)
        assert list(dict.fromkeys(seen)) == list(range(250))
        await self.settled(rig, bus, topic)

    async def test_a_topic_that_shrinks_loses_nothing_and_no_order(self, rig: Rig) -> None:
        topic = rig.topic(queues=4)
        bus, sending = await rig.bus(topic), await rig.bus(topic)
        seen: dict[str, list[int]] = defaultdict(list)

        async def take(body: int, context: Context) -> None:
            await asyncio.sleep(0.002)
            seen[context.key].append(body)

        bus.subscribe(topic.name, order="key", concurrency=8)(take)
        await rig.joined(bus, topic)
        keys, places, count = [f"k{number}" for number in range(12)], list[str](), 0

        async def send(rounds: int) -> None:
            nonlocal count
            for _ in range(rounds):
                messages = [Message(topic=topic.name, body=count, key=key) for key in (*keys, "")]
                sent = await sending.send_many(messages, deadline=DEADLINE)
                assert all(one.ok for one in sent), sent
                places.extend(one.queue for one in sent)
                count += 1

        await send(20)
        assert {"2", "3"} < set(places)
        shrinking = msgspec.structs.replace(topic, shrink=Shrinking(queues=2, groups=["order"]))
        await sending.change(rig.estate(shrinking))
        ends, before = time.monotonic() + DEADLINE, 0
        while {"2", "3"} & set(places[before:]):
            assert time.monotonic() < ends, places[-13:]
            before = len(places)
            await send(1)
        await send(20)
        assert set(places[before:]) == {"0", "1"}, "what moved stays so"
        await rig.until(lambda: all(len(seen[key]) == count for key in keys) and len(seen[""]) == count, seen)
        assert all(seen[key] == list(range(count)) for key in keys)
        await self.settled(rig, bus, topic)
        assert (await sending.lag(topic.name, "order", first=2)).messages == 0

    # -- requests, broadcasts ----------------------------------------------------------------------------

    async def test_a_request_is_answered_by_its_handler(self, rig: Rig) -> None:
        topic = rig.topic()
        asking, answering = await rig.bus(topic), await rig.bus(topic)
        if Feature.BROADCAST in self.lacks:
            with pytest.raises(messaging_errors.FeatureMissingError):
                await asking.request(topic.name, Order(1))
            return
        attempts: list[int] = []

        @answering.subscribe(topic.name, group="answers", retry=msgspec.structs.replace(QUICK, attempts=2))
        async def take(order: Order, context: Context) -> Reply | None:
            if order.number < 0:
                raise ValueError("no such order")
            attempts.append(context.attempt)
            if order.number == 7 and context.attempt == 1:
                raise OSError("not now")
            return Reply({"number": order.number * 2})

        await rig.joined(answering, topic, "answers")
        asked = [asking.request(topic.name, Order(number), reply=Order, deadline=DEADLINE) for number in range(10)]
        assert await asyncio.gather(*asked) == [Order(number * 2) for number in range(10)]
        assert sorted(attempts)[-1] == 2, "what failed first was tried again"
        assert await asking.request(topic.name, Order(1), deadline=DEADLINE) == {"number": 2}
        with pytest.raises(messaging_errors.RequestFailedError, match="ValueError: no such order"):
            await asking.request(topic.name, Order(-1), deadline=DEADLINE)
        await self.settled(rig, answering, topic, "answers")

    async def test_a_request_that_nobody_answers_ends_with_its_deadline(self, rig: Rig) -> None:
        if Feature.BROADCAST in self.lacks:
            return
        topic = rig.topic()
        bus, taker = await rig.bus(topic), Taker()
        bus.subscribe(topic.name)(taker)
        await rig.joined(bus, topic)
        with pytest.raises(errors.DeadlineError, match="not answered within 3 s"):
            await bus.request(topic.name, 1, deadline=3)
        await self.settled(rig, bus, topic)

    async def test_a_broadcast_reaches_every_process_that_takes_part(self, rig: Rig) -> None:
        if Feature.BROADCAST in self.lacks:
            return
        topic = rig.topic()
        buses = [await rig.bus(topic) for _ in range(3)]
        takers = [Taker() for _ in buses]
        for bus, taker in zip(buses, takers, strict=True):
            bus.subscribe(topic.name, broadcast=True, retry=QUICK)(taker)
            await rig.joined(bus, topic)
        await buses[0].send_many([Message(topic=topic.name, body=number) for number in range(20)])
        await rig.until(lambda: all(sorted(taker.bodies) == list(range(20)) for taker in takers))
        await buses[1].close()
        await buses[0].send(topic.name, 20)
        await rig.until(lambda: takers[0].bodies[-1] == takers[2].bodies[-1] == 20)
        late, taker = await rig.bus(topic), Taker()
        late.subscribe(topic.name, broadcast=True)(taker)
        await rig.joined(late, topic)
        await buses[0].send(topic.name, 21)
        await rig.until(lambda: bool(taker.bodies))
        assert taker.bodies == [21], "what was sent before it took part is not for it"

    # -- bad input ---------------------------------------------------------------------------------------

    async def test_bad_input_is_refused_at_once_with_its_name(self, rig: Rig) -> None:
        closed_to_us = rig.topic(senders=["finance"], consumers=["finance"])
        topic = rig.topic(max_body=100)
        bus = await rig.bus(topic, closed_to_us)
        wrong: list[tuple[type[errors.QiantangError], dict[str, Any]]] = [
            (messaging_errors.InvalidMessageError, {"tag": "t" * 65}),
            (messaging_errors.InvalidMessageError, {"key": "钱" * 100}),
            (messaging_errors.InvalidMessageError, {"priority": 10}),
            (messaging_errors.InvalidMessageError, {"delay": -1}),
            (messaging_errors.InvalidMessageError, {"deliver_at": time.time() - 3600}),
            (messaging_errors.InvalidMessageError, {"ttl": 0}),
            (messaging_errors.InvalidMessageError, {"headers": {"mf-id": "x"}}),
            (messaging_errors.InvalidMessageError, {"headers": {"a b": "x"}}),
            (messaging_errors.BodyTooLargeError, {"body": "x" * 200}),
            (messaging_errors.UnencodableError, {"body": object()}),
            (messaging_errors.UnknownTopicError, {"topic": "nowhere"}),
            (messaging_errors.SendForbiddenError, {"topic": closed_to_us.name}),
        ]
        for error, said in wrong:
            with pytest.raises(error):
                await bus.send(**cast("Any", {"topic": topic.name, "body": 1, **said}))
        with pytest.raises(messaging_errors.ConsumeForbiddenError):
            bus.subscribe(closed_to_us.name)
        await bus.close()
        with pytest.raises(messaging_errors.BusClosedError):
            await bus.send(topic.name, 1)

    # -- shared ------------------------------------------------------------------------------------------

    async def settled(self, rig: Rig, bus: MessageBus, topic: Topic, group: str = "", left: int = 0) -> None:
        """Wait until the group has finished everything, but for so many messages."""
        ends = time.monotonic() + DEADLINE
        while (lag := await bus.lag(topic.name, group)).messages != left:
            assert time.monotonic() < ends, lag
            await asyncio.sleep(0.02)
