"""Following: a caller uses the nodes that directories say, each of one microservice, for as long as it follows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from qiantang.kernel import errors
from qiantang.registry.client import Directory
from qiantang.registry.model import Node, Snapshot
from qiantang.rpc.client.targets import Site

Use = Callable[[Sequence[Node], str], None]
Hand = Callable[[Callable[[Snapshot], None], Snapshot], None]
"""Has a snapshot taken where its caller works, from wherever its directory tells it."""


def at_once(take: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
    """Have it taken by the thread that tells it."""
    take(snapshot)


class Following:
    """Of one directory. A snapshot that is stale is used like any other, and one that was overtaken is not."""

    def __init__(self, directory: Directory, use: Use, hand: Hand) -> None:
        self._directory = directory
        self._use = use
        self._hand = hand
        self._lock = threading.Lock()
        self._revision = -1
        self._ended = False
        self._deaf = directory.on_change(self._heard)  # before the first look: what changes between is not missed
        self._take(directory.snapshot)

    def failed(self, node: str) -> None:
        """A node could not be connected to."""
        self._directory.suspect_failed(node)

    def end(self) -> None:
        """Use its nodes no more."""
        self._deaf()
        with self._lock:
            if not self._ended:
                self._ended = True
                self._use((), self._directory.microservice)

    def _heard(self, snapshot: Snapshot) -> None:
        self._hand(self._take, snapshot)

    def _take(self, snapshot: Snapshot) -> None:
        with self._lock:
            if not self._ended and snapshot.revision > self._revision:
                self._revision = snapshot.revision
                self._use(snapshot.nodes, self._directory.microservice)


class Followed:
    """The directories that one caller follows, by their microservices."""

    def __init__(self) -> None:
        self._by_microservice: dict[str, Following] = {}

    def follow(self, directory: Directory, use: Use, hand: Hand) -> Callable[[], None]:
        """Begin; give what ends it.

        Raises:
            MisconfiguredError: another directory of that microservice is followed.
        """
        name = directory.microservice
        if name in self._by_microservice:
            raise errors.MisconfiguredError(f"microservice {name} is followed already: end that before")
        one = self._by_microservice[name] = Following(directory, use, hand)

        def end() -> None:
            if self._by_microservice.get(name) is one:
                del self._by_microservice[name]
            one.end()

        return end

    def failed(self, site: Site) -> None:
        """A node could not be connected to: its directory hears of it."""
        one = self._by_microservice.get(site.microservice)
        if one is not None:
            one.failed(site.node)

    def end(self) -> None:
        """End all."""
        while self._by_microservice:
            _, one = self._by_microservice.popitem()
            one.end()
