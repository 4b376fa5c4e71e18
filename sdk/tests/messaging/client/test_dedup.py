"""Dedup: a message that comes twice is handled once; what failed is handled again; what others handle is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang.messaging.client import MessageBus, dedup, subscriptions
from qiantang.messaging.client.dedup import Once
from qiantang.messaging.model import Dedup, Resource, RetryPolicy
from qiantang.messaging.port import Claim
from qiantang.messaging.testing import Rig

SAID = Dedup(url="memory://", claim_seconds=60)


class Memory:
    """What was handled, in memory; of another process where `owner` differs."""

    def __init__(self, known: dict[tuple[str, str], str] | None = None, owner: str = "a") -> None:
        self.known = {} if known is None else known
        self.owner = owner
        self.away = False
        self.claims = 0

    async def claim(self, group: str, ids: Sequence[str], _seconds: float) -> Sequence[Claim]:
        self._require()
        self.claims += 1
        found: list[Claim] = []
        for one in ids:
            state = self.known.setdefault((group, one), self.owner)
            found.append("mine" if state == self.owner else "handled" if state == "handled" else "busy")
        return found

    async def handled(self, group: str, ids: Sequence[str], _seconds: float) -> None:
        self._require()
        self.known.update({(group, one): "handled" for one in ids})

    async def release(self, group: str, ids: Sequence[str]) -> None:
        self._require()
        for one in ids:
            if self.known.get((group, one)) == self.owner:
                del self.known[group, one]

    async def close(self) -> None: ...

    def _require(self) -> None:
        if self.away:
            raise errors.UnavailableError("away")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "LOOK_FIRST", 0.005)
    monkeypatch.setattr(dedup, "LOOK_LONGEST", 0.01)


async def test_what_was_handled_is_not_claimed_again() -> None:
    once = Once("g", SAID, Memory())
    assert await once.claim(["1", "2"]) == {"1", "2"}
    await once.done(["1"], ["2"])
    assert await once.claim(["1", "2", "3"]) == {"2", "3"}


async def test_what_another_handles_is_waited_for() -> None:
    known: dict[tuple[str, str], str] = {}
    one, other = Once("g", SAID, Memory(known, "a")), Once("g", SAID, Memory(known, "b"))
    await one.claim(["1", "2"])
    waiting = asyncio.create_task(other.claim(["1", "2"]))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    await one.done(["1"], ["2"])
    assert await waiting == {"2"}


async def test_the_same_process_does_not_handle_it_twice_at_once() -> None:
    once = Once("g", SAID, Memory())
    await once.claim(["1"])
    waiting = asyncio.create_task(once.claim(["1"]))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    await once.done(["1"], [])
    assert await waiting == set()


async def test_while_the_memory_is_away_nothing_is_handled() -> None:
    memory = Memory()
    once = Once("g", SAID, memory)
    memory.away = True
    waiting = asyncio.create_task(once.claim(["1"]))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    memory.away = False
    assert await waiting == {"1"}
    memory.away = True
    await once.done(["1"], [])
    assert await asyncio.wait_for(Once("g", SAID, Memory(memory.known)).claim(["1"]), 1) == {"1"}


async def test_a_message_sent_twice_under_one_id_is_handled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    monkeypatch.setattr(subscriptions.plugins, "load", lambda _group, _name: lambda _url: memory)
    rig = Rig("memory", Resource(name="one", url="memory://dedup"))
    topic = rig.topic(queues=1)
    estate_adapters: dict[str, Any] = {
        "memory": __import__("qiantang.messaging.adapters.memory", fromlist=["make"]).make
    }
    bus: MessageBus = await rig.bus(topic, adapters=estate_adapters)
    taken: list[tuple[int, int]] = []

    async def take(body: int, context: Any) -> None:
        taken.append((body, context.attempt))
        if body == 2 and context.attempt == 1:
            raise ValueError

    bus.subscribe(topic.name, dedup=SAID, retry=RetryPolicy(first=0.01, jitter=0))(take)
    await rig.joined(bus, topic)
    for body in (1, 1, 2, 1, 3):
        await bus.send(topic.name, body, id=f"id-{body}")
    await rig.until(lambda: (2, 2) in taken and (3, 1) in taken)
    for _ in range(200):
        if not (await bus.lag(topic.name)).messages:
            break
        await asyncio.sleep(0.01)
    assert sorted(taken) == [(1, 1), (2, 1), (2, 2), (3, 1)]
    await rig.close()
