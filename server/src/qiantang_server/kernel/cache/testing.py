"""Conformance suite of the release cache's port, to be run by whoever writes an adapter.

Subclass `ReleaseCacheConformance` in a test module (pytest with pytest-asyncio in auto mode) and give it the fixtures
`cache`, an open cache that takes releases up to 1 MiB, and `forget`, a function that empties it behind its back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang_server.kernel.cache.port import ReleaseCache

LIMIT = 1 << 20


def fresh_key() -> str:
    """Give a key that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}/dev/center/app:config"


def at(epoch: int, revision: int) -> Position:
    """Write a position shortly."""
    return Position(epoch=epoch, revision=revision)


class ReleaseCacheConformance:
    """The tests."""

    async def test_a_release_is_given_back_exactly(self, cache: ReleaseCache) -> None:
        key = fresh_key()
        for revision, blob in enumerate((b"x", b"\x00\xff\r\n" * 50, b"", "钱塘".encode(), b"z" * LIMIT)):
            await cache.put_release(key, at(1, revision), blob)
            assert await cache.get_release(key, at(1, revision)) in ({blob} if blob else {b"", None})

    async def test_a_release_is_found_under_its_own_position_only(self, cache: ReleaseCache) -> None:
        key = fresh_key()
        await cache.put_release(key, at(1, 23), b"here")
        for position in (at(1, 22), at(2, 23), at(12, 3), at(0, 123)):
            assert await cache.get_release(key, position) is None
        assert await cache.get_release(fresh_key(), at(1, 23)) is None
        assert await cache.get_release(key, at(1, 23)) == b"here"

    async def test_a_release_over_the_limit_is_not_kept(self, cache: ReleaseCache) -> None:
        key = fresh_key()
        assert await cache.put_release(key, at(1, 1), b"x" * LIMIT)
        assert not await cache.put_release(key, at(1, 2), b"x" * (LIMIT + 1))
        assert await cache.get_release(key, at(1, 2)) is None

    async def test_a_head_only_moves_forward(self, cache: ReleaseCache) -> None:
        key = fresh_key()
        assert await cache.get_head(key) is None
        for position, newest in (
            (at(1, 9), at(1, 9)),
            (at(1, 10), at(1, 10)),
            (at(1, 2), at(1, 10)),
            (at(1, 10), at(1, 10)),
            (at(2, 1), at(2, 1)),
            (at(1, 500), at(2, 1)),
            (at(10, 0), at(10, 0)),
            (at(9, 7), at(10, 0)),
        ):
            assert await cache.set_head(key, position) == newest
            assert await cache.get_head(key) == newest

    async def test_racing_heads_leave_the_newest(self, cache: ReleaseCache) -> None:
        key = fresh_key()
        await asyncio.gather(*(cache.set_head(key, at(1, revision)) for revision in (5, 3, 40, 12, 39, 1, 38)))
        assert await cache.get_head(key) == at(1, 40)

    async def test_large_counts_keep_their_order(self, cache: ReleaseCache) -> None:
        key, high = fresh_key(), 2**52
        await cache.set_head(key, at(high, high))
        assert await cache.set_head(key, at(high, high - 1)) == at(high, high)
        assert await cache.set_head(key, at(high, high + 1)) == at(high, high + 1)

    async def test_forgetting_everything_leaves_nothing_wrong(
        self, cache: ReleaseCache, forget: Callable[[], Awaitable[None]]
    ) -> None:
        key = fresh_key()
        await cache.put_release(key, at(1, 5), b"five")
        await cache.set_head(key, at(1, 5))
        await forget()
        assert await cache.get_head(key) is None
        assert await cache.get_release(key, at(1, 5)) is None
        assert await cache.set_head(key, at(1, 4)) == at(1, 4)
        await cache.put_release(key, at(1, 5), b"five")
        assert await cache.get_release(key, at(1, 5)) == b"five"

    async def test_what_is_no_key_is_refused(self, cache: ReleaseCache) -> None:
        for key in ("", "x" * 401, "line\nbreak", "钱"):
            for call in (cache.get_head(key), cache.set_head(key, at(1, 1)), cache.get_release(key, at(1, 1))):
                try:
                    await call
                except errors.InvalidRequestError:
                    continue
                raise AssertionError(f"{key!r} was accepted")

    async def test_it_is_healthy(self, cache: ReleaseCache) -> None:
        health = await cache.health()
        assert health.ready
        assert health.reason == ""
