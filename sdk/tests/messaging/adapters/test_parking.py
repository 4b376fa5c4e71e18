"""Parking in a database, as the receiver of a broker without `later` uses it."""

from __future__ import annotations

import time
from pathlib import Path

from qiantang.messaging.adapters.sql import parking
from qiantang.messaging.model import Frame, Resource, Subscription, Taken
from qiantang.messaging.port import Waiting


async def test_of_a_key_what_stands_behind_its_first_is_given_with_it_up_to_what_has_to_wait(tmp_path: Path) -> None:
    store = parking.make(Resource(name="store", url=f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    await store.open()
    try:
        one = store.parking("main/one", Subscription(group="g", topic="t", order="key"))
        await one.own({"0": 1})
        far = time.time() + 3600
        dues = {
            0: ("a", 0.0),
            1: ("a", 0.0),
            2: ("a", far),
            3: ("a", 0.0),
            4: ("b", far),
            5: ("b", 0.0),
            6: ("", 0.0),
            7: ("", 0.0),
        }
        waiting = [
            Waiting(
                taken=Taken(frame=Frame(topic="t", id=f"{n}", body=b"", key=key), queue="0", position=n, hold=1),
                key=key,
                due=due,
            )
            for n, (key, due) in dues.items()
        ]
        await one.put(waiting)
        found = await one.due(10)
        assert sorted(each.position for each in found) == [0, 1, 6, 7]
        first, second = [each for each in found if each.position < 2]
        assert (first.position, second.position) == (0, 1)
        assert await one.due(10) == [], "what is behind those in hand waits for them"
        again = Waiting(taken=first, key="a", due=0.0, attempt=2)
        await one.settle([], [second], [again])
        assert [(each.position, each.attempt) for each in await one.due(10)] == [(0, 2), (1, 1)]
        assert len(await one.due(1)) == 0
    finally:
        await store.close()


async def test_what_was_given_when_a_queue_was_lost_is_given_again_once_it_comes_back(tmp_path: Path) -> None:
    store = parking.make(Resource(name="store", url=f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    await store.open()
    try:
        one = store.parking("main/one", Subscription(group="g", topic="t", order="key"))
        await one.own({"0": 1, "1": 1})
        frame = Frame(topic="t", id="a", body=b"", key="k", text={"mf-v": "2.0", "mf-id": "a", "mf-key": "k"})
        await one.put(
            [Waiting(taken=Taken(frame=frame, queue=queue, position=7, hold=1), key="k") for queue in ("0", "1")]
        )
        assert len(await one.due(10)) == 2
        assert await one.due(10) == [], "they are in hand"
        one.forget("0")
        assert await one.own({"0": 2}) == {"0": {"k": 1}}
        (again,) = await one.due(10)
        assert (again.queue, again.hold, again.frame.id) == ("0", 2, "a")
        await one.settle([again], [], [])
        one.forget("0")
        assert await one.own({"0": 3}) == {}
        assert await one.due(10) == []
    finally:
        await store.close()


async def test_what_was_taken_under_an_earlier_hold_changes_nothing(tmp_path: Path) -> None:
    """Neither of a queue that came back to its member, nor of one that is another's."""
    store = parking.make(Resource(name="store", url=f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    await store.open()

    def waiting(position: int, hold: int) -> Waiting:
        return Waiting(taken=Taken(frame=Frame(topic="t", id="x", body=b""), queue="0", position=position, hold=hold))

    try:
        one, other = (store.parking("main/one", Subscription(group="g", topic="t", order="key")) for _ in range(2))
        await one.own({"0": 1})
        await one.put([waiting(1, 1), waiting(2, 1)])
        first, second = await one.due(10)
        one.forget("0")
        await one.own({"0": 2})
        await one.put([waiting(3, 1), waiting(4, 2)])
        await one.settle([first], [], [Waiting(taken=second, due=time.time() + 3600, attempt=9)])
        found = await one.due(10)
        assert [(each.position, each.attempt, each.hold) for each in found] == [(1, 1, 2), (2, 1, 2), (4, 1, 2)]
        await other.own({"0": 2})
        await one.put([waiting(5, 2)])
        await one.settle(found, [], [])
        assert [each.position for each in await other.due(10)] == [1, 2, 4]
    finally:
        await store.close()
