"""Port of the coordination: leases, announcements and the list of servers, the same over every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol, Self

import msgspec

from qiantang.kernel import errors, resource, scope

MAX_TTL = timedelta(days=1)
MAX_HOLDER = 128
MAX_ADDRESS = 255
RESERVED_TENANTS = frozenset({"servers"})
"""Names that cannot be a tenant's, because the notices of ZooKeeper keep something else there."""


class Lease(msgspec.Struct, frozen=True):
    """The right to be the only one that does something, until it expires.

    `epoch` is the fencing token: whoever writes under the lease passes it on, and whoever stores refuses a smaller one
    than it has seen. `expires` is a moment on the coordination's clock, in milliseconds; compare it with nothing else.
    """

    name: str
    holder: str
    epoch: int
    expires: int


class Condition(msgspec.Struct, frozen=True):
    """Whether the coordination works now; `reason` says what is wrong and `since` (milliseconds UTC) since when."""

    ready: bool
    reason: str = ""
    since: int = 0


class Coordination(Protocol):
    """What servers agree on without talking to each other.

    Opened as an async context manager; every method belongs to the event loop that opened it, ends within the
    adapter's deadline, and raises UnavailableError when the coordination is away. An adapter opened while its servers
    are away opens all the same and keeps trying; `condition` says so.
    """

    @property
    def condition(self) -> Condition:
        """Say whether it works now, without asking anyone."""
        ...

    async def __aenter__(self) -> Self:
        """Open."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Close: iterators end, and this server leaves the list. Leases stay until released or expired."""
        ...

    async def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take a lease that nobody holds; None where somebody does.

        `holder` names one process for good: its next start has another name. Time runs on the coordination's clock
        alone. The taker counts `ttl` on its own monotonic clock from before the call, and stops in time: nobody else
        gets the lease before that. The epoch is greater than that of every lease of this name before, over expiry,
        release and restarts of all parts. A holder that asks again gets a new lease with a greater epoch, and its
        older one can be renewed no more; so may a call be repeated whose answer was lost.
        """
        ...

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Hold on to a lease for `ttl` from now, under the same epoch; None where it is lost.

        It is lost when it has expired, even if nobody took it since, and when it was released or taken again.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give a lease up, so that another can have it at once. Does nothing where it is not held any more."""
        ...

    async def announce(self, key: str, position: resource.Position) -> bool:
        """Set the position of a key if it is newer than the one there; say whether it was.

        A key reads like a bundle, tenant/environment/center/application:capability. Positions compare by epoch, then
        by revision. Done once this returns: all servers will hear of it or of a newer one.
        """
        ...

    async def read(self, key: str) -> resource.Position | None:
        """Give the position that was announced for a key, from the source and not from memory; None for none."""
        ...

    def watch(self) -> AsyncIterator[tuple[str, resource.Position]]:
        """Give every key's position as it is now, then each that becomes newer, until the coordination closes.

        Positions in between may be left out, the last one never: after each lost connection everything is compared
        again. A slow reader costs at most one waiting position per key. Several watches are independent.
        """
        ...

    async def enlist(self, node: str, address: str) -> None:
        """Put this server, under its name, on the list of servers and keep it there until close.

        The entry goes by itself some seconds after its process died, and comes back by itself after a lost session.
        While the coordination is away this raises nothing: the server is listed as soon as it is back.
        """
        ...

    def servers(self) -> AsyncIterator[list[str]]:
        """Give the sorted addresses of the live servers as they are now, then again at each change, until close."""
        ...


def check_lease(name: str, holder: str, ttl: timedelta) -> int:
    """Give the ttl in milliseconds.

    Raises:
        InvalidRequestError: the name or the holder is none, or the ttl is not between 1 ms and a day.
    """
    scope.check_name(name, "lease")
    if not 0 < len(holder) <= MAX_HOLDER or not holder.isprintable():
        raise errors.InvalidRequestError(f"the holder of lease {name!r} needs 1 to {MAX_HOLDER} printable characters")
    millis = int(ttl.total_seconds() * 1000)
    if not 1 <= millis <= MAX_TTL.total_seconds() * 1000:
        raise errors.InvalidRequestError(f"lease {name!r}: a ttl is between 1 ms and {MAX_TTL}, not {ttl}")
    return millis


def check_key(key: str) -> resource.Bundle:
    """Give the bundle that a key names.

    Raises:
        InvalidRequestError: it names none, or a tenant whose name is reserved.
    """
    bundle = resource.Bundle.parse(key)
    if bundle.scope.tenant in RESERVED_TENANTS:
        raise errors.InvalidRequestError(f"{bundle.scope.tenant!r} is reserved and cannot be a tenant")
    return bundle


def check_server(node: str, address: str) -> None:
    """Check what a server says of itself.

    Raises:
        InvalidRequestError: the node is not a name of at most 128 characters without '/', or the address is none.
    """
    if not 0 < len(node) <= MAX_HOLDER or not node.isprintable() or "/" in node or node in {".", ".."}:
        raise errors.InvalidRequestError(f"{node[:80]!r} is not a server's name: up to 128 characters, no '/'")
    if not 0 < len(address) <= MAX_ADDRESS or not address.isprintable():
        raise errors.InvalidRequestError(f"server {node!r}: {address[:80]!r} is not an address")
