"""Release cache in this server's own memory: for one server, or for several without Redis."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Self

from qiantang.kernel.resource import Position
from qiantang_server.kernel import adapters
from qiantang_server.kernel.cache.port import CacheHealth, check_key
from qiantang_server.kernel.cache.settings import CacheSettings

MAX_HEADS = 100_000
_OVERHEAD = 300
"""Bytes counted for each release beside its content, so that many small ones are bounded as well."""


def make(context: adapters.Context) -> MemoryReleaseCache:
    """Make it from a context; the entry point."""
    return MemoryReleaseCache(context.section("cache", CacheSettings))


class MemoryReleaseCache:
    """Bounded by bytes; what was used longest ago goes first."""

    def __init__(self, settings: CacheSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = settings.memory_bytes
        self._largest = min(settings.max_release_bytes, settings.memory_bytes - _OVERHEAD)
        self._ttl = settings.release_ttl.total_seconds()
        self._releases: OrderedDict[tuple[str, Position], tuple[bytes, float]] = OrderedDict()
        self._heads: OrderedDict[str, Position] = OrderedDict()
        self._bytes = 0

    @property
    def size(self) -> int:
        """The bytes that it counts as held."""
        return self._bytes

    async def __aenter__(self) -> Self:
        """Open: there is nothing to do."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Forget everything."""
        self._releases.clear()
        self._heads.clear()
        self._bytes = 0

    async def put_release(self, key: str, position: Position, blob: bytes) -> bool:
        """Keep a release, and drop the least used ones for it."""
        check_key(key)
        if len(blob) > self._largest:
            return False
        self._drop((key, position))
        self._releases[key, position] = (bytes(blob), self._clock() + self._ttl)
        self._bytes += len(blob) + _OVERHEAD
        while self._bytes > self._limit:
            self._drop(next(iter(self._releases)))
        return True

    async def get_release(self, key: str, position: Position) -> bytes | None:
        """Give a release that has not expired."""
        check_key(key)
        held = self._releases.get((key, position))
        if held is None:
            return None
        blob, expires = held
        if self._clock() >= expires:
            self._drop((key, position))
            return None
        self._releases[key, position] = (blob, self._clock() + self._ttl)
        self._releases.move_to_end((key, position))
        return blob

    async def set_head(self, key: str, position: Position) -> Position:
        """Move a head forward."""
        check_key(key)
        newest = max(position, self._heads.get(key, position))
        self._heads[key] = newest
        self._heads.move_to_end(key)
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)
        return newest

    async def get_head(self, key: str) -> Position | None:
        """Give a head."""
        check_key(key)
        return self._heads.get(key)

    async def health(self) -> CacheHealth:
        """Say that it works: there is nothing that could not."""
        return CacheHealth(ready=True)

    def _drop(self, place: tuple[str, Position]) -> None:
        held = self._releases.pop(place, None)
        if held is not None:
            self._bytes -= len(held[0]) + _OVERHEAD
