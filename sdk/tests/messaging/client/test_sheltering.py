"""What brokers did not take moves from disk to the store: it outlives its machine, and the order of its keys is kept."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.adapters.sql import crashed
from qiantang.messaging.client import MessageBus, offline, transactions
from qiantang.messaging.model import (
    Cluster,
    Context,
    Estate,
    Message,
    OfflineStore,
    Resource,
    RetryPolicy,
    Store,
    Topic,
)
from qiantang.messaging.testing import PLACE
from tests.servers.streams import until


class Shop:
    """A broker and a store that can be taken away, and machines that send."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"memory://{ids.ordered_id()}"
        self.space = space_of(self.url)
        self.store_away = False
        self.buses: list[MessageBus] = []
        self.seen: dict[str, list[int]] = defaultdict(list)

    def estate(self, machine: str) -> Estate:
        return Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=self.url)])],
            topics=[Topic(name="orders", clusters=["main"])],
            store=Store(url=f"sqlite:///{self.folder / 'store.sqlite3'}"),
            offline=OfflineStore(folder=str(self.folder / machine), to_store_after=0),
        )

    async def bus(self, machine: str) -> MessageBus:
        bus = MessageBus(self.estate(machine), PLACE)
        await bus.open()
        self.buses.append(bus)
        return bus

    async def taking(self) -> None:
        bus = await self.bus("taking")

        @bus.subscribe("orders", group="taking", order="key", retry=RetryPolicy(first=0.01))
        async def take(body: int, context: Context) -> None:
            self.seen[context.key].append(body)

        await until(lambda: all(one.joined for one in bus.consumers("orders", "taking")))

    def ordered(self) -> dict[str, list[int]]:
        """Give what was seen of each key, each once: what came again counts where it came first."""
        return {key: list(dict.fromkeys(seen)) for key, seen in self.seen.items()}


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    for name, value in {"AGAIN_FIRST": 0.02, "AGAIN_LONGEST": 0.05, "SHELTERED_SECONDS": 0.02}.items():
        monkeypatch.setattr(offline, name, value)
    for name, value in {"AGAIN_FIRST": 0.02, "AGAIN_LONGEST": 0.05}.items():
        monkeypatch.setattr(transactions, name, value)
    made = Shop(tmp_path)

    def guarded(name: str) -> None:
        call = getattr(crashed.SqlCrashed, name)

        async def guard(self: Any, *arguments: Any) -> Any:
            if made.store_away:
                raise messaging_errors.BrokerAwayError("the store is away")
            return await call(self, *arguments)

        monkeypatch.setattr(crashed.SqlCrashed, name, guard)

    for name in ("put", "left", "take", "gone"):
        guarded(name)
    yield made
    for bus in made.buses:
        await bus.close()


async def send(bus: MessageBus, numbers: range, key: str = "k") -> set[str]:
    sent = await bus.send_many([Message(topic="orders", body=number, key=key) for number in numbers])
    return {one.outcome for one in sent}


async def moved(bus: MessageBus, count: int) -> None:
    async with asyncio.timeout(30):
        while bus.spooled() != {"main/one": 0} or (await bus.crashed()).messages != count:
            await asyncio.sleep(0.01)


async def test_it_moves_and_goes_out_before_what_is_new_of_its_key(shop: Shop) -> None:
    await shop.taking()
    bus = await shop.bus("one")
    shop.space.away = True
    assert await send(bus, range(50)) == {"spooled"}
    await moved(bus, 50)
    assert await send(bus, range(50, 60)) == {"spooled"}
    shop.space.away = False
    assert await send(bus, range(60, 70)) == {"spooled"}, "behind what is in the store"
    await until(lambda: shop.ordered().get("k") == list(range(70)))
    await moved(bus, 0)
    await until(lambda: not bus._ground.all_links()[0].is_away)
    assert await send(bus, range(70, 75)) == {"accepted"}
    await until(lambda: shop.ordered()["k"] == list(range(75)))


async def test_it_outlives_its_machine(shop: Shop) -> None:
    await shop.taking()
    bus = await shop.bus("lost")
    shop.space.away = True
    await send(bus, range(30))
    await moved(bus, 30)
    await bus.close()
    shutil.rmtree(shop.folder / "lost")
    other = await shop.bus("other")
    shop.space.away = False
    await until(lambda: shop.ordered().get("k") == list(range(30)))
    await moved(other, 0)


async def test_what_a_dead_process_left_on_disk_goes_out_behind_what_it_left_in_the_store(shop: Shop) -> None:
    await shop.taking()
    bus = await shop.bus("one")
    shop.space.away = True
    await send(bus, range(20))
    await moved(bus, 20)
    shop.store_away = True
    await send(bus, range(20, 40))
    await bus.close()
    heir = await shop.bus("one")
    await asyncio.sleep(0.2)
    shop.space.away = False
    await asyncio.sleep(0.3)
    assert shop.seen == {}, "what is in the store comes first, and nobody can read that"
    shop.store_away = False
    await until(lambda: shop.ordered().get("k") == list(range(40)))
    await moved(heir, 0)


async def test_while_the_store_is_away_too_it_stays_on_disk(shop: Shop) -> None:
    await shop.taking()
    bus = await shop.bus("one")
    shop.space.away = shop.store_away = True
    assert await send(bus, range(20)) == {"spooled"}
    await asyncio.sleep(0.3)
    assert bus.spooled() == {"main/one": 20}
    shop.space.away = False
    await until(lambda: shop.ordered().get("k") == list(range(20)))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_goes_away_nothing_is_lost_and_keys_keep_their_order(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    await shop.taking()
    bus = await shop.bus("one")
    count = 0
    for _ in range(25):
        shop.space.away, shop.store_away = chance.random() < 0.5, chance.random() < 0.3
        for key in ("a", "b", "c"):
            assert await send(bus, range(count, count + 5), key) <= {"accepted", "spooled"}
        count += 5
        await asyncio.sleep(chance.random() * 0.08)
        if chance.random() < 0.15:
            await bus.close()
            bus = await shop.bus("one")
    shop.space.away = shop.store_away = False
    await until(lambda: shop.ordered() == {key: list(range(count)) for key in ("a", "b", "c")})
    await moved(bus, 0)


async def test_a_broker_that_is_switched_off_gets_nothing_from_the_store_either(shop: Shop) -> None:
    await shop.taking()
    bus = await shop.bus("one")
    shop.space.away = True
    await send(bus, range(10))
    await moved(bus, 10)
    await shop.buses.pop(0).close()  # who takes would send what is in the store
    bus.switch("main", "one", on=False)
    shop.space.away = False
    await asyncio.sleep(0.3)
    assert (await bus.crashed()).messages == 10
    bus.switch("main", "one", on=True)
    await moved(bus, 0)


async def test_it_can_be_asked_for_while_the_bus_runs_and_needs_a_store(shop: Shop) -> None:
    bus = await shop.bus("one")
    plain = msgspec.structs.replace(shop.estate("one"), offline=OfflineStore(folder=str(shop.folder / "one")))
    await bus.change(plain)
    shop.space.away = True
    await send(bus, range(10))
    await asyncio.sleep(0.2)
    assert bus.spooled() == {"main/one": 10}
    with pytest.raises(messaging_errors.FeatureMissingError, match="to_store_after"):
        await bus.crashed()
    await bus.change(shop.estate("one"))
    await moved(bus, 10)
    with pytest.raises(errors.MisconfiguredError, match="give it `store`"):
        await bus.change(msgspec.structs.replace(shop.estate("one"), store=None))
