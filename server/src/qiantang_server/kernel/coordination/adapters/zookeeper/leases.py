"""Leases in ZooKeeper: one lasting node each, expired by the leader's clock.

A lease is not bound to its holder's session: a session can end while its holder still works, and can live on while
its holder hangs. The ttl holds in either case, as it does over the database. The leader stamps each write with its
clock, so a write is how that clock is read. The fencing epoch is the transaction number of the write that took the
lease: the ensemble counts those up for good, even if somebody removes the node.
"""

from __future__ import annotations

import asyncio

import msgspec

from qiantang.kernel import errors
from qiantang_server.kernel.coordination.adapters.zookeeper.line import (
    AbsentError,
    Line,
    Node,
    PresentError,
    VersionError,
)
from qiantang_server.kernel.coordination.port import Lease

_ATTEMPTS = 4
_MAX_OBSERVED = 1000


class _Record(msgspec.Struct, frozen=True):
    """What the node holds. `epoch` is 0 in the write that takes the lease, whose own number is the epoch."""

    holder: str = ""
    ttl: int = 0
    epoch: int = 0


class Leases:
    """Takes, keeps and frees leases below one path."""

    def __init__(self, line: Line, root: str) -> None:
        self._line = line
        self._folder = f"{root}/_leases"
        self._clock = f"{root}/_clock"
        self._observed: dict[str, tuple[int, float]] = {}

    async def acquire(self, name: str, holder: str, ttl: int) -> Lease | None:
        """Take a lease that is free, expired or the holder's own."""
        path, taking = f"{self._folder}/{name}", _Record(holder=holder, ttl=ttl)
        for _ in range(_ATTEMPTS):
            try:
                node = await self._line.get(path)
                if not await self._is_free(name, node, holder):
                    return None
                taken = await self._line.set(path, msgspec.json.encode(taking), node.version)
            except AbsentError:
                try:
                    taken = await self._line.create(path, msgspec.json.encode(taking))
                except PresentError:
                    continue
            except VersionError:
                continue  # somebody was faster: look who
            return Lease(name=name, holder=holder, epoch=taken.changed_by, expires=taken.modified + ttl)
        return None

    async def renew(self, lease: Lease, ttl: int) -> Lease | None:
        """Keep a lease that is still held."""
        path = f"{self._folder}/{lease.name}"
        keeping = _Record(holder=lease.holder, ttl=ttl, epoch=lease.epoch)
        try:
            node = await self._line.get(path)
            record = _record(node)
            if not _is_held(record, node, lease):
                return None
            kept = await self._line.set(path, msgspec.json.encode(keeping), node.version)
            if kept.modified >= node.modified + record.ttl:
                # it had expired: the write told the time. Nobody took it in between, so giving it back harms no one
                await self._line.set(path, msgspec.json.encode(_Record()), kept.version)
                return None
        except (AbsentError, VersionError):
            return None
        return Lease(name=lease.name, holder=lease.holder, epoch=lease.epoch, expires=kept.modified + ttl)

    async def release(self, lease: Lease) -> None:
        """Free a lease that is still held."""
        path = f"{self._folder}/{lease.name}"
        try:
            node = await self._line.get(path)
            if _is_held(_record(node), node, lease):
                await self._line.set(path, msgspec.json.encode(_Record()), node.version)
        except (AbsentError, VersionError):
            return  # it was removed, or taken: this lease holds nothing

    async def _is_free(self, name: str, node: Node, holder: str) -> bool:
        record = _record(node)
        if record.holder in {"", holder}:
            return True
        # the next leader's clock may be far behind the one that stamped: nobody renewed for the ttl, as seen from here
        if self._unchanged(name, node) * 1000 >= record.ttl:
            return True
        return await self._now() >= node.modified + record.ttl

    def _unchanged(self, name: str, node: Node) -> float:
        """Give for how many seconds this server has seen the node as it is."""
        now = asyncio.get_running_loop().time()
        seen = self._observed.get(name)
        if seen is not None and seen[0] == node.changed_by:
            return now - seen[1]
        if len(self._observed) >= _MAX_OBSERVED:
            self._observed.clear()
        self._observed[name] = (node.changed_by, now)
        return 0.0

    async def _now(self) -> int:
        try:
            return (await self._line.set(self._clock, b"")).modified
        except AbsentError:
            await self._line.ensure(self._clock)
            return (await self._line.set(self._clock, b"")).modified


def _record(node: Node) -> _Record:
    try:
        return msgspec.json.decode(node.data, type=_Record)
    except msgspec.MsgspecError:
        raise errors.UnavailableError("a lease's node in ZooKeeper holds something else; remove it") from None


def _is_held(record: _Record, node: Node, lease: Lease) -> bool:
    return record.holder == lease.holder and (record.epoch or node.changed_by) == lease.epoch
