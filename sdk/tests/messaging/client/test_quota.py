"""Rates that processes keep together over a store, and what each does where that is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.kernel.rate import Rate
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.client import MessageBus, quota
from qiantang.messaging.client.quota import QuotaGate
from qiantang.messaging.errors import BrokerAwayError, RateLimitedError
from qiantang.messaging.model import Cluster, Estate, RateLimit, Resource, Store, Topic
from qiantang.messaging.port import Store as StorePort
from qiantang.messaging.testing import PLACE


class Shared:
    """A store whose clock stands until it is moved on."""

    def __init__(self) -> None:
        self.paid: dict[str, float] = {}
        self.away = False
        self.asked = 0

    async def open(self) -> None:
        if self.away:
            raise BrokerAwayError("away")

    async def draw(self, name: str, rate: Rate, wanted: float, most: float) -> float:
        self.asked += 1
        now = asyncio.get_running_loop().time()
        paid = self.paid.get(name, 0.0)
        wait = rate.wait(paid, now)
        if wait <= most:
            self.paid[name] = rate.take(paid, now, wanted)
        return wait


def gates(store: object, count: int, limit: RateLimit) -> list[QuotaGate]:
    found: StorePort = store  # type: ignore[assignment]
    return [QuotaGate("t", limit, lambda: found) for _ in range(count)]


async def passed(gate: QuotaGate, seconds: float) -> int:
    """Count what a process sends in a time, one message after the other."""
    clock, count = asyncio.get_running_loop().time, 0
    ends = clock() + seconds
    while (left := ends - clock()) > 0:
        try:
            await gate.pass_(1, left)
        except RateLimitedError:
            break
        count += 1
        await asyncio.sleep(0)
    return count


async def test_together_they_keep_the_rate_and_each_gets_some() -> None:
    store = Shared()
    some = gates(store, 4, RateLimit(per_second=200, burst=1, shared=True))
    found = await asyncio.gather(*(passed(gate, 1.5) for gate in some))
    assert 200 <= sum(found) <= 40 + 300 + 4 * 40
    assert min(found) >= 40
    assert store.asked < sum(found) / 20, "it is asked for many at a time"


async def test_who_would_wait_too_long_is_refused_and_takes_nothing() -> None:
    store = Shared()
    (gate,) = gates(store, 1, RateLimit(per_second=10, burst=1, shared=True))
    await gate.pass_(50, 1)
    before = dict(store.paid)
    with pytest.raises(RateLimitedError, match="all processes together") as caught:
        await gate.pass_(1, 0.1)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 4
    assert store.paid == before


async def test_what_is_not_used_is_lost_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "HOLD_SECONDS", 0.05)
    store = Shared()
    (gate,) = gates(store, 1, RateLimit(per_second=100, shared=True))
    await gate.pass_(1, 1)
    await asyncio.sleep(0.1)
    await gate.pass_(1, 1)
    assert store.asked == 2


async def test_where_the_store_is_away_each_goes_on_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "LATELY_SECONDS", 1.0)
    monkeypatch.setattr(quota, "AWAY_SECONDS", 0.3)
    store = Shared()
    some = gates(store, 2, RateLimit(per_second=200, burst=1, shared=True))
    await asyncio.gather(*(passed(gate, 1.0) for gate in some))
    store.away = True
    found = await asyncio.gather(*(passed(gate, 1.0) for gate in some))
    assert 60 <= sum(found) <= 2 * (200 + 80), "neither nothing nor without bounds"
    store.away = False
    asked = store.asked
    await asyncio.sleep(0.4)
    await asyncio.gather(*(passed(gate, 0.5) for gate in some))
    assert store.asked > asked, "it is asked again once it is back"


async def test_two_buses_share_a_rate(tmp_path: Path) -> None:
    url = f"memory://{ids.ordered_id()}"
    estate = Estate(
        clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=url)])],
        topics=[Topic(name="orders", clusters=["main"], limits=[RateLimit(per_second=5, burst=1, shared=True)])],
        store=Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}"),
    )
    async with MessageBus(estate, PLACE) as one, MessageBus(estate, PLACE) as other:
        await one.send("orders", 1)
        with pytest.raises(messaging_errors.RateLimitedError):
            for _ in range(3):
                await other.send("orders", 2, deadline=0.05)
    with pytest.raises(errors.MisconfiguredError, match="give it `store`"):
        MessageBus(msgspec.structs.replace(estate, store=None), PLACE)
