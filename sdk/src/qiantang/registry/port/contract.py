"""Contract: what an adapter does for a registry; what the clients of this room build on, and nothing else.

An adapter is a callable `make(settings) -> Registry`, found under its name in the entry points `qiantang.registry.adapters`.
A registry is of one tenant: no name that is given to it leads to another one's. `RegistryConformance` in
`qiantang.registry.testing` says what it must keep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, Self

from qiantang.registry.model import Change, Condition, Definition, Node, Snapshot, Vote


class Registry(Protocol):
    """Who is there, of one tenant; an async context manager, used on the loop that opened it.

    Entering connects, and does not wait longer than one operation may take: where the registry is away it is open all the
    same, and works once it is back. What was registered and voted over it is gone when it is closed, or when its process
    ended without a word and the registry noticed.

    Every call ends within the operation's deadline. Names and sizes are those of `port.bounds`; what is outside of them raises
    InvalidRequestError or TooLargeError and was not sent. Calls of a file raise RegistryReadOnlyError where they write.
    """

    @property
    def health(self) -> Condition:
        """How it is; says it without asking."""
        ...

    async def register(self, microservice: str, node: Node) -> None:
        """Have a node in the list of a microservice, and keep it there: made again when the registry lost it.

        Replaces the node of that name, whoever registered it; doing it twice is doing it once. A name that another process
        takes over so, or one that started later (`started_at`) holds, is left to it until it is free again.

        Raises:
            RegistryAwayError: it is not known whether it is there; it will be, once the registry is back.
            RegistryFullError: there are too many nodes.
        """
        ...

    async def update(self, microservice: str, name: str, change: Change) -> None:
        """Change a node that was registered here.

        Raises:
            UnknownNodeError: none of that name was, or another process took the name over.
            RegistryAwayError: it is not known whether it is told; it will be, once the registry is back.
        """
        ...

    async def deregister(self, microservice: str, name: str) -> None:
        """Take a node that was registered here out of the list; one that is not there is out already.

        Raises:
            RegistryAwayError: it is not known whether it is out; it will be, once the registry is back.
        """
        ...

    def watch(self, microservice: str) -> AsyncIterator[Snapshot]:
        """Give all nodes of a microservice, and all again after each change. Ends when the registry is closed.

        The first comes at once. Each is complete, sorted by name, at most `MAX_NODES`, and has a higher revision than the one
        before; who reads slowly gets the newest and misses what was between. When the registry goes away the last list comes
        once more with `is_stale`, or an empty one where nothing was known yet. When it is back everything is read anew, and
        comes whether it changed or not. Nodes that cannot be understood are passed over.

        Raises (at the first item):
            InvalidRequestError: the microservice has no such name.
        """
        ...

    async def publish(self, microservice: str, definition: Definition) -> None:
        """Keep what a service offers, beyond the life of this process; replaces what was there.

        Raises:
            RegistryAwayError: it is not known whether it is kept; call again.
            RegistryFullError: there are too many services.
        """
        ...

    async def definitions(self, microservice: str, service: str = "") -> tuple[Definition, ...]:
        """Read what the services of a microservice offer, or the one named, sorted by name; those that are damaged are left out.

        Raises:
            RegistryAwayError: it cannot be read now.
            UnknownDefinitionError: the one named was not published.
        """
        ...

    async def vote(self, microservice: str, vote: Vote) -> None:
        """Say what this consumer holds of a node, until it takes that back (an empty value) or is gone.

        Raises:
            RegistryAwayError: it is not known whether it is told; it will be, once the registry is back.
        """
        ...

    async def votes(self, microservice: str) -> tuple[Vote, ...]:
        """Read the votes of all consumers, sorted.

        Raises:
            RegistryAwayError: they cannot be read now.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...
