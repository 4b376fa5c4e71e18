"""Rates that processes keep together, on each database."""

from __future__ import annotations

import asyncio

from qiantang.kernel import ids
from qiantang.kernel.rate import Rate
from qiantang.messaging.adapters.sql import parking
from qiantang.messaging.testing import Rig


async def test_on_each_database_the_row_is_kept_together(rig: Rig) -> None:
    one, other = parking.make(rig.cluster.resources[0]), parking.make(rig.cluster.resources[0])
    await asyncio.gather(one.open(), other.open())
    try:
        name, rate = f"t|{ids.ordered_id()}", Rate(100, 10)
        await asyncio.gather(*(store.draw(name, rate, 5, 0.0) for store in (one, other)))
        waits = [await store.draw(name, rate, 100, 60.0) for store in (one, other)]
        assert waits[0] < 0.02
        assert 0.5 < waits[1] <= 1.1, "the hundred of the other come first"
        refused = await one.draw(name, rate, 1, 0.1)
        assert 1.4 < refused < 2.1
        assert await other.draw(name, rate, 1, 0.1) <= refused
    finally:
        await asyncio.gather(one.close(), other.close())
