"""Choice of the release cache: Redis where its address is set, else this server's memory."""

from __future__ import annotations

from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.cache.adapters.redis import RedisReleaseCache
from qiantang_server.kernel.cache.port import ReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings


def choose(settings: CacheSettings, seal_key: bytes) -> ReleaseCache:
    """Give the release cache that the settings ask for, not open yet; for `seal_key` see the adapter for Redis.

    Raises:
        MissingExtraError: its driver is not installed.
        MisconfiguredError: its address is none.
    """
    if settings.redis:
        return RedisReleaseCache(settings, seal_key)
    return MemoryReleaseCache(settings)
