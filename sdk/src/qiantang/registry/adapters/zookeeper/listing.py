"""Listing: the nodes of one microservice as ZooKeeper has them, kept true by watches and by comparing.

ZooKeeper sets a watch in the same step in which it answers: what changes after the answer is told. So a place is marked as
unread when its watch fires, its mark is taken off before it is read, and no change is lost between. Watches end with a
connection: after the next one everything is unread. That a watch fired is never trusted alone: in steady steps all is read
beside the watches, and what differs is unread as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from qiantang.registry.adapters.zookeeper.line import AbsentError, Line, Wake
from qiantang.registry.adapters.zookeeper.paths import Paths
from qiantang.registry.model import Node
from qiantang.registry.port import MAX_NODES, Board
from qiantang.registry.port.bounds import decode_node, is_cluster

log = logging.getLogger(__name__)

MAX_CLUSTERS: Final = 256
CHUNK: Final = 100
_RETRY_SECONDS: Final = 0.5

T = TypeVar("T")
Key = tuple[str, str]
"""A cluster and a node."""


class _Read(NamedTuple):
    """A node as it was read; `node` is None where it cannot be understood."""

    data: bytes
    node: Node | None


class _Tree:
    """What was read of a microservice over one connection, and what of it is unread."""

    def __init__(self, wake: asyncio.Event) -> None:
        self.wake = wake
        self.clusters_unread = True
        self.unread_clusters: set[str] = set()
        self.unread_nodes: set[Key] = set()
        self.clusters: set[str] = set()
        self.names: dict[str, set[str]] = {}
        self.nodes: dict[Key, _Read] = {}

    def touch_clusters(self) -> None:
        """The list of clusters changed."""
        self.clusters_unread = True
        self.wake.set()

    def touch_cluster(self, cluster: str) -> None:
        """The list of a cluster's nodes changed."""
        self.unread_clusters.add(cluster)
        self.wake.set()

    def touch_node(self, key: Key) -> None:
        """A node changed."""
        self.unread_nodes.add(key)
        self.wake.set()

    def set_clusters(self, found: set[str]) -> None:
        """Take over the list of clusters."""
        for gone in self.clusters - found:
            self.set_names(gone, set())
        self.unread_clusters |= found - self.clusters
        self.clusters = found

    def set_names(self, cluster: str, found: set[str]) -> None:
        """Take over the list of a cluster's nodes."""
        before = self.names.get(cluster, set())
        for gone in before - found:
            self.nodes.pop((cluster, gone), None)
        self.unread_nodes |= {(cluster, name) for name in found - before}
        self.names[cluster] = found

    def is_listed(self, key: Key) -> bool:
        """Whether a node is in its list."""
        return key[1] in self.names.get(key[0], ())


class Listing:
    """Fills the board of one microservice until cancelled."""

    def __init__(self, line: Line, paths: Paths, microservice: str, resync_seconds: float) -> None:
        self.board = Board()
        self._line = line
        self._paths = paths
        self._microservice = microservice
        self._resync_seconds = resync_seconds
        self._passed_over = 0
        self._said = ""

    async def follow(self) -> None:
        """Read and go on reading. While ZooKeeper is away the last list stands, marked as stale."""
        while True:
            if not self._line.connected:
                self.board.away()
                await self._line.wait_connected()
            try:
                await self._follow_connection(self._line.connections)
            except Exception as error:  # a fault of its own must not end it either
                self.board.away()
                if self._line.connected:
                    self._tell(error)
                    await asyncio.sleep(_RETRY_SECONDS)

    def _tell(self, error: Exception) -> None:
        """Log what keeps the list from being read, once for each reason."""
        if repr(error) != self._said:
            self._said = repr(error)
            extra = {"microservice": self._microservice, "reason": self._said}
            log.warning("the nodes of a microservice are not read; trying again", extra=extra)

    async def _follow_connection(self, number: int) -> None:
        """Read everything, then what is unread, until the connection goes."""
        tree = _Tree(asyncio.Event())
        self._line.wakes.add(tree.wake)
        try:
            while self._line.connections == number and self._line.connected:
                tree.wake.clear()
                await self._read(tree)
                if self._line.connections != number:  # what was read before and after may not fit together
                    return
                self.board.post(self._nodes(tree))
                self._said = ""
                await self._wait(tree)
        finally:
            self._line.wakes.discard(tree.wake)

    async def _wait(self, tree: _Tree) -> None:
        """Wait until something is unread or the connection goes; when nothing was for long, compare."""
        try:
            async with asyncio.timeout(self._resync_seconds):
                await tree.wake.wait()
        except TimeoutError:
            if self._line.connected and await self._differs(tree):
                log.info("a change of nodes was found by comparing", extra={"microservice": self._microservice})

    async def _read(self, tree: _Tree) -> None:
        if tree.clusters_unread:
            tree.clusters_unread = False
            path = self._paths.clusters(self._microservice)
            tree.set_clusters(_clusters(await self._children(path, tree.touch_clusters)))
        unread, tree.unread_clusters = tree.unread_clusters & tree.clusters, set()
        for chunk in _chunks(sorted(unread)):
            await asyncio.gather(*(self._read_cluster(tree, cluster) for cluster in chunk))
        changed, tree.unread_nodes = tree.unread_nodes, set()
        for chunk in _chunks(sorted(key for key in changed if tree.is_listed(key))):
            await asyncio.gather(*(self._read_node(tree, key) for key in chunk))

    async def _read_cluster(self, tree: _Tree, cluster: str) -> None:
        path = self._paths.nodes(self._microservice, cluster)
        names = await self._children(path, lambda: tree.touch_cluster(cluster))
        tree.set_names(cluster, _first(names, MAX_NODES))

    async def _read_node(self, tree: _Tree, key: Key) -> None:
        try:
            entry = await self._line.get(self._path(key), lambda: tree.touch_node(key))
        except AbsentError:
            # gone: the watch of its list tells so. One that comes again is new to the list then, and read.
            tree.nodes.pop(key, None)
            tree.names[key[0]].discard(key[1])
        else:
            tree.nodes[key] = _Read(entry.data, decode_node(entry.data, key[1], key[0]))

    async def _children(self, path: str, touch: Wake) -> list[str]:
        """List with a watch; where the path is missing, watch for its coming."""
        while True:
            with contextlib.suppress(AbsentError):
                return await self._line.children(path, touch)
            if not await self._line.exists(path, touch):
                return []

    async def _differs(self, tree: _Tree) -> bool:
        """Read all beside the watches, and mark as unread what is not as it was read before."""
        found = _clusters(await self._plain_children(self._paths.clusters(self._microservice)))
        if found != tree.clusters:
            tree.touch_clusters()
        for cluster in sorted(found & tree.clusters):
            names = _first(await self._plain_children(self._paths.nodes(self._microservice, cluster)), MAX_NODES)
            if names != tree.names.get(cluster, set()):
                tree.touch_cluster(cluster)
        for chunk in _chunks(sorted(tree.nodes)):
            await asyncio.gather(*(self._compare_node(tree, key) for key in chunk))
        return tree.wake.is_set()

    async def _compare_node(self, tree: _Tree, key: Key) -> None:
        with contextlib.suppress(AbsentError):
            data = (await self._line.get(self._path(key))).data
            if key in tree.nodes and tree.nodes[key].data != data:
                tree.touch_node(key)

    async def _plain_children(self, path: str) -> list[str]:
        with contextlib.suppress(AbsentError):
            return await self._line.children(path)
        return []

    def _path(self, key: Key) -> str:
        return f"{self._paths.nodes(self._microservice, key[0])}/{key[1]}"

    def _nodes(self, tree: _Tree) -> Iterable[Node]:
        found = [read.node for read in tree.nodes.values() if read.node is not None]
        strange = len(tree.nodes) - len(found)
        if strange > self._passed_over:
            extra = {"microservice": self._microservice, "nodes": strange}
            log.warning("nodes that cannot be understood are passed over", extra=extra)
        self._passed_over = strange
        return found


def _clusters(names: list[str]) -> set[str]:
    return _first((name for name in names if is_cluster(name)), MAX_CLUSTERS)


def _first(names: Iterable[str], most: int) -> set[str]:
    return set(sorted(names)[:most])


def _chunks(items: list[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
