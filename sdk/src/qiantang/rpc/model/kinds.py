"""Kinds: how rules and routes of calls are governed by the control plane, and what was delivered of them.

An application's bundle holds what is its own. Of an application that it names as a source it gets the rules and routes that are
public: what those who provide a service say of calls to it. Where both say something of the same target, the own one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec

from qiantang.kernel import errors, resource, wire
from qiantang.kernel.scope import Name
from qiantang.rpc.model.rules import Rule

CAPABILITY: Final = "rpc"
RULE: Final = "rule"
ROUTE: Final = "route"
SOURCE: Final = "source"
TOKEN_PATH: Final = "/api/v1/rpc/tokens"  # noqa: S105  # a path
KEYS_PATH: Final = "/api/v1/rpc/keys"
AFTER_OWN: Final = "~"
"""What the id of a rule from a source begins with: of two rules for the same target the first by id counts."""


class SourceBody(wire.Command, frozen=True):
    """The body of a resource of kind "source": an application whose public rules and routes count for calls to it."""

    center: Name
    application: Name
    description: Annotated[str, msgspec.Meta(max_length=4000)] = ""


class TokenRequest(wire.Command, frozen=True):
    """What an application asks its token for calls with: the public key of a pair that it made, in base64 as in a JWK.

    Without one the token is for HTTP, where whoever holds it may show it.
    """

    public: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_-]{43})?$(?!\n)")] = ""


class Token(wire.Wire, frozen=True):
    """A token for calls, and the seconds it is good for."""

    token: str
    expires_in: float

    def __repr__(self) -> str:
        """Never show the token."""
        return f"Token(expires_in={self.expires_in})"


class PublicKey(wire.Wire, frozen=True):
    """A key that tokens for calls are signed with, as a JWK (RFC 8037)."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"


class PublicKeys(wire.Wire, frozen=True):
    """All that tokens may be signed with now, and soon: ask again every `again_in` seconds."""

    keys: list[PublicKey]
    again_in: float


class Assembled(NamedTuple):
    """What an application was delivered, by id. `own` are rules of the application itself: those that count for its providers."""

    own: Mapping[str, bytes]
    linked: Mapping[str, bytes]
    routes: Mapping[str, bytes]

    @property
    def rules(self) -> dict[str, bytes]:
        """Those that count for its own calls."""
        return {**self.own, **self.linked}


def assemble(own: resource.Snapshot, linked: Iterable[resource.Snapshot] = ()) -> Assembled:
    """Sort what was delivered; whether it can be read is found out by who takes it."""
    rules = {entry.name: bytes(entry.content) for entry in own.entries if entry.kind == RULE}
    routes = {entry.name: bytes(entry.content) for entry in own.entries if entry.kind == ROUTE}
    others: dict[str, bytes] = {}
    for snapshot in linked:
        place = snapshot.bundle.scope
        for entry in snapshot.entries:
            name, content = f"{AFTER_OWN}{place.center}/{place.application}:{entry.name}", bytes(entry.content)
            if entry.kind == RULE and _is_about_services(content):
                others[name] = content
            elif entry.kind == ROUTE:
                routes[name] = content
    return Assembled(rules, others, routes)


def _is_about_services(content: bytes) -> bool:
    """Say whether a rule of another application is about calls to one service: nobody else's counts for all calls."""
    try:
        rule = wire.decode(content, Rule)
    except errors.InvalidRequestError:
        return True  # who takes it says what is wrong, and goes on with its last good state
    return rule.public and bool(rule.target.service)
