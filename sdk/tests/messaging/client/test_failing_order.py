"""Order by key over a broker that tries again by itself: whatever fails, and however quickly it comes again, nothing overtakes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest

from qiantang.kernel import ids
from qiantang.messaging.model import Context, Message, Resource, RetryPolicy
from qiantang.messaging.testing import Rig

MESSAGES = 600


@pytest.mark.parametrize("first", [0.0, 0.003])
@pytest.mark.parametrize("concurrency", [2, 16])
@pytest.mark.parametrize("keys", [1, 5, 40])
async def test_nothing_overtakes_what_failed(keys: int, concurrency: int, first: float) -> None:
    rig = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    topic = rig.topic()
    bus = await rig.bus(topic)
    dice = random.Random(keys * concurrency)
    seen: dict[str, list[int]] = defaultdict(list)

    async def take(body: int, context: Context) -> None:
        if dice.random() < 0.3:
            await asyncio.sleep(dice.choice([0, 0.0005]))
        if dice.random() < 0.2:
            raise ValueError("now and then")
        seen[context.key].append(body)

    policy = RetryPolicy(attempts=1000, backoff="fixed", first=first, jitter=0)
    bus.subscribe(topic.name, order="key", concurrency=concurrency, retry=policy)(take)
    await rig.joined(bus, topic)
    for start in range(0, MESSAGES, 50):
        numbers = range(start, start + 50)
        await bus.send_many([Message(topic=topic.name, body=number, key=f"k{number % keys}") for number in numbers])
        await asyncio.sleep(0.002)
    await rig.until(lambda: sum(len(set(bodies)) for bodies in seen.values()) == MESSAGES, seen)
    for key in range(keys):
        assert list(dict.fromkeys(seen[f"k{key}"])) == list(range(key, MESSAGES, keys))
    await rig.close()
