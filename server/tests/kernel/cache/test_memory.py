"""The memory adapter: the conformance suite, and its bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.kernel.cache.adapters.memory import MAX_HEADS, MemoryReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.cache.testing import LIMIT, ReleaseCacheConformance, at


@pytest.fixture
async def cache() -> AsyncIterator[MemoryReleaseCache]:
    async with MemoryReleaseCache(CacheSettings(max_release_bytes=LIMIT, memory_bytes=8 << 20)) as cache:
        yield cache


@pytest.fixture
def forget(cache: MemoryReleaseCache) -> Callable[[], Awaitable[None]]:
    async def forget_() -> None:
        await cache.__aexit__(None, None, None)

    return forget_


class TestConformance(ReleaseCacheConformance):
    pass


async def test_releases_expire_and_reading_prolongs() -> None:
    now = 0.0
    cache = MemoryReleaseCache(CacheSettings(release_ttl=timedelta(seconds=10)), clock=lambda: now)
    await cache.put_release("k", at(1, 1), b"x")
    await cache.set_head("k", at(1, 1))
    now = 9.0
    assert await cache.get_release("k", at(1, 1)) == b"x"
    now = 18.0
    assert await cache.get_release("k", at(1, 1)) == b"x"
    now = 28.0
    assert await cache.get_release("k", at(1, 1)) is None
    assert cache.size == 0
    assert await cache.get_head("k") == at(1, 1), "heads do not expire"


async def test_the_least_used_goes_first() -> None:
    cache = MemoryReleaseCache(CacheSettings(memory_bytes=1 << 20))
    for revision in range(3):
        await cache.put_release("k", at(1, revision), b"x" * 300_000)
    await cache.get_release("k", at(1, 0))
    await cache.put_release("k", at(1, 3), b"x" * 300_000)
    assert await cache.get_release("k", at(1, 1)) is None
    assert await cache.get_release("k", at(1, 0)) is not None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 200_000)), max_size=60))
async def test_memory_is_bounded(puts: list[tuple[int, int]]) -> None:
    cache = MemoryReleaseCache(CacheSettings(memory_bytes=1 << 20))
    for revision, size in puts:
        await cache.put_release("k", at(1, revision), b"x" * size)
        assert cache.size <= 1 << 20
        assert await cache.get_release("k", at(1, revision)) == b"x" * size


async def test_heads_are_bounded() -> None:
    cache = MemoryReleaseCache(CacheSettings())
    for number in range(MAX_HEADS + 10):
        await cache.set_head(f"k{number}", at(1, 1))
    assert await cache.get_head("k9") is None
    assert await cache.get_head("k10") is not None
