"""Dead letters in the store: collected once, sent again to their group alone, deleted, and all of it in the history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, ids, observe
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters import memory
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.adapters.sql import sweeping
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.client import MessageBus, collecting, consuming, counting, dead, links, redriving
from qiantang.messaging.model import (
    Cluster,
    Context,
    DeadLetter,
    DeadLetterSettings,
    Died,
    Estate,
    Frame,
    OfflineStore,
    Packing,
    Resource,
    RetryPolicy,
    Store,
    Subscription,
    Topic,
    envelope,
)
from qiantang.messaging.port import SendOutcome
from qiantang.messaging.testing import PLACE, Taker, until

T = TypeVar("T")
ON = DeadLetterSettings()
ONCE = RetryPolicy(attempts=1)
KEYS = {"k1": bytes(range(32))}
SEALED = Packing(compression="gzip", compress_from=1, key="k1")


class Shop:
    """A broker in memory, a store in a file, and the groups billing, which refuses what it is told to, and shipping."""

    def __init__(self, folder: Path) -> None:
        self.url = f"memory://{ids.ordered_id()}"
        self.file = folder / "store.sqlite3"
        self.buses: list[MessageBus] = []
        self.billed, self.shipped = Taker(), Taker()
        self.refuses: Callable[[Any], bool] = lambda _body: True

    def estate(self, settings: DeadLetterSettings | None, **more: Any) -> Estate:
        topics = [
            Topic(name="orders", clusters=["main"]),
            Topic(name="sealed", clusters=["main"], packing=SEALED),
            Topic(name="old", clusters=["main"], write_version="1.0"),
        ]
        cluster = Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=self.url)])
        store = Store(url=f"sqlite:///{self.file}")
        return Estate(clusters=[cluster], topics=topics, store=store, dead_letters=settings, **more)

    async def bus(self, settings: DeadLetterSettings | None = ON, **more: Any) -> MessageBus:
        bus = MessageBus(self.estate(settings), PLACE, keys=KEYS, **more)
        self.buses.append(bus)
        await bus.open()
        return bus

    async def open(self, settings: DeadLetterSettings | None = ON) -> MessageBus:
        """Open a bus with both groups."""
        bus = await self.bus(settings)

        async def bill(body: Any, context: Context) -> None:
            if self.refuses(body):
                raise ValueError(f"cannot bill {body}")
            await self.billed(body, context)

        for topic in ("orders", "sealed", "old"):
            bus.subscribe(topic, group="billing", retry=ONCE)(bill)
            bus.subscribe(topic, group="shipping")(self.shipped)
            for group in ("billing", "shipping"):
                await until(lambda topic=topic, group=group: all(one.joined for one in bus.consumers(topic, group)))
        return bus


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path)
    yield made
    for bus in made.buses:
        await bus.close()


async def letters(bus: MessageBus, least: int, /, **asked: Any) -> list[DeadLetter]:
    """Give the dead letters once there are so many."""
    return await found(lambda: bus.dead_letters(**asked), lambda some: len(some) >= least)


async def found(ask: Callable[[], Awaitable[T]], fits: Callable[[T], bool]) -> T:
    ends = time.monotonic() + 30
    while not fits(answer := await ask()):
        assert time.monotonic() < ends, answer
        await asyncio.sleep(0.02)
    return answer


async def test_what_dies_is_collected_with_all_that_it_was(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", {"n": 1}, key="k", tag="new", headers={"h": "v", "b": b"\xff"}, id="one")
    (one,) = await letters(bus, 1)
    assert (one.id, one.topic, one.group, one.key, one.tag) == ("one", "orders", "billing", "k", "new")
    assert (one.center, one.application, one.attempts) == (PLACE.center, PLACE.application, 1)
    assert one.error == "ValueError: cannot bill {'n': 1}"
    assert "in bill" in one.stack
    assert abs(one.at - time.time()) < 60
    assert (one.frame, len(one.fingerprint)) == (None, 16)
    whole = await bus.dead_letter(one.number)
    assert whole.frame is not None
    assert bus.dead_body(whole.frame) == {"n": 1}
    assert (whole.frame.text["h"], whole.frame.binary["b"]) == ("v", b"\xff")
    await bus.send("orders", {"n": 2}, id="two")
    await letters(bus, 2)
    assert [cause.count for cause in await bus.dead_causes(group="billing", topic="orders", words="BILL")] == [2]
    assert [each.id for each in await bus.dead_letters(before=one.number + 1, fingerprint=one.fingerprint)] == ["one"]
    assert await bus.dead_causes(words="nothing of this") == []


async def test_one_that_was_edited_goes_to_its_group_alone(shop: Shop) -> None:
    bus = await shop.open()
    shop.refuses = lambda body: body == {"n": 1}
    await bus.send("orders", {"n": 1}, key="k", tag="new", headers={"h": "v"}, id="one", priority=7)
    (one,) = await letters(bus, 1)
    await until(lambda: len(shop.shipped.bodies) == 1)
    sent = await bus.resend(
        one.number, body={"n": 2}, headers={"x": "y", "b": b"\0"}, key="j", tag="", by="li", reason="was wrong"
    )
    assert (sent.id, sent.outcome) == ("one", "accepted")
    await until(lambda: len(shop.billed.bodies) == 1)
    (context,) = shop.billed.contexts
    assert shop.billed.bodies == [{"n": 2}]
    assert (context.id, context.key, context.tag, context.priority) == ("one", "j", "", 7)
    assert context.headers == {"x": "y", "b": b"\0"}, "nothing of the platform's own is among them"
    assert (context.center, context.application, context.died) == (PLACE.center, PLACE.application, None)
    await bus.send("orders", {"n": 3})
    await until(lambda: len(shop.shipped.bodies) == 2)
    assert shop.shipped.bodies == [{"n": 1}, {"n": 3}], "the others had it"
    assert await bus.dead_letters() == []
    (action,) = await bus.dead_history(topic="orders", group="billing")
    assert (action.what, action.by, action.reason) == ("resent", "li", "was wrong")
    assert action.changed == ["body", "headers", "key", "tag"]
    assert (action.letter.id, action.letter.number, action.letter.error) == ("one", one.number, one.error)
    whole = await bus.dead_action(action.number)
    assert whole.sent is not None
    assert whole.letter.frame is not None
    assert bus.dead_body(whole.sent) == {"n": 2}
    assert bus.dead_body(whole.letter.frame) == {"n": 1}
    with pytest.raises(messaging_errors.DeadLetterGoneError):
        await bus.resend(one.number, by="li")


async def test_one_that_dies_again_is_collected_again_and_goes_to_its_group_again(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 1, id="one")
    (one,) = await letters(bus, 1)
    await bus.resend(one.number, by="li")
    (two,) = await letters(bus, 1)
    assert (two.number > one.number, two.id, two.fingerprint) == (True, "one", one.fingerprint)
    shop.refuses = lambda _body: False
    await bus.resend(two.number, by="li")
    await until(lambda: shop.billed.bodies == [1])
    await bus.send("orders", 2)
    await until(lambda: shop.shipped.bodies == [1, 2])


@pytest.mark.parametrize("topic", ["sealed", "old"])
async def test_bodies_that_are_packed_or_wrapped(shop: Shop, topic: str) -> None:
    bus = await shop.open()
    await bus.send(topic, {"n": "钱塘" * 50}, id="one", key="k", headers={"h": "v"})
    (one,) = await letters(bus, 1)
    shop.refuses = lambda _body: False
    before = (await bus.dead_letter(one.number)).frame
    assert before is not None
    blind = await shop.bus(None)
    blind._ground.keys.replace({})
    await blind.resend(one.number, by="li", **({"tag": "t", "headers": {"x": "y"}} if topic == "sealed" else {}))
    await until(lambda: len(shop.billed.bodies) == 1)
    assert shop.billed.bodies == [{"n": "钱塘" * 50}]
    assert (shop.billed.contexts[0].id, shop.billed.contexts[0].key) == ("one", "k")
    sent = (await bus.dead_action((await bus.dead_history())[0].number)).sent
    assert sent is not None
    assert sent.body == before.body, "what is not edited goes as it was, without a key"

    shop.refuses = lambda _body: True
    await bus.send(topic, {"n": 1}, id="two")
    (two,) = await letters(bus, 1)
    shop.refuses = lambda _body: False
    await bus.resend(two.number, body={"n": 2}, tag="t", by="li")
    await until(lambda: len(shop.billed.bodies) == 2)
    assert shop.billed.bodies[1] == {"n": 2}
    assert (shop.billed.contexts[1].id, shop.billed.contexts[1].tag) == ("two", "t")
    sent = (await bus.dead_action((await bus.dead_history())[0].number)).sent
    assert sent is not None
    assert (sent.text.get(envelope.KEY_ID), b'"n"' in sent.body) == (
        ("k1", False) if topic == "sealed" else (None, True)
    )


async def test_edits_that_are_wrong_leave_the_letter(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 1)
    (one,) = await letters(bus, 1)
    wrong: list[tuple[dict[str, Any], type[errors.QiantangError]]] = [
        ({"headers": {"mf-for": "shipping"}}, messaging_errors.InvalidMessageError),
        ({"key": "k" * 300}, messaging_errors.InvalidMessageError),
        ({"tag": "a\nb"}, messaging_errors.InvalidMessageError),
        ({"body": object()}, messaging_errors.UnencodableError),
        ({"body": "x" * 1024 * 1024}, messaging_errors.BodyTooLargeError),
        ({"by": ""}, errors.InvalidRequestError),
        ({"reason": "x" * 2000}, errors.InvalidRequestError),
    ]
    for said, kind in wrong:
        with pytest.raises(kind):
            await bus.resend(one.number, **{"by": "li", **said})
    space_of(shop.url).away = True
    with pytest.raises(messaging_errors.BrokerAwayError):
        await bus.resend(one.number, by="li")
    gone, other = await bus.resend_many([one.number, one.number + 5], by="li")
    assert [type(each.error) for each in (gone, other)] == [messaging_errors.BrokerAwayError] * 2
    space_of(shop.url).away = False
    assert await bus.dead_letters() == [one]
    assert (await bus.resend(one.number, by="li")).ok, "nobody holds it"


async def test_many_are_sent_no_faster_than_asked(shop: Shop) -> None:
    bus = await shop.open()
    for number in range(5):
        await bus.send("orders", number)
    some = sorted(one.number for one in await letters(bus, 5))
    shop.refuses = lambda _body: False
    began = time.monotonic()
    outcomes = await bus.resend_many([*some, some[0], 10**9], by="li", per_second=20)
    assert time.monotonic() - began >= 5 / 20
    assert [(one.number, one.ok) for one in outcomes] == [*((number, True) for number in some), (10**9, False)]
    assert isinstance(outcomes[-1].error, messaging_errors.DeadLetterGoneError)
    await until(lambda: sorted(shop.billed.bodies) == [0, 1, 2, 3, 4])
    with pytest.raises(errors.InvalidRequestError):
        await bus.resend_many(some, by="li", per_second=0)


async def test_deleting(shop: Shop) -> None:
    bus = await shop.open()
    for number in range(3):
        await bus.send("orders", number, id=f"{number}")
    some = [one.number for one in await letters(bus, 3)]
    outcomes = await bus.delete_dead([*some[:2], 10**9], by="li", reason="of no use")
    assert [one.ok for one in outcomes] == [True, True, False]
    assert [one.number for one in await bus.dead_letters()] == some[2:]
    history = await bus.dead_history()
    assert [(one.what, one.letter.number, one.by, one.reason) for one in history] == [
        ("deleted", some[1], "li", "of no use"),
        ("deleted", some[0], "li", "of no use"),
    ]
    with pytest.raises(messaging_errors.DeadLetterGoneError):
        await bus.dead_action(10**9)


async def test_of_two_who_send_one_at_once_one_is_told(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 1)
    (one,) = await letters(bus, 1)
    other = await shop.bus(None)
    shop.refuses = lambda _body: False
    done = await asyncio.gather(
        *(each.resend(one.number, by="li") for each in (bus, other, bus, other)), return_exceptions=True
    )
    named = (messaging_errors.DeadLetterBusyError, messaging_errors.DeadLetterGoneError)
    assert sum(isinstance(each, named) for each in done) == 3, done
    await until(lambda: shop.billed.bodies == [1])
    assert len(await bus.dead_history()) == 1


async def test_what_was_sent_and_not_written_down_is_sent_twice_at_worst(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await shop.open()
    await bus.send("orders", 1, id="one")
    (one,) = await letters(bus, 1)
    shop.refuses = lambda _body: False
    monkeypatch.setattr(redriving, "AGAIN_SECONDS", 0.01)
    store = bus._ground.store
    assert store is not None
    finish = store.dead.finish

    async def fail(_action: Any) -> None:
        raise messaging_errors.BrokerAwayError("away")

    monkeypatch.setattr(store.dead, "finish", fail)
    with pytest.raises(messaging_errors.OutcomeUnknownError, match="may still be there"):
        await bus.resend(one.number, by="li")
    monkeypatch.setattr(store.dead, "finish", finish)
    assert await bus.dead_letters() == [one]
    await bus.resend(one.number, by="li")
    await until(lambda: [context.id for context in shop.billed.contexts] == ["one", "one"])
    assert await bus.dead_letters() == []


async def test_what_gets_no_answer_stays_and_what_is_on_disk_is_in_safe_hands(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await shop.open()
    for number in (1, 2):
        await bus.send("orders", number, id=f"{number}")
    one, two = sorted(await letters(bus, 2), key=lambda each: each.id)
    shop.refuses = lambda _body: False
    space = space_of(shop.url)
    silence = SendOutcome.unknown(messaging_errors.OutcomeUnknownError("no answer"))
    with monkeypatch.context() as silent:
        silent.setattr(space, "send", lambda frames: [silence] * len(frames))
        with pytest.raises(messaging_errors.OutcomeUnknownError):
            await bus.resend(one.number, by="li")
    assert (await bus.resend(one.number, by="li")).outcome == "accepted", "it stayed, and nobody holds it"
    await until(lambda: shop.billed.bodies == [1])
    offline = MessageBus(shop.estate(ON, offline=OfflineStore(folder=str(tmp_path / "offline"))), PLACE)
    shop.buses.append(offline)
    await offline.open(receive=False)
    space.away = True
    assert (await offline.resend(two.number, by="li")).outcome == "spooled"
    assert await bus.dead_letters() == []
    assert len(await bus.dead_history()) == 2
    space.away = False
    await until(lambda: shop.billed.bodies == [1, 2])
    await bus.send("orders", 3)
    await until(lambda: 3 in shop.shipped.bodies)
    assert sorted(shop.shipped.bodies) == [1, 2, 3]


async def test_nothing_is_buried_before_there_is_who_collects_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "BURY_AGAIN_SECONDS", 0.05)
    ready, refused = links.Link.ready, 0

    async def refuse(link: links.Link, topic: Topic, subscription: Subscription | None = None) -> None:
        nonlocal refused
        if topic.name == "dead.billing" and refused < 3:
            refused += subscription is not None
            raise messaging_errors.BrokerAwayError("not yet")
        await ready(link, topic, subscription)

    monkeypatch.setattr(links.Link, "ready", refuse)
    bus = await shop.open()
    await bus.send("orders", 1, id="one")
    (letter,) = await letters(bus, 1)
    assert (letter.id, refused) == ("one", 3)


async def test_a_store_that_is_another_one_gets_what_dies_from_then_on(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 1, id="one")
    await letters(bus, 1)
    shop.file = shop.file.with_name("other.sqlite3")
    await bus.change(shop.estate(ON))
    assert await bus.dead_letters() == []
    for group in ("billing", "shipping"):
        await until(lambda group=group: all(one.joined for one in bus.consumers("orders", group)))
    await bus.send("orders", 2, id="two")
    assert [one.id for one in await letters(bus, 1)] == ["two"]


async def test_while_the_store_is_away_nothing_is_lost(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "AGAIN_LONGEST", 0.1)
    shop.file.mkdir()
    bus = await shop.open()
    for number in range(500):
        bus.oneway("orders", number, id=f"{number}")
    await until(lambda: len(shop.shipped.bodies) == 500)
    await asyncio.sleep(0.3)
    shop.file.rmdir()
    some = await letters(bus, 500, count=1000)
    assert {one.id for one in some} == {f"{number}" for number in range(500)}
    assert len(some) == 500


async def test_a_store_that_is_away_keeps_no_bus_from_closing_and_the_next_one_collects(shop: Shop) -> None:
    shop.file.mkdir()
    bus = await shop.open()
    await bus.send("orders", 1, id="one")
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await bus.close()
    assert time.monotonic() - began < 4
    shop.file.rmdir()
    other = await shop.open()
    assert [one.id for one in await letters(other, 1)] == ["one"]


async def refuse(shop: Shop, when: str) -> None:
    """Have the store refuse some rows."""
    database = Database(f"sqlite:///{shop.file}")
    await database.open()
    rule = f"create trigger no before insert on mf_dead when {when} begin select raise(abort, 'not this one'); end"
    await database.write(lambda connection: connection.execute(sa.text(rule)))
    await database.close()


async def test_one_that_the_store_does_not_take_lies_aside_and_those_behind_it_go_on(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 0, id="0")
    await letters(bus, 1)
    await refuse(shop, "length(new.frames) > 20000")
    before = observe.METER.counter(collecting.ASIDE, "").read()[0]
    large = {"text": "x" * 20000}
    for number in range(1, 7):
        await bus.send("orders", large if number == 3 else number, id=f"{number}", headers={"h": "v"})
    some = sorted(await letters(bus, 7), key=lambda one: one.id)
    assert [one.id for one in some] == ["0", "1", "2", "3", "4", "5", "6"]
    three = some[3]
    assert three.error.startswith("its message is not in the store")
    assert all(said in three.error for said in ("not this one", "dead.mf-dead", "main/one", "ValueError: cannot bill"))
    assert (three.fingerprint, three.topic, three.group) == (some[2].fingerprint, "orders", "billing")
    with pytest.raises(errors.InvalidRequestError, match=r"dead\.mf-dead"):
        await bus.resend(three.number, by="li")
    assert observe.METER.counter(collecting.ASIDE, "").read()[0] == before + 1
    receiver = await memory_receiver(shop)
    (aside,) = await receiver.fetch(10, 10**6, 5)
    died = dead.read(aside.frame)
    assert died is not None
    assert (died.topic, died.group) == ("orders", "billing")
    assert died.error.startswith("ValueError: cannot bill")
    assert "not this one" in aside.frame.text[dead.ASIDE]
    assert (aside.frame.text["h"], bus.dead_body(aside.frame)) == ("v", large), "the message is there as it was"
    await receiver.close()


async def memory_receiver(shop: Shop) -> Any:
    """Take part in the group of what was put aside."""
    broker = memory.make(Resource(name="one", url=shop.url))
    await broker.open()
    return await broker.receive(Subscription(group="mf-dead", topic="dead.mf-dead"), "m")


async def test_what_the_store_takes_nothing_of_lies_aside_too(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 0, id="0")
    await letters(bus, 1)
    await refuse(shop, "new.id = '1'")
    for number in (1, 2):
        await bus.send("orders", number, id=f"{number}")
    assert {one.id for one in await letters(bus, 2)} == {"0", "2"}
    receiver = await memory_receiver(shop)
    assert [one.frame.id for one in await receiver.fetch(10, 10**6, 5)] == ["1"]
    await receiver.close()


async def test_one_that_can_lie_nowhere_waits_and_keeps_nobody_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "AGAIN_LONGEST", 0.1)
    monkeypatch.setattr(consuming, "BURY_AGAIN_SECONDS", 0.2)
    bus = await shop.open()
    await bus.send("orders", 0, id="0")
    await letters(bus, 1)
    await refuse(shop, "new.id = '1'")
    space = space_of(shop.url)
    put, says = space.send, SendOutcome.refused(messaging_errors.BrokerAwayError("not now"))

    def refuse_aside(frames: Any) -> list[SendOutcome]:
        return [says if one.topic == "dead.mf-dead" else put([one])[0] for one in frames]

    monkeypatch.setattr(space, "send", refuse_aside)
    await bus.send("orders", 1, id="1")
    await asyncio.sleep(0.3)
    says = SendOutcome.refused(messaging_errors.BodyTooLargeError("too large"))
    await bus.send("orders", 2, id="2")
    assert {one.id for one in await letters(bus, 2)} == {"0", "2"}
    monkeypatch.setattr(space, "send", put)
    receiver = await memory_receiver(shop)
    assert [one.frame.id for one in await receiver.fetch(10, 10**6, 5)] == ["1"]
    await receiver.close()


async def test_where_a_broker_has_no_room_for_what_a_letter_says_it_says_less(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await shop.open()
    space = space_of(shop.url)
    put = space.send

    def limited(frames: Any) -> list[SendOutcome]:
        large = SendOutcome.refused(messaging_errors.BodyTooLargeError("too large"))
        sizes = [len(one.body) + sum(map(len, one.text.values())) for one in frames]
        return [
            large if size > 11_000 and one.topic == "dead.billing" else put([one])[0]
            for size, one in zip(sizes, frames, strict=True)
        ]

    monkeypatch.setattr(space, "send", limited)
    await bus.send("orders", "x" * 9_900, id="one")
    (one,) = await letters(bus, 1)
    whole = await bus.dead_letter(one.number)
    assert whole.frame is not None
    assert bus.dead_body(whole.frame) == "x" * 9_900
    assert (one.stack, one.attempts, one.error[:12]) == ("", 1, "ValueError: ")
    await bus.send("orders", "x" * 10_900, id="two")
    await until(lambda: len(shop.shipped.bodies) == 2)
    await asyncio.sleep(0.1)
    assert [each.id for each in await bus.dead_letters()] == ["one"], "that one waits: it fits nowhere"


async def test_a_letter_that_comes_twice_is_one_row(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = await shop.open()
    collectors = bus._subscriptions._collecting._consumers
    (consumer,) = [one for (_, group), one in collectors.items() if group == "billing"]
    settled = 0

    async def lost(_settles: Any) -> None:
        nonlocal settled
        settled += 1

    monkeypatch.setattr(consumer, "_settle_some", lost)
    await bus.send("orders", 1, id="one")
    await until(lambda: settled > 0)
    assert len(await letters(bus, 1)) == 1
    await bus.close()
    collected = observe.METER.counter(collecting.COLLECTED, "").read()[0]
    other = await shop.open()
    await until(lambda: observe.METER.counter(collecting.COLLECTED, "").read()[0] > collected)
    assert [one.id for one in await other.dead_letters()] == ["one"]


async def test_the_setting_changes_while_it_runs(shop: Shop) -> None:
    bus = await shop.open(None)
    await bus.send("orders", 0, id="before")
    await until(lambda: len(shop.shipped.bodies) == 1)
    await bus.change(shop.estate(DeadLetterSettings(keep_days=1)))
    await bus.send("orders", 1, id="collected")
    assert [one.id for one in await letters(bus, 1)] == ["collected"]
    await bus.change(shop.estate(DeadLetterSettings(collect=False)))
    await bus.send("orders", 2, id="left")
    await until(lambda: len(shop.shipped.bodies) == 3)
    await asyncio.sleep(0.2)
    assert [one.id for one in await bus.dead_letters()] == ["collected"]
    await bus.change(shop.estate(DeadLetterSettings()))
    assert [one.id for one in await letters(bus, 2)] == ["left", "collected"], "it waited for its group"


async def test_what_is_old_goes_though_nothing_dies(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "SWEEP_SECONDS", 0.05)
    bus = await shop.open()
    await bus.send("orders", 1)
    await letters(bus, 1)
    await asyncio.sleep(0.2)
    monkeypatch.setattr(sweeping, "TURN_SECONDS", 0.0)
    await bus.change(shop.estate(DeadLetterSettings(keep_days=1e-6)))
    await found(bus.dead_letters, lambda some: not some)


async def test_nobody_sees_who_collects(shop: Shop) -> None:
    bus = await shop.open()
    await bus.send("orders", 1)
    await letters(bus, 1)
    assert bus.consumers("dead.billing", collecting.GROUP) == []
    assert len(bus.consumers("orders", "billing")) == 1
    groups = {dict(one.labels)["group"] for one in observe.METER.snapshot() if one.name == counting.CONSUMED}
    assert "billing" in groups
    assert collecting.GROUP not in groups


async def test_what_its_broker_refuses_is_collected_from_who_sent_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = await shop.open()
    sending = MessageBus(shop.estate(ON, offline=OfflineStore(folder=str(tmp_path / "offline"))), PLACE)
    shop.buses.append(sending)
    await sending.open()
    await sending.send("orders", 0)
    space = space_of(shop.url)
    put = space.send

    def refuse(frames: Any) -> list[SendOutcome]:
        forbidden = SendOutcome.refused(messaging_errors.SendForbiddenError("not any more"))
        return [forbidden if one.topic == "orders" else put([one])[0] for one in frames]

    space.away = True
    assert (await sending.send("orders", 1, id="refused")).outcome == "spooled"
    monkeypatch.setattr(space, "send", refuse)
    space.away = False
    (letter,) = await letters(serving, 1, group=PLACE.application)
    assert (letter.id, letter.topic, letter.was_refused) == ("refused", "orders", True)
    assert "not any more" in letter.error
    monkeypatch.setattr(space, "send", put)
    shop.refuses = lambda _body: False
    await serving.resend(letter.number, by="li")
    await until(lambda: 1 in shop.billed.bodies and 1 in shop.shipped.bodies, lambda: shop.shipped.bodies)


async def test_others_take_part_though_nothing_died_here(shop: Shop) -> None:
    """What one process buries another one collects, where it consumes the same group."""
    first, second = await shop.open(), await shop.open()
    for number in range(20):
        await first.send("orders", number, id=f"{number}")
    some = await letters(second, 20)
    assert len({one.id for one in some}) == 20
    assert len(some) == 20


async def test_without_a_store_there_is_no_place_for_them(shop: Shop) -> None:
    bare = msgspec.structs.replace(shop.estate(DeadLetterSettings()), store=None)
    with pytest.raises(errors.MisconfiguredError, match="give it `store`"):
        MessageBus(bare, PLACE)
    async with MessageBus(msgspec.structs.replace(bare, dead_letters=None), PLACE) as bus:
        with pytest.raises(messaging_errors.FeatureMissingError, match="give it `store`"):
            await bus.dead_letters()


async def test_without_receiving_handlers_are_not_called(shop: Shop) -> None:
    bus = MessageBus(shop.estate(DeadLetterSettings()), PLACE)
    shop.buses.append(bus)
    bus.subscribe("orders", group="billing")(shop.billed)
    await bus.open(receive=False)
    assert (await bus.send("orders", 1)).ok
    await bus.change(shop.estate(None))
    await asyncio.sleep(0.1)
    assert (bus.consumers("orders", "billing"), shop.billed.bodies) == ([], [])


# -- the message that is made of a letter ----------------------------------------------------------------------------

ORDERS = Topic(name="orders", clusters=["main"])
NO_KEYS: Any = None


def buried(frame: Frame, **more: Any) -> DeadLetter:
    died = {"topic": "orders", "group": "billing", "error": "x", "queue": "0", **more}
    said = msgspec.convert(died, Died)
    text = {dead.TOPIC: said.topic, dead.GROUP: said.group, dead.ERROR: said.error, dead.QUEUE: said.queue}
    return dead.kept(msgspec.structs.replace(frame, topic="dead.billing", text={**frame.text, **text}))


def test_what_its_broker_refused_goes_to_all_groups() -> None:
    frame = envelope.write("orders", envelope.Envelope(id="a", codec="json"), b"1")
    letter = buried(frame, queue="")
    assert letter.was_refused
    assert redriving.again(letter, redriving.Edits(), ORDERS, NO_KEYS, 0) == frame
    taken = redriving.again(buried(frame), redriving.Edits(), ORDERS, NO_KEYS, 0)
    assert taken.text == {**frame.text, dead.FOR: "billing"}


def test_what_was_sent_again_and_refused_is_for_its_group_still() -> None:
    frame = envelope.write("orders", envelope.Envelope(id="a", codec="json"), b"1")
    first = redriving.again(buried(frame), redriving.Edits(), ORDERS, NO_KEYS, 0)
    letter = dead.kept(dead.refused(first, "shop", ValueError("too large"), 5.0))
    assert (letter.was_refused, letter.group, letter.topic) == (True, "shop", "orders")
    assert letter.frame is not None
    assert dead.FOR not in letter.frame.text, "who collects would pass it over"
    assert redriving.again(letter, redriving.Edits(), ORDERS, NO_KEYS, 0) == first


def test_what_nobody_could_read_gets_another_body() -> None:
    letter = buried(Frame(topic="orders", id="", body=b"\xff{", text={"h": "v"}, binary={"b": b"\xff"}))
    plain = redriving.again(letter, redriving.Edits(), ORDERS, NO_KEYS, 0)
    assert (plain.body, plain.text) == (b"\xff{", {"h": "v", dead.FOR: "billing"})
    with pytest.raises(messaging_errors.UndecodableError):
        redriving.again(letter, redriving.Edits(key="k"), ORDERS, NO_KEYS, 0)
    fixed = redriving.again(letter, redriving.Edits(body={"n": 1}, key="k"), ORDERS, NO_KEYS, 5)
    opened = envelope.read(fixed)
    assert (opened.body, opened.envelope.key, opened.envelope.codec) == (b'{"n":1}', "k", "json")
    assert opened.envelope.id
    assert dict(opened.envelope.headers) == {"h": "v", "b": b"\xff"}


def test_a_letter_that_says_nothing_of_its_end_is_kept_too() -> None:
    kept = dead.kept(Frame(topic="dead.billing", id="a\0b", body=b"?", text={"mf-v": "9.0", "mf-from": "trade/shop"}))
    assert (kept.topic, kept.group, kept.id, kept.center, kept.application) == (
        "",
        "billing",
        "a\ufffdb",
        "trade",
        "shop",
    )
    assert len(kept.fingerprint) == 16
