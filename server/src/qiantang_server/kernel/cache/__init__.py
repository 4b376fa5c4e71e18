"""Release cache: contents between the database and the servers. It may forget anything at any time."""

from qiantang_server.kernel.cache.port import CacheHealth as CacheHealth
from qiantang_server.kernel.cache.port import ReleaseCache as ReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings as CacheSettings
