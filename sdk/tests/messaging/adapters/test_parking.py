"""Parking in a database, as the receiver of a broker without `later` uses it."""

from __future__ import annotations

from pathlib import Path

from qiantang.messaging.adapters.sql import parking
from qiantang.messaging.model import Frame, Resource, Subscription, Taken
from qiantang.messaging.port import Waiting


async def test_what_was_given_when_a_queue_was_lost_is_given_again_once_it_comes_back(tmp_path: Path) -> None:
    store = parking.make(Resource(name="store", url=f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    await store.open()
    try:
        one = store.parking("main/one", Subscription(group="g", topic="t", order="key"))
        await one.own({"0": 1, "1": 1})
        frame = Frame(topic="t", id="a", body=b"", key="k", text={"mf-v": "2.0", "mf-id": "a", "mf-key": "k"})
        await one.put([Waiting(taken=Taken(frame=frame, queue=queue, position=7), key="k") for queue in ("0", "1")])
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
