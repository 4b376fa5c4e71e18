"""Registry over ZooKeeper: nodes and votes as ephemeral nodes of one session, definitions as lasting ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Self

from qiantang.kernel import errors
from qiantang.registry.adapters.zookeeper.holdings import Holdings
from qiantang.registry.adapters.zookeeper.line import AbsentError, Line, PresentError
from qiantang.registry.adapters.zookeeper.listing import CHUNK, Listing
from qiantang.registry.adapters.zookeeper.paths import Paths
from qiantang.registry.errors import RegistryAwayError, RegistryFullError, UnknownDefinitionError, UnknownNodeError
from qiantang.registry.model import Change, Condition, Definition, Node, Snapshot, Vote
from qiantang.registry.port import MAX_NODES, MAX_SERVICES, MAX_VOTES
from qiantang.registry.port.bounds import (
    check_microservice,
    check_node_name,
    check_service,
    decode_definition,
    decode_vote,
    encode_definition,
    encode_node,
    encode_vote,
)
from qiantang.registry.settings import RegistrySettings


def make(settings: RegistrySettings) -> ZooKeeperRegistry:
    """Make it from settings; the entry point."""
    return ZooKeeperRegistry(settings)


class ZooKeeperRegistry:
    """The registry of one tenant below ROOT/<tenant>.

    Raises, when made:
        MissingExtraError: kazoo is not installed.
        MisconfiguredError: no hosts are given, or the credentials are not written as they should be.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        if not settings.address:
            raise errors.MisconfiguredError("registry.adapter is zookeeper: write host:port in registry.address")
        self._line = Line(settings)
        self._paths = Paths(settings.zookeeper_root, settings.tenant)
        self._holdings = Holdings(self._line, settings.check.total_seconds())
        self._resync_seconds = settings.resync.total_seconds()
        self._nodes: dict[tuple[str, str], Node] = {}
        self._listings: dict[str, tuple[Listing, asyncio.Task[None]]] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def health(self) -> Condition:
        """Say whether the session is connected."""
        return self._line.health

    @property
    def line(self) -> Line:
        """The session, for whoever must look at it."""
        return self._line

    async def __aenter__(self) -> Self:
        """Connect, or keep trying in the background."""
        await self._line.__aenter__()
        self._keeping = asyncio.create_task(self._holdings.keep(), name="registry: own nodes")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End the watches and the session; what this process registered and voted goes with it."""
        self._closed = True
        tasks = [task for _listing, task in self._listings.values()]
        tasks += [self._keeping] if self._keeping is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listing, _task in self._listings.values():
            listing.board.close()
        await self._line.__aexit__()

    async def register(self, microservice: str, node: Node) -> None:
        """Make an ephemeral node, and keep it."""
        check_microservice(microservice)
        await self._hold(microservice, node, gently=False)

    async def _hold(self, microservice: str, node: Node, *, gently: bool) -> bool:
        key, data = (microservice, node.name), encode_node(node)
        before = self._nodes.get(key)
        if before is None:
            await self._require_room(self._paths.nodes(microservice, node.cluster), MAX_NODES, "nodes")
        elif before.cluster != node.cluster:
            await self.deregister(microservice, node.name)
        self._nodes[key] = node
        try:
            return await self._holdings.hold(self._paths.node(microservice, node), data, node.started_at, gently=gently)
        except RegistryAwayError:
            raise
        except errors.QiantangError:  # refused: nothing is kept of it
            self._nodes.pop(key, None)
            raise

    async def update(self, microservice: str, name: str, change: Change) -> None:
        """Write over an ephemeral node of this process."""
        node = self._nodes.get((check_microservice(microservice), check_node_name(name)))
        if node is None:
            raise UnknownNodeError(f"no node {name!r} of {microservice} was registered here")
        if not await self._hold(microservice, change.applied(node), gently=True):
            raise UnknownNodeError(f"the name {name!r} of {microservice} was taken over by another process")

    async def deregister(self, microservice: str, name: str) -> None:
        """Remove an ephemeral node of this process."""
        node = self._nodes.pop((check_microservice(microservice), check_node_name(name)), None)
        if node is not None:
            await self._holdings.drop(self._paths.node(microservice, node))

    async def watch(self, microservice: str) -> AsyncIterator[Snapshot]:
        """Watch the board of a microservice; what is read for it is read as long as somebody does."""
        listing = self._listing(check_microservice(microservice))
        try:
            async with contextlib.aclosing(listing.board.watch()) as snapshots:
                async for snapshot in snapshots:
                    yield snapshot
        finally:
            self._unwatched(microservice, listing)

    async def publish(self, microservice: str, definition: Definition) -> None:
        """Write a lasting node."""
        path = f"{self._paths.services(check_microservice(microservice))}/{definition.service}"
        data = encode_definition(definition)
        while True:
            with contextlib.suppress(AbsentError):
                return await self._line.set(path, data)
            await self._require_room(self._paths.services(microservice), MAX_SERVICES, "services")
            with contextlib.suppress(PresentError):
                return await self._line.create(path, data)

    async def definitions(self, microservice: str, service: str = "") -> tuple[Definition, ...]:
        """Read lasting nodes."""
        folder = self._paths.services(check_microservice(microservice))
        if not service:
            names = (await self._children(folder))[:MAX_SERVICES]
            read = await self._read(f"{folder}/{name}" for name in names)
            found = (decode_definition(data, name) for name, data in zip(names, read, strict=True) if data is not None)
            return tuple(one for one in found if one is not None)
        (data,) = await self._read([f"{folder}/{check_service(service)}"])
        one = None if data is None else decode_definition(data, service)
        if one is None:
            raise UnknownDefinitionError(
                f"no definition of {service} was published by {microservice}, or it is damaged"
            )
        return (one,)

    async def vote(self, microservice: str, vote: Vote) -> None:
        """Make an ephemeral node, and keep it; or remove it."""
        data, path = encode_vote(vote), self._paths.vote(check_microservice(microservice), vote)
        if vote.value:
            if not self._holdings.holds(path):
                await self._require_room(self._paths.breakers(microservice), MAX_VOTES, "votes")
            await self._holdings.hold(path, data)
        else:
            await self._holdings.drop(path)

    async def votes(self, microservice: str) -> tuple[Vote, ...]:
        """Read the ephemeral nodes of all voters."""
        folder = self._paths.breakers(check_microservice(microservice))
        read = await self._read(f"{folder}/{name}" for name in (await self._children(folder))[:MAX_VOTES])
        votes = (decode_vote(data) for data in read if data is not None)
        return tuple(vote for vote in votes if vote is not None)

    def _listing(self, microservice: str) -> Listing:
        known = self._listings.get(microservice)
        if known is None:
            listing = Listing(self._line, self._paths, microservice, self._resync_seconds)
            if self._closed:
                listing.board.close()
                return listing
            task = asyncio.create_task(listing.follow(), name=f"registry: {microservice}")
            known = self._listings[microservice] = (listing, task)
        return known[0]

    def _unwatched(self, microservice: str, listing: Listing) -> None:
        known = self._listings.get(microservice)
        if known is not None and known[0] is listing and not listing.board.watchers and not self._closed:
            del self._listings[microservice]
            known[1].cancel()

    async def _children(self, folder: str) -> list[str]:
        try:
            return sorted(await self._line.children(folder))
        except AbsentError:
            return []

    async def _read(self, paths: Iterable[str]) -> list[bytes | None]:
        """Read nodes, a bounded number at a time; None for each that is not there."""
        wanted, found = list(paths), list[bytes | None]()
        for start in range(0, len(wanted), CHUNK):
            found += await asyncio.gather(*map(self._data, wanted[start : start + CHUNK]))
        return found

    async def _data(self, path: str) -> bytes | None:
        try:
            return (await self._line.get(path)).data
        except AbsentError:
            return None

    async def _require_room(self, folder: str, most: int, what: str) -> None:
        if not self._line.connected:
            return  # what is registered while it is away is not refused for what cannot be known
        with contextlib.suppress(AbsentError):
            if (await self._line.get(folder)).children >= most:
                raise RegistryFullError(f"there are {most} {what} below {folder} already")
