"""Protocol: what a process and the platform's own registry say to each other, over HTTP, below /api/v1/registry.

| call | body → answer |
|---|---|
| POST /sessions | nothing → Opened |
| POST /renew, POST /close | OfSession → 204 |
| POST /register | Register → Registered |
| POST /deregister | Deregister → 204 |
| POST /vote | Cast → 204 |
| POST /votes | AskVotes → Votes |
| POST /publish | Publish → 204 |
| POST /definitions | AskDefinitions → Definitions |
| POST /stream | Follow → server-sent events: hello, nodes (a Part), servers, gone, goodbye |

Of which tenant, environment and application the caller is, his credential says, and no body.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from qiantang.kernel import scope, wire
from qiantang.registry.model.nodes import Definition, Node, Vote

PATH: Final = "/api/v1/registry"
MAX_FOLLOWED: Final = 1_000
"""Microservices that one stream tells of."""

Session = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
NodeName = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Opened(wire.Wire, frozen=True):
    """A session was opened: what is registered in it is gone `lease_seconds` after it was renewed last."""

    session: str
    lease_seconds: float
    renew_seconds: float

    def __repr__(self) -> str:
        """Never show the session: whoever knows it speaks for its process."""
        return f"Opened(lease_seconds={self.lease_seconds})"


class OfSession(wire.Command, frozen=True):
    """Renew a session, or end it with all that was registered in it."""

    session: Session


class Register(wire.Command, frozen=True):
    """Have a node in the list of the caller's own microservice.

    With `gently`, not in place of one that is later: one that started later, or, where this process `had` the name in this very
    session, whoever took it since.
    """

    session: Session
    microservice: scope.Name
    node: Node
    gently: bool = False
    had: bool = False


class Registered(wire.Wire, frozen=True):
    """Whether the node is there; the name was left to a later one where it is not."""

    held: bool


class Deregister(wire.Command, frozen=True):
    """Take a node of this session out of the list."""

    session: Session
    microservice: scope.Name
    node: NodeName


class Cast(wire.Command, frozen=True):
    """Say what this process holds of a node, or take it back."""

    session: Session
    microservice: scope.Name
    vote: Vote


class AskVotes(wire.Command, frozen=True):
    """Ask for the votes of all consumers of a microservice."""

    microservice: scope.Name


class Votes(wire.Wire, frozen=True):
    """The votes, sorted."""

    votes: tuple[Vote, ...] = ()


class Publish(wire.Command, frozen=True):
    """Keep what a service of the caller's own microservice offers."""

    microservice: scope.Name
    definition: Definition


class AskDefinitions(wire.Command, frozen=True):
    """Ask for the definition of a service, or for all of a microservice whose names come after one."""

    microservice: scope.Name
    service: Annotated[str, msgspec.Meta(max_length=128)] = ""
    after: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Definitions(wire.Wire, frozen=True):
    """Definitions in order of service; `next` goes into `after`, where there are more."""

    definitions: tuple[Definition, ...] = ()
    next: str = ""


class Follow(wire.Command, frozen=True):
    """Open the stream of the nodes of microservices.

    `at_least` is the highest revision that the process was told: a server that knows less looks before it answers.
    """

    microservices: Annotated[list[scope.Name], msgspec.Meta(min_length=1, max_length=MAX_FOLLOWED)]
    at_least: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] = 0


class Part(wire.Wire, frozen=True):
    """Nodes of a microservice at a revision, in order of name; the list is whole with the part that has no `more` after it."""

    microservice: str
    revision: int
    nodes: tuple[msgspec.Raw, ...] = ()
    more: bool = False
