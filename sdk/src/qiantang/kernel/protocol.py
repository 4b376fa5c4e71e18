"""Protocol: what a mirror and the control plane say to each other, over HTTP.

| call | body → answer |
|---|---|
| POST /api/v1/identity/token | TokenRequest → Token |
| POST /api/v1/watch/stream | StreamRequest → server-sent events: hello, notice, delivery, servers, gone, goodbye |
| POST /api/v1/watch/fetch | FetchRequest → Snapshot, Delta or Unchanged |
| POST /api/v1/watch/acknowledge | Acknowledgement → 204 |
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Literal

import msgspec

from qiantang.kernel import resource, scope, wire

TOKEN_PATH = "/api/v1/identity/token"  # noqa: S105  # a path
STREAM_PATH = "/api/v1/watch/stream"
FETCH_PATH = "/api/v1/watch/fetch"
ACKNOWLEDGE_PATH = "/api/v1/watch/acknowledge"

MAX_ERROR_LENGTH = 2000


class TokenRequest(wire.Command, frozen=True):
    """Proof that the caller holds an application credential's secret, without sending it.

    `timestamp` is the caller's clock in milliseconds; `nonce` is used once; `signature` is what `sign` gives.
    """

    credential: Annotated[str, msgspec.Meta(max_length=64)]
    timestamp: int
    nonce: Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
    signature: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]


class Token(wire.Wire, frozen=True):
    """A bearer token for the calls of one application, and the scope that it speaks for."""

    token: str
    expires_in: float
    scope: scope.Scope
    server_time: int

    def __repr__(self) -> str:
        """Never show the token."""
        return f"Token(scope={self.scope}, expires_in={self.expires_in})"


def signing_key(secret: str) -> bytes:
    """Give the key that signs for a credential's secret: the server keeps this, never the secret."""
    return hashlib.sha256(secret.encode()).digest()


def sign(key: bytes, credential: str, timestamp: int, nonce: str) -> str:
    """Sign a token request (HMAC-SHA256, hex)."""
    message = f"qiantang-token-v1\n{credential}\n{timestamp}\n{nonce}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


class Held(wire.Wire, frozen=True):
    """What a mirror holds of one bundle, and how taking it went.

    `applied`: swapped in and every callback ran well. `failed`: a callback raised or ran out of time; `error` says which.
    `rejected`: the new content was not swapped in (it does not fit the bound model); the one before stays in use.
    """

    bundle: resource.Bundle
    position: resource.Position
    digest: str = ""
    gray: str = ""
    status: Literal["applied", "failed", "rejected"] = "applied"
    error: Annotated[str, msgspec.Meta(max_length=MAX_ERROR_LENGTH)] = ""
    took_ms: float = 0.0
    from_disk: bool = False


class StreamRequest(wire.Command, frozen=True):
    """Open the stream of notices for an application's bundles of these capabilities.

    With `deliveries` a small release of the application's own comes as a Delta in place of its notice. One that does not fit what
    is held is a notice all the same: it is fetched.
    """

    scope: scope.Scope
    instance: scope.Instance
    capabilities: Annotated[list[scope.Name], msgspec.Meta(min_length=1, max_length=32)]
    held: Annotated[list[Held], msgspec.Meta(max_length=256)] = []
    deliveries: bool = False


class FetchRequest(wire.Command, frozen=True):
    """Ask for a bundle at a position not older than `at_least`; `have` is the digest held, or empty."""

    instance: scope.Instance
    bundle: resource.Bundle
    at_least: resource.Position = resource.NOWHERE
    have: Annotated[str, msgspec.Meta(max_length=64)] = ""
    have_position: resource.Position = resource.NOWHERE


class Acknowledgement(wire.Command, frozen=True):
    """Tell what an instance holds now."""

    scope: scope.Scope
    instance: scope.Instance
    held: Annotated[list[Held], msgspec.Meta(max_length=256)]


class Hello(wire.Wire, frozen=True):
    """First event of a stream: who answers, who else could, and how often to poll and to expect a heartbeat."""

    node: str
    servers: list[str] = []
    poll_seconds: float = 30.0
    heartbeat_seconds: float = 15.0
    server_time: int = 0


class Servers(wire.Wire, frozen=True):
    """The addresses of all live servers, whenever they change."""

    servers: list[str]


class Gone(wire.Wire, frozen=True):
    """The application or its credential was removed: stop using what is held."""

    reason: str = ""


class Goodbye(wire.Wire, frozen=True):
    """This server is going away: connect to another one."""

    reason: str = ""
