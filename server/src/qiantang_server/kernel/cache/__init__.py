"""Cache: releases between the database and the servers; Redis where it is configured, memory elsewhere."""

from qiantang_server.kernel.cache.adapters.memory import MemoryCache
from qiantang_server.kernel.cache.adapters.redis import RedisCache
from qiantang_server.kernel.cache.port import ReleaseCache as ReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings as CacheSettings


def open_cache(settings: CacheSettings) -> ReleaseCache:
    """Give the cache that the settings ask for, to be entered.

    Raises:
        MisconfiguredError: the address is none, or the driver is missing.
    """
    return RedisCache(settings) if settings.redis else MemoryCache(settings)
