"""The table of failures, on each database."""

from __future__ import annotations

from qiantang.messaging.adapters.sql import parking
from qiantang.messaging.model import Failure, Frame
from qiantang.messaging.testing import Rig

FRAME = Frame(topic="t", id="a", body=bytes(range(256)) * 8000, key="钱塘", text={"h": "v"}, binary={"b": b"\0\xff"})


async def test_they_come_back_as_they_were_the_newest_first(rig: Rig) -> None:
    store = parking.make(rig.cluster.resources[0])
    await store.open()
    try:
        topic = rig.topic().name
        sent = Failure(
            kind="send", outcome="unknown", at=1000.5, topic=topic, id="a", key="钱塘", error="é" * 1000, frame=FRAME
        )
        took = Failure(
            kind="consume", outcome="dead", at=1001.0, topic=topic, id="b", group="g", attempt=3, stack="x" * 6000
        )
        await store.note([sent, took], 10 * 365 * 86400.0 * 10)
        await store.note([], 1.0)
        newest, oldest = await store.failures(topic=topic, kind="", before=0, count=10)
        assert newest.number > oldest.number > 0
        assert (newest.stack, newest.attempt, newest.outcome) == (took.stack, 3, "dead")
        assert (oldest.frame, oldest.error, oldest.at) == (FRAME, sent.error, 1000.5)
        assert await store.failures(topic=topic, kind="send", before=newest.number, count=1) == [oldest]
        assert await store.failures(topic=topic, kind="consume", before=newest.number, count=1) == []
    finally:
        await store.close()
