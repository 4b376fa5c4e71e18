"""Dead letters and their history in the store, on each database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from qiantang.kernel import ids
from qiantang.messaging import errors
from qiantang.messaging.adapters.sql import dead, parking
from qiantang.messaging.model import DeadAction, DeadLetter, Frame, Resource
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
