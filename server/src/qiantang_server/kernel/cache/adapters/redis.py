"""Redis: the release cache that all servers share. Plain commands and one script, so that Valkey serves as well."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any, Self, TypeVar

from qiantang.kernel import errors, resource

from qiantang_server.kernel.cache.settings import CacheSettings

log = logging.getLogger(__name__)
T = TypeVar("T")
PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 15.0

SET_IF_NEWER = """
local known = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
if known[1] then
  local epoch, revision = tonumber(known[1]), tonumber(known[2])
  if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and revision >= tonumber(ARGV[2])) then return 0 end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2])
return 1
"""


class RedisCache:
    """Calls Redis within a deadline; after a failure it pauses, doubling up to 15 s, then lets one call through to try."""

    def __init__(self, settings: CacheSettings) -> None:
        try:
            import redis.asyncio as driver
            from redis.exceptions import RedisError
        except ImportError as error:
            raise errors.MissingExtraError(
                "cache.redis is set and the driver is missing: pip install 'qiantang-server[redis]'"
            ) from error
        self._settings = settings
        self._error = RedisError
        self._deadline = settings.deadline.total_seconds()
        try:
            self._client: Any = driver.Redis.from_url(
                settings.redis.reveal(),
                socket_timeout=self._deadline,
                socket_connect_timeout=self._deadline,
                max_connections=32,
                client_name="qiantang",
                retry=None,
                protocol=2,
            )
        except ValueError as error:
            raise errors.MisconfiguredError(f"cache.redis is no address of Redis: {error}") from error
        self._newer: Any = self._client.register_script(SET_IF_NEWER)
        self._pause = 0.0
        self._closed_until = 0.0

    @property
    def address(self) -> str:
        """Where Redis is, without credentials."""
        options = self._client.connection_pool.connection_kwargs
        return f"{options.get('host', options.get('path', '?'))}:{options.get('port', '')}"

    async def __aenter__(self) -> Self:
        """Open; Redis may come later."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def put_release(self, key: str, position: resource.Position, blob: bytes) -> None:
        """Keep a release."""
        if len(blob) <= self._settings.max_blob:
            seconds = int(self._settings.keep.total_seconds())
            await self._call(self._client.set(self._release(key, position), blob, ex=seconds))

    async def get_release(self, key: str, position: resource.Position) -> bytes | None:
        """Give a release."""
        return await self._call(self._client.get(self._release(key, position)))

    async def set_head(self, key: str, position: resource.Position) -> bool:
        """Set the newest position."""
        done = await self._call(self._newer(keys=[self._head(key)], args=[position.epoch, position.revision]))
        return bool(done)

    async def get_head(self, key: str) -> resource.Position | None:
        """Give the newest position."""
        epoch, revision = await self._call(self._client.hmget(self._head(key), "epoch", "revision"))
        if epoch is None or revision is None:
            return None
        return resource.Position(epoch=int(epoch), revision=int(revision))

    async def ping(self) -> None:
        """Ask Redis for an answer, whatever the pause."""
        self._closed_until = 0.0
        await self._call(self._client.ping())

    def _release(self, key: str, position: resource.Position) -> str:
        return f"{self._settings.prefix}:release:{{{key}}}:{position}"

    def _head(self, key: str) -> str:
        return f"{self._settings.prefix}:head:{{{key}}}"

    async def _call(self, doing: Awaitable[T]) -> T:
        now = time.monotonic()
        if now < self._closed_until:
            if asyncio.iscoroutine(doing):
                doing.close()
            raise errors.UnavailableError(f"Redis at {self.address} is away; it is asked again in a moment")
        if self._pause:
            self._closed_until = now + self._pause
        try:
            async with asyncio.timeout(self._deadline):
                found = await doing
        except (TimeoutError, OSError, self._error) as error:
            self._failed(error)
            raise errors.UnavailableError(f"Redis at {self.address} did not answer: {error or 'no answer in time'}") from error
        if self._pause:
            log.info("Redis answers again", extra={"address": self.address})
        self._pause = self._closed_until = 0.0
        return found

    def _failed(self, error: Exception) -> None:
        if not self._pause:
            log.warning("Redis is away; the database serves", extra={"address": self.address, "reason": str(error)})
        self._pause = min(MAX_PAUSE_SECONDS, self._pause * 2 or PAUSE_SECONDS)
        self._closed_until = time.monotonic() + self._pause
