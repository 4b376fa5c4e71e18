"""Choice of the release cache: the adapter that the settings name, else Redis where its address is set, else memory."""

from __future__ import annotations

from qiantang_server.kernel import adapters
from qiantang_server.kernel.cache.port import ReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings


def choose(context: adapters.Context) -> ReleaseCache:
    """Give the release cache that the settings ask for, not open yet; raises as `adapters.make`."""
    settings = context.section("cache", CacheSettings)
    name = settings.adapter or ("redis" if settings.redis else "memory")
    cache: ReleaseCache = adapters.make("cache", name, context)
    return cache
