"""Seen: which messages were handled, as keys of Redis, in two phases.

Claimed with SET NX and a time to live, noted as handled once the handler is done. A single phase would lose messages: noted before
the handler, those of a process that dies in it; noted after it, those that two processes have at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

from redis import asyncio as redis
from redis import exceptions

from qiantang.kernel import errors
from qiantang.messaging.port import Claim

SECONDS: Final = 3.0
HANDLED: Final = b"handled"
_api: Any = redis  # annotated in part only
_CLAIM: Final = """
local found = redis.call('GET', KEYS[1])
if not found or found == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 'mine'
end
if found == 'handled' then return 'handled' end
return 'busy'
"""
_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisSeen:
    """Of one process: its claims bear a token that no other has. `prefix` begins all keys."""

    def __init__(self, url: str, prefix: str = "mf:seen:") -> None:
        self._client = _api.Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, health_check_interval=30
        )
        self._prefix = prefix
        self._token = secrets.token_hex(16).encode()
        self._claim = self._client.register_script(_CLAIM)
        self._release = self._client.register_script(_RELEASE)

    async def claim(self, group: str, ids: Sequence[str], seconds: float) -> Sequence[Claim]:
        async def work(pipe: Any) -> list[Any]:
            for one in ids:
                await self._claim(keys=[self._key(group, one)], args=[self._token, int(seconds * 1000)], client=pipe)
            return await pipe.execute()

        words: dict[bytes, Claim] = {b"mine": "mine", HANDLED: "handled"}
        return [words.get(one, "busy") for one in await self._do("claiming messages", work)]

    async def handled(self, group: str, ids: Sequence[str], seconds: float) -> None:
        async def work(pipe: Any) -> list[Any]:
            for one in ids:
                pipe.set(self._key(group, one), HANDLED, px=int(seconds * 1000))
            return await pipe.execute()

        await self._do("noting what was handled", work)

    async def release(self, group: str, ids: Sequence[str]) -> None:
        async def work(pipe: Any) -> list[Any]:
            for one in ids:
                await self._release(keys=[self._key(group, one)], args=[self._token], client=pipe)
            return await pipe.execute()

        await self._do("giving claims up", work)

    async def close(self) -> None:
        await self._client.aclose()

    def _key(self, group: str, id: str) -> str:
        return f"{self._prefix}{group}:{id}"

    async def _do(self, doing: str, work: Any) -> list[Any]:
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                return await work(pipe)
        except (exceptions.RedisError, OSError) as error:
            raise errors.UnavailableError(f"Redis: {doing} failed: {error}") from error


def make(url: str) -> RedisSeen:
    """Make the memory in a Redis: `redis://host:6379/0`, `rediss://…`."""
    return RedisSeen(url)
