"""Memory: the release cache of a server without Redis. Bounded, its own only."""

from __future__ import annotations

from collections import OrderedDict
from typing import Self

from qiantang.kernel import resource

from qiantang_server.kernel.cache.settings import CacheSettings

MAX_BYTES = 64 << 20
MAX_HEADS = 100_000


class MemoryCache:
    """Keeps the releases used last, up to 64 MB."""

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._releases: OrderedDict[tuple[str, resource.Position], bytes] = OrderedDict()
        self._heads: OrderedDict[str, resource.Position] = OrderedDict()
        self._size = 0

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Forget everything."""
        self._releases.clear()
        self._heads.clear()
        self._size = 0

    async def put_release(self, key: str, position: resource.Position, blob: bytes) -> None:
        """Keep a release."""
        if len(blob) > min(self._settings.max_blob, MAX_BYTES) or (key, position) in self._releases:
            return
        self._releases[(key, position)] = blob
        self._size += len(blob)
        while self._size > MAX_BYTES:
            _place, dropped = self._releases.popitem(last=False)
            self._size -= len(dropped)

    async def get_release(self, key: str, position: resource.Position) -> bytes | None:
        """Give a release."""
        found = self._releases.get((key, position))
        if found is not None:
            self._releases.move_to_end((key, position))
        return found

    async def set_head(self, key: str, position: resource.Position) -> bool:
        """Set the newest position."""
        known = self._heads.get(key)
        if known is not None and known >= position:
            return False
        self._heads[key] = position
        self._heads.move_to_end(key)
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)
        return True

    async def get_head(self, key: str) -> resource.Position | None:
        """Give the newest position."""
        return self._heads.get(key)

    async def ping(self) -> None:
        """Memory always answers."""
