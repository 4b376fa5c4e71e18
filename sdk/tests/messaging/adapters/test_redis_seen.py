"""Redis as the memory of what was handled: claims of several processes, of ones that died, and a Redis that is away."""

from __future__ import annotations

import asyncio

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.redis import make
from tests.servers.fixtures import Factory
from tests.servers.redis import Redis

pytestmark = pytest.mark.redis


async def test_claims_in_two_phases(redis_url: str) -> None:
    one, other = make(redis_url), make(redis_url)
    assert await one.claim("g", ["1", "2", "3"], 60) == ["mine", "mine", "mine"]
    assert await one.claim("g", ["1"], 60) == ["mine"], "claiming anew prolongs it"
    assert await other.claim("g", ["1", "2", "3", "4"], 60) == ["busy", "busy", "busy", "mine"]
    assert await other.claim("h", ["1"], 60) == ["mine"], "groups are apart"
    await one.handled("g", ["1"], 60)
    await one.release("g", ["2"])
    await other.release("g", ["3"])
    assert await other.claim("g", ["1", "2", "3"], 60) == ["handled", "mine", "busy"]
    await one.close()
    await other.close()


async def test_a_claim_ends_and_so_does_what_is_remembered(redis_url: str) -> None:
    dead, alive = make(redis_url), make(redis_url)
    await dead.claim("g", ["1"], 0.2)
    await dead.handled("g", ["2"], 0.2)
    assert await alive.claim("g", ["1", "2"], 60) == ["busy", "handled"]
    await asyncio.sleep(0.3)
    assert await alive.claim("g", ["1", "2"], 60) == ["mine", "mine"]
    await dead.release("g", ["1"])
    assert await make_and_claim(redis_url) == ["busy"], "who lost a claim does not give another's up"
    await dead.close()
    await alive.close()


async def make_and_claim(url: str) -> object:
    third = make(url)
    found = await third.claim("g", ["1"], 60)
    await third.close()
    return found


async def test_a_redis_that_is_away_is_an_error_and_then_it_goes_on(redis_factory: Factory[Redis]) -> None:
    server = redis_factory(appendonly=True)
    seen = make(server.url)
    await seen.claim("g", ["1"], 60)
    server.kill()
    for call in (seen.claim("g", ["2"], 60), seen.handled("g", ["1"], 60), seen.release("g", ["1"])):
        with pytest.raises(errors.UnavailableError, match="Redis"):
            await call
    server.start()
    assert await seen.claim("g", ["1", "2"], 60) == ["mine", "mine"]
    await seen.close()
