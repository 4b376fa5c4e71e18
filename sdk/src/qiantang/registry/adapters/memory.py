"""Memory: a registry inside the process, for tests and for programs that talk to themselves.

All registries of a process with the same address are one; what it holds ends with the process. They may be on any loops and
threads. `space_of` gives what they share, so that a test can take it away.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Collection, Generator
from functools import partial
from typing import Final, Self

from qiantang.registry.errors import (
    RegistryAwayError,
    RegistryFullError,
    UnknownDefinitionError,
    UnknownNodeError,
)
from qiantang.registry.model import Change, Condition, Definition, Node, Snapshot, Vote
from qiantang.registry.port import MAX_NODES, MAX_SERVICES, MAX_VOTES, Board
from qiantang.registry.port.bounds import (
    check_microservice,
    check_node_name,
    check_service,
    encode_definition,
    encode_node,
    encode_vote,
)
from qiantang.registry.settings import RegistrySettings

Place = tuple[str, str]
"""A tenant and one of its microservices."""


class _Held:
    """What is known of one microservice, each node and vote with whose it is."""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[Node, object]] = {}
        self.votes: dict[tuple[str, str, str], tuple[Vote, object]] = {}
        self.definitions: dict[str, Definition] = {}


class Space:
    """What all registries of one address share."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held: dict[Place, _Held] = {}
        self._members: dict[MemoryRegistry, asyncio.AbstractEventLoop] = {}
        self._away = False

    @property
    def away(self) -> bool:
        """Whether it is away; a test may set it."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._tell(None)

    def join(self, member: MemoryRegistry) -> None:
        """Tell a registry of changes from now on, on the running loop."""
        with self._lock:
            self._members[member] = asyncio.get_running_loop()

    def leave(self, member: MemoryRegistry) -> None:
        """Forget a registry with all that it registered and voted."""
        with self._lock:
            self._members.pop(member, None)
            for held in self._held.values():
                held.nodes = {name: one for name, one in held.nodes.items() if one[1] is not member}
                held.votes = {key: one for key, one in held.votes.items() if one[1] is not member}
        self._tell(None)

    def put(self, place: Place, node: Node, owner: object) -> None:
        """Set a node."""
        with self._changing(place) as held:
            _require_room(held.nodes, node.name, MAX_NODES, "nodes")
            held.nodes[node.name] = (node, owner)

    def change(self, place: Place, name: str, change: Change, owner: object) -> None:
        """Change a node of this owner."""
        with self._changing(place) as held:
            node, whose = held.nodes.get(name, (None, None))
            if node is None or whose is not owner:
                raise UnknownNodeError(f"no node {name!r} of {place[1]} was registered here")
            changed = change.applied(node)
            encode_node(changed)
            held.nodes[name] = (changed, owner)

    def drop(self, place: Place, name: str, owner: object) -> None:
        """Remove a node of this owner."""
        with self._changing(place) as held:
            if held.nodes.get(name, (None, None))[1] is owner:
                del held.nodes[name]

    def vote(self, place: Place, vote: Vote, owner: object) -> None:
        """Set a vote, or take it back."""
        with self._changing(place) as held:
            key = (vote.service, vote.node, vote.voter)
            held.votes.pop(key, None)
            if vote.value:
                _require_room(held.votes, key, MAX_VOTES, "votes")
                held.votes[key] = (vote, owner)

    def publish(self, place: Place, definition: Definition) -> None:
        """Keep a definition."""
        with self._changing(place) as held:
            _require_room(held.definitions, definition.service, MAX_SERVICES, "services")
            held.definitions[definition.service] = definition

    def nodes(self, place: Place) -> list[Node]:
        """List the nodes."""
        with self._reading(place) as held:
            return [node for node, _owner in held.nodes.values()]

    def votes(self, place: Place) -> list[Vote]:
        """List the votes."""
        with self._reading(place) as held:
            return [vote for _key, (vote, _owner) in sorted(held.votes.items())]

    def definitions(self, place: Place) -> dict[str, Definition]:
        """Give the definitions by the names of their services."""
        with self._reading(place) as held:
            return dict(sorted(held.definitions.items()))

    @contextlib.contextmanager
    def _changing(self, place: Place) -> Generator[_Held, None, None]:
        with self._lock:
            self._require()
            yield self._held.setdefault(place, _Held())
        self._tell(place)

    @contextlib.contextmanager
    def _reading(self, place: Place) -> Generator[_Held, None, None]:
        with self._lock:
            self._require()
            yield self._held.get(place) or _Held()

    def _require(self) -> None:
        if self._away:
            raise RegistryAwayError("the registry in memory is away")

    def _tell(self, place: Place | None) -> None:
        """Have every registry look again, at one microservice or at all."""
        with self._lock:
            members = list(self._members.items())
        for member, loop in members:
            with contextlib.suppress(RuntimeError):  # its loop is closed, nobody watches there
                loop.call_soon_threadsafe(partial(member.look, place))


_spaces: Final[dict[str, Space]] = {}
_making: Final = threading.Lock()


def space_of(address: str) -> Space:
    """Give what the registries of an address share."""
    with _making:
        return _spaces.setdefault(address, Space())


def make(settings: RegistrySettings) -> MemoryRegistry:
    """Make it from settings; the entry point."""
    return MemoryRegistry(settings)


class MemoryRegistry:
    """One process's or one test's view of a space."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._space = space_of(settings.address)
        self._tenant = settings.tenant
        self._boards: dict[Place, Board] = {}
        self._since = 0

    @property
    def health(self) -> Condition:
        """Ready, unless a test took the space away."""
        away = self._space.away
        return Condition(ready=not away, reason="the registry in memory is away" if away else "", since=self._since)

    async def register(self, microservice: str, node: Node) -> None:
        """Set a node."""
        place = self._place(microservice)
        encode_node(node)
        self._space.put(place, node, self)

    async def update(self, microservice: str, name: str, change: Change) -> None:
        """Change a node of this registry."""
        place = self._place(microservice)
        self._space.change(place, check_node_name(name), change, self)

    async def deregister(self, microservice: str, name: str) -> None:
        """Remove a node of this registry."""
        place = self._place(microservice)
        self._space.drop(place, check_node_name(name), self)

    async def watch(self, microservice: str) -> AsyncIterator[Snapshot]:
        """Watch the board of a microservice."""
        place = self._place(microservice)
        board = self._boards.setdefault(place, Board())
        self.look(place)
        async with contextlib.aclosing(board.watch()) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def publish(self, microservice: str, definition: Definition) -> None:
        """Keep a definition."""
        place = self._place(microservice)
        encode_definition(definition)
        self._space.publish(place, definition)

    async def definitions(self, microservice: str, service: str = "") -> tuple[Definition, ...]:
        """Read definitions."""
        found = self._space.definitions(self._place(microservice))
        if not service:
            return tuple(found.values())
        if check_service(service) not in found:
            raise UnknownDefinitionError(f"no definition of {service} was published by {microservice}")
        return (found[service],)

    async def vote(self, microservice: str, vote: Vote) -> None:
        """Set a vote, or take it back."""
        place = self._place(microservice)
        encode_vote(vote)
        self._space.vote(place, vote, self)

    async def votes(self, microservice: str) -> tuple[Vote, ...]:
        """Read the votes."""
        return tuple(self._space.votes(self._place(microservice)))

    async def __aenter__(self) -> Self:
        """Join the space."""
        self._since = time.time_ns() // 1_000_000
        self._space.join(self)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave the space with all that is of this registry."""
        self._space.leave(self)
        for board in self._boards.values():
            board.close()

    def look(self, place: Place | None) -> None:
        """Post what the space holds now to who watches here; on the registry's loop."""
        for watched in [place] if place is not None else list(self._boards):
            board = self._boards.get(watched)
            if board is None:
                continue
            try:
                board.post(self._space.nodes(watched))
            except RegistryAwayError:
                board.away()

    def _place(self, microservice: str) -> Place:
        return (self._tenant, check_microservice(microservice))


def _require_room(held: Collection[object], key: object, most: int, what: str) -> None:
    if key not in held and len(held) >= most:
        raise RegistryFullError(f"there are {most} {what} of this microservice already")
