"""Dead letters while processes are killed: none is lost, none is two rows, and what is sent again reaches its group."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import (
    Cluster,
    Context,
    DeadLetter,
    DeadLetterSettings,
    Estate,
    Message,
    Resource,
    RetryPolicy,
    Store,
    Topic,
)
from qiantang.messaging.testing import PLACE, until

pytestmark = pytest.mark.process

MESSAGES = 200
PROGRAM = """
import asyncio, sys
import msgspec
from qiantang.messaging import Estate, MessageBus, RetryPolicy
from qiantang.messaging.testing import PLACE

bus = MessageBus(msgspec.json.decode(sys.argv[1], type=Estate), PLACE)

async def collect():
    @bus.subscribe("orders", group="billing", retry=RetryPolicy(attempts=1))
    async def bill(body: int) -> None:
        await asyncio.sleep(0.002)
        raise ValueError(f"cannot bill {body}")

    async with bus:
        await asyncio.sleep(3600)

async def resend():
    await bus.open(receive=False)
    while some := await bus.dead_letters(count=20):
        await bus.resend_many([one.number for one in some], by="robot", per_second=50)
    await bus.close()

asyncio.run(globals()[sys.argv[2]]())
"""


class Shop:
    """A broker and a store in files, and programs that are killed."""

    def __init__(self, folder: Path) -> None:
        cluster = Cluster(
            name="main", adapter="sql", resources=[Resource(name="one", url=f"sqlite:///{folder / 'broker.sqlite3'}")]
        )
        self.estate = Estate(
            clusters=[cluster],
            topics=[Topic(name="orders", clusters=["main"])],
            store=Store(url=f"sqlite:///{folder / 'store.sqlite3'}"),
            dead_letters=DeadLetterSettings(),
        )
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, what: str) -> subprocess.Popen[bytes]:
        estate = msgspec.json.encode(self.estate).decode()
        self.running.append(subprocess.Popen([sys.executable, "-c", PROGRAM, estate, what]))
        return self.running[-1]

    async def letters(self, bus: MessageBus) -> list[DeadLetter]:
        return await bus.dead_letters(count=10 * MESSAGES)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path)
    yield made
    for one in made.running:
        one.kill()
        one.wait()


async def test_who_collects_and_who_sends_again_is_killed(shop: Shop) -> None:
    async with MessageBus(shop.estate, PLACE) as bus:
        await everything_is_collected(shop, bus)
        await everything_is_sent_again(shop, bus)


async def everything_is_collected(shop: Shop, bus: MessageBus) -> None:
    victims = [shop.start("collect"), shop.start("collect")]
    while not await shop.letters(bus):  # the group receives what is sent once one of them has joined
        await bus.send("orders", 0, id="0")
        await asyncio.sleep(0.2)
    for first in range(1, MESSAGES, 50):
        await bus.send_many([Message(topic="orders", body=one, id=f"{one}") for one in range(first, first + 50)])
        await asyncio.sleep(0.1)
        victims.pop(0).kill()
        victims.append(shop.start("collect"))
    wanted, found = {f"{number}" for number in range(1, MESSAGES + 1)}, list[DeadLetter]()
    for _ in range(1200):
        found = await shop.letters(bus)
        if wanted <= {one.id for one in found}:
            break
        await asyncio.sleep(0.1)
    assert wanted <= {one.id for one in found}, sorted(wanted - {one.id for one in found})
    deaths = [(one.id, one.at, one.queue, one.position) for one in found]
    assert len(set(deaths)) == len(deaths), "one that came twice is one row"
    for one in victims:
        one.kill()
        one.wait()


async def everything_is_sent_again(shop: Shop, bus: MessageBus) -> None:
    handled: set[str] = set()

    @bus.subscribe("orders", group="billing", retry=RetryPolicy(attempts=1))
    async def bill(_body: int, context: Context) -> None:  # pyright: ignore[reportUnusedFunction]
        handled.add(context.id)

    wanted = {one.id for one in await shop.letters(bus)}
    for _ in range(3):
        before = len(await shop.letters(bus))
        redriving = shop.start("resend")
        while len(await shop.letters(bus)) > before - 20 and redriving.poll() is None:
            await asyncio.sleep(0.01)
        redriving.kill()
        redriving.wait()
    rest = await shop.letters(bus)
    assert rest, "it was killed before it had done all"
    done = {one.letter.id for one in await bus.dead_history(count=10 * MESSAGES)}
    assert wanted == done | {one.id for one in rest}, "each is still there, or in the history"
    outcomes = await bus.resend_many([one.number for one in rest], by="li", per_second=1000)
    late = [one.number for one in outcomes if not one.ok]
    assert len(late) <= 3, "at most one of each that was killed is claimed still"
    await until(lambda: len(handled) >= len(wanted) - len(late), lambda: len(handled))
