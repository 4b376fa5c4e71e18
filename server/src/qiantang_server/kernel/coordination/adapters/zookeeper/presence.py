"""Presence in ZooKeeper: a node per live server, gone with its session, made again where it should be there."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import msgspec

from qiantang.kernel import errors
from qiantang_server.kernel.coordination.adapters.zookeeper.line import AbsentError, Line, Node, PresentError
from qiantang_server.kernel.coordination.board import Roster

log = logging.getLogger(__name__)

_CHECK_SECONDS = 3.0
_RETRY_SECONDS = 0.5


class _Entry(msgspec.Struct, frozen=True):
    address: str


class Presence:
    """Lists this server below one path, and fills the roster with everybody who is listed there."""

    def __init__(self, line: Line, root: str, roster: Roster) -> None:
        self._line = line
        self._folder = f"{root}/servers"
        self._roster = roster
        self._entries: dict[str, str] = {}

    async def enlist(self, node: str, address: str) -> None:
        """List this server from now on; at once where ZooKeeper is there."""
        self._entries[node] = address
        with contextlib.suppress(errors.UnavailableError):  # `keep` lists it
            await self._check(node, address)

    async def keep(self) -> None:
        """See to it, until cancelled, that this server's own nodes are there and belong to its session."""
        number = 0
        while True:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    while self._line.connections == number or not self._line.connected:
                        await self._line.wait_change()
            except TimeoutError:
                pass
            number = self._line.connections
            try:
                for node, address in list(self._entries.items()):
                    await self._check(node, address)
            except errors.UnavailableError as error:
                if self._line.connected:
                    log.warning("this server could not list itself; trying again", extra={"reason": error.detail})

    async def follow(self) -> None:
        """Fill the roster until cancelled. While ZooKeeper is away the last list stands."""
        while True:
            await self._line.wait_connected()
            try:
                await self._follow_connection(self._line.connections)
            except (errors.UnavailableError, AbsentError) as error:
                if self._line.connected:
                    log.warning("the list of servers is not heard; trying again", extra={"reason": str(error)})
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _follow_connection(self, number: int) -> None:
        wake = asyncio.Event()
        await self._line.ensure(self._folder)
        while self._line.connections == number:
            names = await self._line.children(self._folder, wake.set)
            nodes = await asyncio.gather(*map(self._read, names))
            self._roster.post([entry.address for entry in map(_entry, nodes) if entry is not None])
            await wake.wait()
            wake.clear()

    async def _check(self, name: str, address: str) -> None:
        path, data = f"{self._folder}/{name}", msgspec.json.encode(_Entry(address))
        for _ in range(2):
            node = await self._read(name)
            if node is not None and node.data == data and node.owner == self._line.session:
                return
            if node is not None:
                # of this server's session before the last, or of another process under its name: the newer one wins
                await self._line.delete(path)
            try:
                await self._line.create(path, data, ephemeral=True)
            except PresentError:
                continue
            return

    async def _read(self, name: str) -> Node | None:
        try:
            return await self._line.get(f"{self._folder}/{name}")
        except AbsentError:
            return None


def _entry(node: Node | None) -> _Entry | None:
    try:
        return None if node is None else msgspec.json.decode(node.data, type=_Entry)
    except msgspec.MsgspecError:
        return None  # somebody else's node
