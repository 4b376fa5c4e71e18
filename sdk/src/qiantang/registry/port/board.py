"""Board: the newest snapshot of one microservice, and everybody who watches it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

import msgspec

from qiantang.registry.model import Node, Snapshot
from qiantang.registry.port.bounds import MAX_NODES


class Board:
    """Filled by an adapter, read by any number of watchers, on one loop.

    Each watcher sees the newest snapshot it has not seen; none holds up another, and nothing is queued.
    """

    def __init__(self) -> None:
        self._latest: Snapshot | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self.watchers = 0
        """How many watch at present."""

    @property
    def latest(self) -> Snapshot | None:
        """What was posted last."""
        return self._latest

    def post(self, nodes: Iterable[Node]) -> None:
        """Set what the registry says; told where it differs, or where the registry was away."""
        listed = tuple(sorted(nodes, key=lambda node: (node.name, node.cluster)))[:MAX_NODES]
        latest = self._latest
        if latest is None or latest.is_stale or latest.nodes != listed:
            self._set(Snapshot(nodes=listed, revision=self._next()))

    def away(self) -> None:
        """Say that the registry is away; told once."""
        latest = self._latest or Snapshot()
        if not latest.is_stale:
            self._set(msgspec.structs.replace(latest, revision=self._next(), is_stale=True))

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._tell()

    async def watch(self) -> AsyncGenerator[Snapshot, None]:
        """Give the newest snapshot, and each that is newer when the watcher comes back for it."""
        seen = 0
        self.watchers += 1
        try:
            while not self._closed:
                changed, latest = self._changed, self._latest
                if latest is not None and latest.revision > seen:
                    seen = latest.revision
                    yield latest
                else:
                    await changed.wait()
        finally:
            self.watchers -= 1

    def _next(self) -> int:
        return self._latest.revision + 1 if self._latest is not None else 1

    def _set(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
