"""Rotation: keys that all servers share through a table, sealed; a new one is made when the newest is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from qiantang.kernel import ids
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.sealing import store
from qiantang_server.kernel.sealing.sealing import PLATFORM

K = TypeVar("K")
_DAY: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPurpose(Generic[K]):
    """What keys are for. `table` has the columns id, sealed, created_at; `context` is where they are sealed.

    A key is the newest for `lifetime`, and kept for `kept` after that, both in milliseconds: what it signed last ends by then.
    """

    table: sa.Table
    context: str
    make: Callable[[], bytes]
    load: Callable[[bytes, str], K]
    lifetime: int = 30 * _DAY
    kept: int = _DAY


class RotatingKeys(Generic[K]):
    """Of one purpose. A key that another server made is found when it is asked for, at most every `recheck` milliseconds."""

    def __init__(
        self,
        database: storage.Database,
        sealer: access.Sealer,
        purpose: KeyPurpose[K],
        now: Callable[[], int],
        recheck: int,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._purpose = purpose
        self._now = now
        self._recheck = recheck
        self._made_at: dict[str, int] = {}
        self._keys: dict[str, K] = {}
        self._looked_at = 0
        self._lock = asyncio.Lock()

    @property
    def keys(self) -> Mapping[str, K]:
        """All that are known, by id, the newest first."""
        return self._keys

    @property
    def newest(self) -> str:
        """The id of the newest."""
        return next(iter(self._keys), "")

    def settled(self, settle: int) -> str:
        """Give the id of the newest that is there for so many milliseconds, or of the oldest where none is."""
        before = self._now() - settle
        return next(
            (key for key, made_at in self._made_at.items() if made_at <= before), next(reversed(self._keys), "")
        )

    async def open(self) -> None:
        """Load the keys; make the first one."""
        await self._load()
        await self.rotate()

    async def rotate(self) -> None:
        """Make a new key when the newest is old; remove those that nothing is signed with any more. A job's step."""
        await self._load()
        now, purpose = self._now(), self._purpose
        if self._keys and now - self._made_at[self.newest] < purpose.lifetime:
            return
        await self._sealer.ready(PLATFORM)
        key = ids.ordered_id()
        sealed = self._sealer.seal(PLATFORM, purpose.make(), self._place(key))

        async def work(session: storage.Session) -> None:
            await store.insert_shared_key(session, purpose.table, {"id": key, "sealed": sealed, "created_at": now})
            await store.expire_shared_keys(session, purpose.table, now - purpose.lifetime - purpose.kept)

        await self._database.write(work)
        await self._load()

    async def look_again(self) -> bool:
        """Load the keys once more, unless that was done just now; say whether there are other ones."""
        if abs(self._now() - self._looked_at) < self._recheck:
            return False
        before = set(self._keys)
        await self._load()
        return set(self._keys) != before

    def _place(self, key: str) -> str:
        return f"{self._purpose.context}/{key}"

    async def _load(self) -> None:
        async with self._lock:
            async with self._database.reading() as session:
                rows = await store.shared_keys(session, self._purpose.table)
            self._looked_at = self._now()
            if {row.id for row in rows} == set(self._keys):
                return
            await self._sealer.ready(PLATFORM)
            known = self._keys
            self._keys = {row.id: known.get(row.id) or self._opened(row) for row in rows}
            self._made_at = {row.id: int(row.created_at) for row in rows}

    def _opened(self, row: store.Row) -> K:
        return self._purpose.load(self._sealer.open(PLATFORM, row.sealed, self._place(row.id)), row.id)
