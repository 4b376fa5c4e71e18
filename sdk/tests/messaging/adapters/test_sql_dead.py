"""Dead letters and their history in the store, on each database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from qiantang.kernel import ids
from qiantang.messaging import errors
from qiantang.messaging.adapters.sql import dead, parking
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.model import Dead, DeadAction, DeadLetter, DeadLetterSettings, Frame, Resource, Store
from qiantang.messaging.port import DeadQuery, DeadStore
from qiantang.messaging.testing import Rig

YEARS = 10 * 365 * 86400.0
LARGE = bytes(range(256)) * 8000


@pytest.fixture
def resource(rig: Rig) -> Resource:
    return rig.cluster.resources[0]


@pytest.fixture
async def store(resource: Resource) -> AsyncIterator[DeadStore]:
    made = parking.make(resource)
    await made.open()
    yield made.dead
    await made.close()


@pytest.fixture
def topic(rig: Rig) -> str:
    return rig.topic().name


def letter(topic: str, id: str, body: bytes = b"\0\xff", **more: Any) -> DeadLetter:
    said: dict[str, Any] = {"group": "g", "queue": "0", "position": 1, "at": 1000.5, "fingerprint": f"f-{topic[:12]}"}
    frame = Frame(topic="dead.g", id=id, body=body, key="钱塘", text={"h": "v"}, binary={"b": b"\0\xff"})
    return DeadLetter(topic=topic, id=id, **{**said, "frame": frame, **more})


def bare(one: DeadLetter, number: int) -> DeadLetter:
    return msgspec.structs.replace(one, number=number, frame=None)


async def test_they_come_back_as_they_were_the_newest_first(store: DeadStore, topic: str) -> None:
    one = letter(topic, "a", LARGE, error="é" * 1000, stack="x" * 6000, attempts=3, key="钱塘", center="trade")
    two = letter(topic, "b", group="h", error="ValueError: 100% of O'Neil_1", fingerprint="other")
    await store.keep([one, two], YEARS, YEARS)
    second, first = await store.find(DeadQuery(topic=topic))
    assert second.number > first.number > 0
    assert (first, second) == (bare(one, first.number), bare(two, second.number))
    assert await store.get(first.number) == msgspec.structs.replace(one, number=first.number)
    assert await store.get(10**9) is None
    for asked, found in (
        ({"group": "g"}, [first]),
        ({"fingerprint": "other"}, [second]),
        ({"before": second.number}, [first]),
        ({"count": 1}, [second]),
        ({"words": "valueerror: 100% of o'neil_"}, [second]),
        ({"words": "1__%"}, []),
        ({"group": "g", "fingerprint": "other"}, []),
    ):
        assert await store.find(DeadQuery(topic=topic, **asked)) == found, asked  # pyright: ignore[reportArgumentType]


async def test_one_that_comes_twice_is_there_once(store: DeadStore, resource: Resource, topic: str) -> None:
    other = parking.make(resource)
    await other.open()
    some = [letter(topic, f"{number}") for number in range(30)]
    try:
        await asyncio.gather(
            *(each.keep(part, YEARS, YEARS) for each in (store, other.dead) for part in (some, some[::-1], some[7:]))
        )
        await store.keep([*some, *some], YEARS, YEARS)
        found = await store.find(DeadQuery(topic=topic))
        assert sorted(one.id for one in found) == sorted(one.id for one in some)
        claimed = await store.claim(found[0].number, "me", 30)
        await store.finish(DeadAction(letter=claimed, what="deleted", by="who", at=1.0))
        await store.keep(some, YEARS, YEARS)
        assert len(await store.find(DeadQuery(topic=topic))) == 29, "what is in the history does not come again"
    finally:
        await other.close()


async def test_causes_with_how_many_and_since_when(store: DeadStore, topic: str) -> None:
    await store.keep(
        [
            letter(topic, "1", at=100.0, fingerprint="a", error="old"),
            letter(topic, "2", at=300.25, fingerprint="b", error="rare"),
            letter(topic, "3", at=200.5, fingerprint="a", error="new"),
        ],
        YEARS,
        YEARS,
    )
    a, b = await store.causes(DeadQuery(topic=topic))
    assert (a.fingerprint, a.topic, a.group, a.count, a.first, a.last, a.error) == (
        "a",
        topic,
        "g",
        2,
        100.0,
        200.5,
        "new",
    )
    assert (b.fingerprint, b.count, b.first, b.last) == ("b", 1, 300.25, 300.25)
    assert a.newest > b.newest
    assert await store.causes(DeadQuery(topic=topic, count=1)) == [a]
    assert await store.causes(DeadQuery(topic=topic, before=a.newest)) == [b]
    assert [one.fingerprint for one in await store.causes(DeadQuery(topic=topic, words="RARE"))] == ["b"]


async def test_one_at_a_time_has_a_letter(store: DeadStore, topic: str) -> None:
    await store.keep([letter(topic, "a")], YEARS, YEARS)
    ((number),) = [one.number for one in await store.find(DeadQuery(topic=topic))]
    tries = await asyncio.gather(*(store.claim(number, f"c{name}", 30) for name in range(4)), return_exceptions=True)
    (mine,) = [name for name, found in enumerate(tries) if isinstance(found, DeadLetter)]
    assert sum(isinstance(found, errors.DeadLetterBusyError) for found in tries) == 3
    await store.release(number, "somebody else")
    with pytest.raises(errors.DeadLetterBusyError, match=f"dead letter {number}"):
        await store.claim(number, "other", 30)
    assert (await store.claim(number, f"c{mine}", 30)).frame is not None
    await store.release(number, f"c{mine}")
    await store.claim(number, "short", 0.3)
    await asyncio.sleep(0.5)
    await store.claim(number, "late", 30)
    with pytest.raises(errors.DeadLetterGoneError):
        await store.claim(10**9, "late", 30)


async def test_the_history_says_what_was_done(store: DeadStore, topic: str) -> None:
    await store.keep([letter(topic, "a"), letter(topic, "b")], YEARS, YEARS)
    b, a = [await store.claim(one.number, ids.ordered_id(), 30) for one in await store.find(DeadQuery(topic=topic))]
    assert a.frame is not None
    sent = msgspec.structs.replace(a.frame, body=b"other")
    first = DeadAction(letter=a, what="resent", by="钱", at=5.25, reason="it's right now", changed=["body"], sent=sent)
    await store.finish(first)
    await store.finish(first)
    await store.finish(DeadAction(letter=b, what="deleted", by="li", at=6.0))
    second, found = await store.history(DeadQuery(topic=topic))
    assert (second.what, second.by, second.letter.id) == ("deleted", "li", "b")
    assert (found.what, found.by, found.at, found.reason, found.changed) == (
        "resent",
        "钱",
        5.25,
        "it's right now",
        ["body"],
    )
    assert (found.letter, found.sent) == (bare(a, a.number), None)
    whole = await store.done(found.number)
    assert whole == msgspec.structs.replace(first, number=found.number)
    assert await store.done(10**9) is None
    assert await store.find(DeadQuery(topic=topic)) == []
    assert await store.history(DeadQuery(topic=topic, before=second.number)) == [found]
    await store.keep([letter(topic, "c")], YEARS, YEARS)
    (third,) = await store.find(DeadQuery(topic=topic))
    assert third.number > b.number, "a number is never used twice"


async def test_what_is_old_is_removed(resource: Resource, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = parking.make(resource)
    await made.open()
    try:
        monkeypatch.setattr(dead.time, "time", lambda: 1000.0)
        await made.dead.keep([letter(topic, "old"), letter(topic, "done")], YEARS, YEARS)
        done, _ = await made.dead.find(DeadQuery(topic=topic))
        claimed = await made.dead.claim(done.number, "me", 30)
        monkeypatch.undo()
        await made.dead.finish(DeadAction(letter=claimed, what="deleted", by="li", at=time.time() - 100))
        await made.dead.keep([letter(topic, "new")], 50, 50)
        assert len(await made.dead.find(DeadQuery(topic=topic))) == 2, "not at every turn"
    finally:
        await made.close()
    made = parking.make(resource)
    await made.open()
    try:
        await made.dead.keep([], 50, 200)
        assert [one.id for one in await made.dead.find(DeadQuery(topic=topic))] == ["new"]
        assert len(await made.dead.history(DeadQuery(topic=topic))) == 1
    finally:
        await made.close()


async def refuse_bad(resource: Resource) -> None:
    """Have the database refuse letters with the tag "bad"."""
    database = Database(resource.url)
    await database.open()
    rule = "alter table mf_dead add constraint no_bad check (id not like 'bad%')"
    if database.is_sqlite:
        rule = (
            "create trigger no_bad before insert on mf_dead when new.id like 'bad%' "
            "begin select raise(abort, 'no_bad'); end"
        )
    await database.write(lambda connection: connection.execute(sa.text(rule)))
    await database.close()


async def test_what_the_database_does_not_take_keeps_nothing_else_back(
    store: DeadStore, resource: Resource, topic: str
) -> None:
    await refuse_bad(resource)
    some = [letter(topic, "bad" if number in (0, 7, 11) else f"m{number}") for number in range(12)]
    some[7] = letter(topic, "bad7")
    refused = await store.keep([*some, some[1]], YEARS, YEARS)
    assert sorted(refused) == [0, 7, 11]
    assert all(isinstance(one, errors.StoreRefusedError) and "no_bad" in str(one) for one in refused.values())
    found = await store.find(DeadQuery(topic=topic))
    assert sorted(one.id for one in found) == sorted(f"m{number}" for number in (1, 2, 3, 4, 5, 6, 8, 9, 10))
    assert await store.keep(some[1:7], YEARS, YEARS) == {}, "these are there"


async def test_what_cannot_be_written_as_text_is_refused(store: DeadStore, topic: str) -> None:
    halved = Frame(topic="dead.g", id="a", body=b"", text={"h": "\ud800"})
    refused = await store.keep([letter(topic, "a", frame=halved), letter(topic, "b")], YEARS, YEARS)
    assert list(refused) == [0]
    assert [one.id for one in await store.find(DeadQuery(topic=topic))] == ["b"]


@pytest.mark.mariadb
async def test_a_row_over_the_packet_of_mariadb_is_told_apart_from_a_server_that_is_away(mariadb_factory: Any) -> None:
    """The driver says the same of both: the server cuts the connection."""
    server = await asyncio.to_thread(mariadb_factory)
    url = server.create_database("letters")
    await asyncio.to_thread(server.execute, "set global max_allowed_packet = 65536")
    made = parking.make(Resource(name="one", url=url))
    await made.open()
    try:
        # three that fit alone, and not in one statement; two that do not, one of them as it is escaped; one of 3 MB
        bodies = [b"x" * 40_000, b"x" * 40_000, b"x" * 70_000, b"\0" * 40_000, b"x" * 40_000, b"x" * 3_000_000]
        some = [letter("orders", f"{place}", body) for place, body in enumerate(bodies)]
        refused = await made.dead.keep(some, YEARS, YEARS)
        assert sorted(refused) == [2, 3, 5]
        assert all("max_allowed_packet" in str(one) for one in refused.values())
        assert [one.id for one in await made.dead.find(DeadQuery())] == ["4", "1", "0"]
        claimed = await made.dead.claim((await made.dead.find(DeadQuery()))[0].number, "me", 30)
        resent = DeadAction(letter=claimed, what="resent", by="li", at=1.0, changed=["tag"], sent=claimed.frame)
        await made.dead.finish(resent)
        (action,) = await made.dead.history(DeadQuery())
        assert await made.dead.done(action.number) == msgspec.structs.replace(resent, number=action.number, sent=None)
        assert [one.id for one in await made.dead.find(DeadQuery())] == ["1", "0"], (
            "it moved, with the letter's message"
        )
        await large_ones_lie_aside(url)
        await asyncio.to_thread(server.kill)
        for one in (some[0], some[5]):
            with pytest.raises(errors.BrokerAwayError):
                await made.dead.keep([one], YEARS, YEARS)
        await asyncio.to_thread(server.start)
    finally:
        await made.close()


async def large_ones_lie_aside(store: str) -> None:
    """Have messages die of which the store does not take one: the others come to it."""
    rig = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"), Store(url=store))
    topic = rig.topic()
    bus = rig.made()
    await bus.change(msgspec.structs.replace(rig.estate(topic), dead_letters=DeadLetterSettings()))
    bus.subscribe(topic.name, group="g")(lambda _body: Dead("no"))
    async with bus:
        await rig.joined(bus, topic, "g")
        for number in range(20):
            await bus.send(topic.name, "x" * (100_000 if number == 3 else 10_000), id=f"{number}")
        found: list[DeadLetter] = []
        ends = time.monotonic() + 30
        while len(found) < 20 and time.monotonic() < ends:
            found = await bus.dead_letters(topic=topic.name)
        assert sorted(int(one.id) for one in found) == list(range(20))
        (aside,) = [one for one in found if "max_allowed_packet" in one.error]
        assert (aside.id, await bus.dead_letter(aside.number)) == ("3", aside)


async def test_a_table_that_is_not_there_is_no_fault_of_the_letter(store: DeadStore, resource: Resource) -> None:
    engine = create_async_engine(Database(resource.url)._url)
    async with engine.begin() as connection:
        await connection.execute(sa.text("drop table mf_dead"))
    await engine.dispose()
    with pytest.raises(errors.BrokerAwayError):
        await store.keep([letter("orders", "a")], YEARS, YEARS)
