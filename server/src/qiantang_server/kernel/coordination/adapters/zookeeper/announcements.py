"""Announcements in ZooKeeper: a node per bundle that holds epoch:revision, and one journal that all servers watch.

The tree is ROOT/tenant/environment/center/application/capability, one node per application and capability. A write
changes that node and, in the same step, adds an entry to the journal. A server keeps one watch, on the journal, however
many bundles there are; it reads the new entries. After a connection was made, and when the journal was cut before all
of it was read, the whole tree is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang_server.kernel.coordination.adapters.zookeeper.line import (
    AbsentError,
    Line,
    Node,
    PresentError,
    VersionError,
)
from qiantang_server.kernel.coordination.board import Board
from qiantang_server.kernel.coordination.port import RESERVED_TENANTS

log = logging.getLogger(__name__)

KEPT_ENTRIES = 200
KEPT_VERSIONS = 10_000
_DEPTH = 5
_ATTEMPTS = 16
_CHUNK = 100
_RETRY_SECONDS = 0.5
_COMPARE_SECONDS = 300.0


class Announcements:
    """Writes positions and fills the board with everybody's."""

    def __init__(self, line: Line, root: str, board: Board) -> None:
        self._line = line
        self._root = root
        self._journal = f"{root}/_changes"
        self._board = board
        self._written: OrderedDict[str, tuple[Position, int]] = OrderedDict()

    async def announce(self, key: str, position: Position) -> bool:
        """Set a node if the position is newer, and tell the board."""
        newer = await self._set_newer(key, position)
        if newer:
            self._board.post(key, position)
        return newer

    async def _set_newer(self, key: str, position: Position) -> bool:
        path, data = self._path(key), str(position).encode()
        if await self._continued(path, data, position):
            return True
        for _ in range(_ATTEMPTS):
            try:
                node = await self._line.get(path)
                if _position(node) >= position:
                    return False
                await self._line.put_and_note(path, data, node.version, f"{self._journal}/n-")
                self._remember(path, position, node.version + 1)
            except AbsentError:
                if await self._first(path, data):
                    return True
            except VersionError:
                continue
            else:
                return True
        raise errors.UnavailableError(f"too many servers announce {key} at once; it is tried again")

    async def _continued(self, path: str, data: bytes, position: Position) -> bool:
        """Write over what this server wrote itself last, without looking first; give whether nobody had been faster."""
        written = self._written.get(path)
        if written is None or written[0] >= position:
            return False
        try:
            await self._line.put_and_note(path, data, written[1], f"{self._journal}/n-")
        except (AbsentError, VersionError):
            self._written.pop(path, None)
            return False
        self._remember(path, position, written[1] + 1)
        return True

    def _remember(self, path: str, position: Position, version: int) -> None:
        self._written[path] = (position, version)
        self._written.move_to_end(path)
        if len(self._written) > KEPT_VERSIONS:
            self._written.popitem(last=False)

    async def read(self, key: str) -> Position | None:
        """Read a node."""
        try:
            return _position(await self._line.get(self._path(key)))
        except AbsentError:
            return None

    async def follow(self) -> None:
        """Fill the board until cancelled."""
        while True:
            await self._line.wait_connected()
            number = self._line.connections
            try:
                await self._follow_connection(number)
            except (errors.UnavailableError, AbsentError) as error:
                if self._line.connected and self._line.connections == number:
                    log.warning("announcements are not heard; trying again", extra={"reason": str(error)})
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _follow_connection(self, number: int) -> None:
        """Compare everything, then read the journal until the connection goes or it is time to compare again."""
        wake = asyncio.Event()
        await self._line.ensure(self._journal)
        # the watch first: what is announced while the tree is read is in the journal afterwards
        last = max(await self._line.children(self._journal, wake.set), default="")
        await self._compare()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_COMPARE_SECONDS):
                while self._line.connections == number:
                    await wake.wait()
                    wake.clear()
                    last = await self._catch_up(last, wake)

    async def _catch_up(self, last: str, wake: asyncio.Event) -> str:
        names = sorted(await self._line.children(self._journal, wake.set))
        fresh, complete = unread(names, last)
        if not (complete and await self._read_entries(fresh)):
            await self._compare()
        await self._prune(names)
        return names[-1] if names else ""

    async def _read_entries(self, names: list[str]) -> bool:
        """Post what the entries say; give whether all were still there."""
        complete = True
        for chunk in _chunks(names):
            for node in await asyncio.gather(*(self._node(f"{self._journal}/{name}") for name in chunk)):
                if node is None:
                    complete = False
                    continue
                path, _, text = node.data.decode().partition(" ")
                key = self._key(path)
                if key is not None:
                    self._board.post(key, Position.parse(text))
        return complete

    async def _compare(self) -> None:
        level = [self._root]
        for depth in range(_DEPTH):
            below: list[str] = []
            for chunk in _chunks(level):
                for parent, names in zip(chunk, await asyncio.gather(*map(self._children, chunk)), strict=True):
                    below += (f"{parent}/{name}" for name in names if depth or _is_tenant(name))
            level = below
        found: set[str] = set()
        for chunk in _chunks(level):
            for path, node in zip(chunk, await asyncio.gather(*map(self._node, chunk)), strict=True):
                key = self._key(path)
                if node is not None and key is not None:
                    found.add(key)
                    self._board.post(key, _position(node))
        self._board.keep_only(found)

    async def _children(self, path: str) -> list[str]:
        try:
            return await self._line.children(path)
        except AbsentError:
            return []

    async def _node(self, path: str) -> Node | None:
        try:
            return await self._line.get(path)
        except AbsentError:
            return None

    async def _first(self, path: str, data: bytes) -> bool:
        await self._line.ensure(path.rpartition("/")[0])
        await self._line.ensure(self._journal)
        try:
            await self._line.put_and_note(path, data, None, f"{self._journal}/n-")
        except (PresentError, AbsentError):
            return False
        return True

    async def _prune(self, names: list[str]) -> None:
        if len(names) > 2 * KEPT_ENTRIES:
            for chunk in _chunks(names[:-KEPT_ENTRIES]):
                await asyncio.gather(*(self._line.delete(f"{self._journal}/{name}") for name in chunk))

    def _path(self, key: str) -> str:
        return f"{self._root}/{key.replace(':', '/')}"

    def _key(self, path: str) -> str | None:
        """Give the key of a node's path; None where the path is not a bundle's."""
        parts = path.removeprefix(f"{self._root}/").split("/")
        return f"{'/'.join(parts[:4])}:{parts[4]}" if len(parts) == _DEPTH else None


def unread(names: list[str], last: str) -> tuple[list[str], bool]:
    """Give the sorted entries after `last`, and whether they are all that was written since.

    The journal is cut at its old end only, so nothing is missing while `last` itself is still there.
    """
    return [name for name in names if name > last], last in names or not (names or last)


def _is_tenant(name: str) -> bool:
    return not name.startswith("_") and name not in RESERVED_TENANTS


def _position(node: Node) -> Position:
    try:
        return Position.parse(node.data.decode("ascii", "replace"))
    except errors.InvalidRequestError:
        return Position(epoch=-1, revision=-1)  # not ours: whatever is announced is newer


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(values)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk
