"""Nonces: each is used once, on whichever server; many that come together cost one transaction."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from qiantang.kernel import errors
from qiantang_server.identity.store import proof
from qiantang_server.kernel import storage

_BATCH = 200
_WAITING = 10_000


@dataclass(slots=True)
class _Use:
    nonce: str
    expires: int
    fresh: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Nonces:
    """Remembers nonces in the database until they expire.

    A start of many applications at once asks for many: they are written in batches, each while the next one gathers.
    """

    def __init__(self, database: storage.Database) -> None:
        self._database = database
        self._waiting: list[_Use] = []
        self._writer: asyncio.Task[None] | None = None

    async def use(self, nonce: str, expires: int) -> bool:
        """Say whether a nonce is used for the first time, durably.

        Raises:
            UnavailableError: the database is away, or too many wait for it.
        """
        if len(self._waiting) >= _WAITING:
            raise errors.UnavailableError("too many token requests wait for the database", retry_after=1)
        use = _Use(nonce, expires)
        self._waiting.append(use)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="identity-nonces")
        return await use.fresh

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                fresh = await self._write(batch)
            except errors.QiantangError as error:
                for use in batch:
                    if not use.fresh.done():
                        use.fresh.set_exception(error)
                continue
            for use, is_fresh in zip(batch, fresh, strict=True):
                if not use.fresh.done():
                    use.fresh.set_result(is_fresh)

    async def _write(self, batch: list[_Use]) -> list[bool]:
        async def work(session: storage.Session) -> list[bool]:
            known = await proof.known_nonces(session, [use.nonce for use in batch])
            fresh: dict[str, int] = {}
            answers: list[bool] = []
            for use in batch:
                is_fresh = use.nonce not in known and use.nonce not in fresh
                answers.append(is_fresh)
                if is_fresh:
                    fresh[use.nonce] = use.expires
            if fresh:
                await proof.insert_nonces(session, fresh)
            return answers

        try:
            return await self._database.write(work)
        except errors.ConflictError:
            # another server wrote one of them between our look and our write: that one is not fresh
            if len(batch) == 1:
                return [False]
            return [(await self._write([use]))[0] for use in batch]
