"""The Redis adapter: the conformance suite, and what a flushed, stale, frozen, killed or foreign Redis does: no harm."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang.kernel.settings import Secret
from qiantang_server.kernel.cache.adapters.redis import RedisReleaseCache
from qiantang_server.kernel.cache.breaker import Breaker
from qiantang_server.kernel.cache.choice import choose
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.cache.testing import LIMIT, ReleaseCacheConformance, at, fresh_key
from server.tests.kernel.test_adapters import context

KEY = b"k" * 32


def quick_breaker() -> Breaker:
    return Breaker(time.monotonic, failures=3, pause=0.1, longest_pause=0.4)


def open_cache(url: str, seal_key: bytes = KEY, **options: Any) -> RedisReleaseCache:
    """A cache whose deadline a busy machine does not miss, unless a test is about deadlines."""
    options = {"deadline": timedelta(seconds=5), **options}
    return RedisReleaseCache(
        CacheSettings(redis=Secret(url), max_release_bytes=LIMIT, **options), seal_key, breaker=quick_breaker()
    )


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisReleaseCache]:
    async with open_cache(redis_url) as cache:
        yield cache


@pytest.fixture
def forget(redis_server) -> Callable[[], Awaitable[None]]:
    async def forget_() -> None:
        await asyncio.to_thread(redis_server.flushall)

    return forget_


@pytest.mark.redis
class TestConformance(ReleaseCacheConformance):
    pass


def client(cache: RedisReleaseCache) -> Any:
    return cache._client


@pytest.mark.redis
async def test_releases_expire_and_heads_do_not(cache: RedisReleaseCache) -> None:
    key = fresh_key()
    await cache.put_release(key, at(1, 1), b"x")
    await cache.set_head(key, at(1, 1))
    assert 0 < await client(cache).ttl(f"qiantang:r:{{{key}}}:1:1") <= 2 * 86400
    assert await client(cache).ttl(f"qiantang:h:{{{key}}}") == -1
    await client(cache).expire(f"qiantang:r:{{{key}}}:1:1", 5)
    await cache.get_release(key, at(1, 1))
    assert await client(cache).ttl(f"qiantang:r:{{{key}}}:1:1") > 5, "reading prolongs"


@pytest.mark.redis
async def test_a_foreign_or_altered_release_is_a_miss(
    cache: RedisReleaseCache, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    key, other = fresh_key(), fresh_key()
    name = f"qiantang:r:{{{key}}}:1:1"
    await cache.put_release(key, at(1, 1), b"honest")
    honest = await client(cache).get(name)
    for altered in (honest[:-1], honest + b"!", b"", b"short", honest[:32] + b"HONEST", b"\x00" * 10_000):
        await client(cache).set(name, altered)
        assert await cache.get_release(key, at(1, 1)) is None
    for place in (f"qiantang:r:{{{key}}}:1:2", f"qiantang:r:{{{other}}}:1:1"):
        await client(cache).set(place, honest)
    assert await cache.get_release(key, at(1, 2)) is None, "moved to another position"
    assert await cache.get_release(other, at(1, 1)) is None, "moved to another key"
    async with open_cache(redis_url, seal_key=b"o" * 32) as stranger:
        await stranger.put_release(key, at(1, 1), b"of another platform")
    assert await cache.get_release(key, at(1, 1)) is None
    assert 0 < sum("not one of this platform" in record.message for record in caplog.records) < 6, "bounded"


@pytest.mark.redis
async def test_an_oversized_value_is_not_read_whole(cache: RedisReleaseCache) -> None:
    key = fresh_key()
    await client(cache).setrange(f"qiantang:r:{{{key}}}:1:1", 64 << 20, b"x")
    assert await cache.get_release(key, at(1, 1)) is None


@pytest.mark.redis
async def test_garbage_in_a_head_is_no_head_and_is_replaced(cache: RedisReleaseCache) -> None:
    key = fresh_key()
    for garbage in (b"", b"nonsense", b"1:2:3", b"-1:5", b"\xff\xfe", b"9" * 500, b"1:"):
        await client(cache).set(f"qiantang:h:{{{key}}}", garbage)
        assert await cache.get_head(key) is None
        assert await cache.set_head(key, at(1, 3)) == at(1, 3)
        assert await cache.get_head(key) == at(1, 3)


@pytest.mark.redis
async def test_a_refusal_is_told_and_opens_no_breaker(cache: RedisReleaseCache) -> None:
    key = fresh_key()
    await client(cache).lpush(f"qiantang:h:{{{key}}}", "a list")
    for _ in range(5):
        with pytest.raises(errors.UnavailableError, match="refused"):
            await cache.get_head(key)
    assert await cache.get_head(fresh_key()) is None


@pytest.mark.redis
async def test_a_stale_redis_only_costs_a_miss(redis_factory) -> None:
    """What a replica that lags, or a restored Redis, does: an old head, and releases that are not there."""
    server = await asyncio.to_thread(redis_factory)
    key = fresh_key()
    async with open_cache(server.url) as cache:
        await cache.put_release(key, at(1, 1), b"one")
        await cache.set_head(key, at(1, 1))
        old = await client(cache).get(f"qiantang:h:{{{key}}}")
        await cache.put_release(key, at(1, 2), b"two")
        await cache.set_head(key, at(1, 2))
        await client(cache).set(f"qiantang:h:{{{key}}}", old)
        await client(cache).delete(f"qiantang:r:{{{key}}}:1:2")
        assert await cache.get_head(key) == at(1, 1), "too old, never too new"
        assert await cache.get_release(key, at(1, 2)) is None
        assert await cache.set_head(key, at(1, 2)) == at(1, 2)


async def failing(cache: RedisReleaseCache, key: str) -> float:
    started = time.monotonic()
    with pytest.raises(errors.UnavailableError):
        await cache.get_head(key)
    return time.monotonic() - started


async def until_back(cache: RedisReleaseCache, key: str) -> Position | None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await cache.get_head(key)
            except errors.UnavailableError:
                await asyncio.sleep(0.02)


@pytest.mark.redis
async def test_a_frozen_redis_costs_the_deadline_and_then_nothing(
    redis_factory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = await asyncio.to_thread(redis_factory)
    key = fresh_key()
    async with open_cache(server.url, deadline=timedelta(milliseconds=200)) as cache:
        await cache.set_head(key, at(1, 7))
        await asyncio.to_thread(server.pause)
        waits = [await failing(cache, key) for _ in range(3)]
        assert all(wait < 5 for wait in waits)
        started = time.monotonic()
        for _ in range(500):
            with pytest.raises(errors.UnavailableError):
                await cache.get_head(key)
        assert time.monotonic() - started < 5, "500 calls in an outage, of which only probes wait"
        assert not (await cache.health()).ready
        await asyncio.to_thread(server.resume)
        assert await until_back(cache, key) == at(1, 7)
        assert (await cache.health()).ready
    messages = [record.message for record in caplog.records if record.name.startswith("qiantang_server")]
    assert messages == ["the release cache is away", "the release cache is back"]


@pytest.mark.redis
async def test_answers_that_came_too_late_go_to_nobody_else(redis_factory) -> None:
    server = await asyncio.to_thread(redis_factory)
    keys = [fresh_key() for _ in range(20)]
    async with open_cache(server.url, pool_size=2, deadline=timedelta(milliseconds=100)) as cache:
        for number, key in enumerate(keys):
            await cache.set_head(key, at(1, number + 1))
        await asyncio.to_thread(server.pause)
        await asyncio.gather(*(cache.get_head(key) for key in keys), return_exceptions=True)
        await asyncio.to_thread(server.resume)
        for number, key in enumerate(keys):
            assert await until_back(cache, key) == at(1, number + 1)


@pytest.mark.redis
async def test_a_cancelled_call_leaves_its_connection_clean(redis_factory) -> None:
    server = await asyncio.to_thread(redis_factory)
    async with open_cache(server.url, pool_size=1, deadline=timedelta(seconds=5)) as cache:
        await cache.set_head("a", at(1, 1))
        await cache.set_head("b", at(2, 2))
        await asyncio.to_thread(server.pause)
        call = asyncio.create_task(cache.get_head("a"))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.to_thread(server.resume)
        assert await cache.get_head("b") == at(2, 2)


@pytest.mark.redis
@pytest.mark.parametrize("appendonly", [False, True])
async def test_a_killed_redis_comes_back_with_or_without_its_data(redis_factory, appendonly: bool) -> None:
    server = await asyncio.to_thread(redis_factory, appendonly=appendonly)
    key = fresh_key()
    async with open_cache(server.url) as cache:
        await cache.put_release(key, at(1, 2), b"two")
        await cache.set_head(key, at(1, 2))
        await asyncio.sleep(1.2)  # the append-only file is synced each second
        await asyncio.to_thread(server.kill)
        for _ in range(4):
            await failing(cache, key)
        await asyncio.to_thread(server.start)
        assert await until_back(cache, key) == (at(1, 2) if appendonly else None)
        assert await cache.get_release(key, at(1, 2)) == (b"two" if appendonly else None)
        assert await cache.set_head(key, at(1, 3)) == at(1, 3), "the script is sent again to a new server"


@pytest.mark.redis
async def test_it_opens_while_redis_is_away(redis_factory, caplog: pytest.LogCaptureFixture) -> None:
    server = await asyncio.to_thread(redis_factory)
    await asyncio.to_thread(server.stop)
    async with open_cache(server.url) as cache:
        assert "going on without" in caplog.text
        await failing(cache, "k")
        await asyncio.to_thread(server.start)
        assert await until_back(cache, "k") is None


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'qiantang-server\[redis\]'"):
        choose(context(cache=CacheSettings(redis=Secret("redis://127.0.0.1:1"))))


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"cache\.redis") as caught:
        choose(context(cache=CacheSettings(redis=Secret("http://user:s3cret@host"))))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(CacheSettings(redis=Secret("redis://user:s3cret@host")))
