"""Release cache in Redis, shared by all servers. Needs the extra `redis`.

    PREFIX:r:{KEY}:EPOCH:REVISION   32 bytes HMAC-SHA256, then the release; expires
    PREFIX:h:{KEY}                  EPOCH:REVISION, newest of all that were set

The HMAC covers key, position and content, with a key that all servers of one database share: a release that was cut,
that another installation put into the same Redis, or that somebody wrote there by hand is a miss and not a
configuration. Commands are those that every Redis and Valkey has.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang_server.kernel import adapters
from qiantang_server.kernel.cache.breaker import Breaker
from qiantang_server.kernel.cache.port import CacheHealth, check_key
from qiantang_server.kernel.cache.settings import CacheSettings

log = logging.getLogger(__name__)
T = TypeVar("T")

INSTALL = "pip install 'qiantang-server[redis]'"
_SEAL = 32
_FIRST = 256 << 10
"""Bytes asked for before the size of a release is known: nearly all have less."""
_SECONDS_PER_MIB = 0.05
_MAX_TICK = 2**53 - 1  # Lua counts in doubles

_SET_HEAD = """
local held = redis.call('GET', KEYS[1])
if held then
  local epoch, revision = string.match(held, '^(%d+):(%d+)$')
  if epoch then
    epoch, revision = tonumber(epoch), tonumber(revision)
    local e, r = tonumber(ARGV[1]), tonumber(ARGV[2])
    if epoch > e or (epoch == e and revision >= r) then return held end
  end
end
local fresh = ARGV[1] .. ':' .. ARGV[2]
redis.call('SET', KEYS[1], fresh)
return fresh
"""


def make(context: adapters.Context) -> RedisReleaseCache:
    """Make it from a context; the entry point."""
    return RedisReleaseCache(context.section("cache", CacheSettings), context.seal_key)


class RedisReleaseCache:
    """Calls end within the deadline; after a few failures in a row they fail at once until a probe succeeds.

    `seal_key` proves releases (see the module); all servers of one database give the same.

    Raises:
        MissingExtraError: the driver is not installed.
        MisconfiguredError: the address is none.
    """

    def __init__(
        self,
        settings: CacheSettings,
        seal_key: bytes,
        *,
        breaker: Breaker | None = None,
    ) -> None:
        self._settings = settings
        self._seal_key = seal_key
        self._deadline = settings.deadline.total_seconds()
        self._ttl = max(1, int(settings.release_ttl.total_seconds()))
        self._breaker = breaker or Breaker(time.monotonic)
        self._driver = driver()
        self._client = _client(self._driver, settings)
        self._head_script = self._client.register_script(_SET_HEAD)
        self._place = settings.redis.reveal().rpartition("@")[2].rpartition("//")[2]
        self._altered = 0

    async def __aenter__(self) -> Self:
        """Open; connections are made when they are needed."""
        health = await self.health()
        if not health.ready:
            log.warning("the release cache is away; going on without", extra={"reason": health.reason})
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections, within the deadline."""
        with contextlib.suppress(TimeoutError, self._driver.error, OSError):
            async with asyncio.timeout(self._deadline):
                await self._client.aclose()

    async def put_release(self, key: str, position: Position, blob: bytes) -> bool:
        """Set the value with its seal and its expiry."""
        check_key(key)
        if len(blob) > self._settings.max_release_bytes:
            return False
        name = self._release_name(key, position)
        sealed = self._seal(name, blob) + blob
        await self._guarded(lambda: self._client.set(name, sealed, ex=self._ttl), len(blob))
        return True

    async def get_release(self, key: str, position: Position) -> bytes | None:
        """Get the value, never more of it than a release may have, and prove it."""
        check_key(key)
        name = self._release_name(key, position)

        async def begin() -> tuple[bytes, int]:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.getrange(name, 0, _FIRST - 1)
                pipeline.strlen(name)
                pipeline.expire(name, self._ttl)
                first, length, _ = await pipeline.execute()
            return first, length

        value, length = await self._guarded(begin, _FIRST)
        length = min(length, self._settings.max_release_bytes + _SEAL)
        if length > len(value):
            value += await self._guarded(lambda: self._client.getrange(name, len(value), length - 1), length)
        if not value:
            return None
        seal, blob = value[:_SEAL], value[_SEAL:]
        if hmac.compare_digest(seal, self._seal(name, blob)):
            return blob
        self._altered += 1
        if self._altered & (self._altered - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            log.warning(
                "a cached release is not one of this platform's; the database is read instead",
                extra={"key": key, "position": str(position), "times": self._altered},
            )
        return None

    async def set_head(self, key: str, position: Position) -> Position:
        """Run the script that compares and sets in one step."""
        check_key(key)
        if max(position.epoch, position.revision) > _MAX_TICK:
            raise errors.InvalidRequestError(f"{position} is not a position of the release cache")
        name = f"{self._settings.prefix}:h:{{{key}}}"
        held = await self._guarded(lambda: self._head_script(keys=[name], args=[position.epoch, position.revision]))
        return _position(held) or position

    async def get_head(self, key: str) -> Position | None:
        """Get the head; anything else that stands there is none."""
        check_key(key)
        name = f"{self._settings.prefix}:h:{{{key}}}"
        return _position(await self._guarded(lambda: self._client.getrange(name, 0, 63)))

    async def health(self) -> CacheHealth:
        """Ping, unless an outage lasts."""
        started = time.perf_counter()
        try:
            await self._guarded(self._client.ping)
        except errors.QiantangError as error:
            return CacheHealth(ready=False, reason=error.detail, took_ms=_since(started))
        return CacheHealth(ready=True, took_ms=_since(started))

    async def _guarded(self, call: Callable[[], Awaitable[T]], size: int = 0) -> T:
        """Call within the deadline for this many bytes; only what says that Redis is away counts as a failure."""
        ticket = self._breaker.enter()
        if ticket is None:
            raise errors.UnavailableError(f"the release cache at {self._place} is away; tried again shortly")
        try:
            async with asyncio.timeout(self._deadline + size / (1 << 20) * _SECONDS_PER_MIB):
                result = await call()
        except asyncio.CancelledError:
            self._breaker.abandoned(ticket)
            raise
        except self._driver.refused as error:  # it answered, so it is not away: out of memory, read only, wrong type
            self._breaker.succeeded(ticket)
            raise errors.UnavailableError(f"the release cache at {self._place} refused: {_reason(error)}") from error
        except (self._driver.error, OSError, TimeoutError) as error:
            if self._breaker.failed(ticket):
                log.warning("the release cache is away", extra={"place": self._place, "reason": _reason(error)})
            raise errors.UnavailableError(f"the release cache at {self._place}: {_reason(error)}") from error
        if self._breaker.succeeded(ticket):
            log.info("the release cache is back", extra={"place": self._place})
        return result

    def _release_name(self, key: str, position: Position) -> str:
        return f"{self._settings.prefix}:r:{{{key}}}:{position}"

    def _seal(self, name: str, blob: bytes) -> bytes:
        head = name.encode()
        return hmac.digest(self._seal_key, len(head).to_bytes(2) + head + blob, "sha256")


class _Driver:
    def __init__(self, client: Any, retry: Any, backoff: Any, exceptions: Any) -> None:
        self.client = client
        self.retry = retry
        self.backoff = backoff
        self.error: type[Exception] = exceptions.RedisError
        self.refused: type[Exception] = exceptions.ResponseError


def driver() -> _Driver:
    """Load redis-py.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        client, retry, backoff, exceptions = (
            importlib.import_module(f"redis.{name}") for name in ("asyncio", "asyncio.retry", "backoff", "exceptions")
        )
    except ImportError as error:
        raise errors.MissingExtraError(f"cache.redis is set, but the driver is missing: {INSTALL}") from error
    return _Driver(client, retry, backoff, exceptions)


def _client(found: _Driver, settings: CacheSettings) -> Any:
    seconds = settings.deadline.total_seconds()
    try:
        pool = found.client.BlockingConnectionPool.from_url(
            settings.redis.reveal(),
            max_connections=settings.pool_size,
            timeout=seconds,
            socket_connect_timeout=seconds,
            retry=found.retry.Retry(found.backoff.NoBackoff(), 0),
            health_check_interval=0,
            client_name="qiantang",
        )
    except ValueError as error:
        raise errors.MisconfiguredError(f"cache.redis is not the address of a Redis: {error}") from None
    return found.client.Redis.from_pool(pool)


def _position(value: Any) -> Position | None:
    try:
        return Position.parse(value.decode("ascii", "replace")) if value else None
    except errors.InvalidRequestError:
        return None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()[:200]


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
