"""Port of the release cache: what stands between the database and the servers, and may forget everything at any time."""

from __future__ import annotations

from typing import Protocol, Self

from qiantang.kernel import resource


class ReleaseCache(Protocol):
    """Immutable releases by key and position, and the newest position of each key.

    Nothing here is ever the truth: a flushed cache costs reads of the database, a stale one is found out by the position that a
    caller asks for. Every call ends within the adapter's deadline, and while the backend is away fails at once with
    UnavailableError, so that an outage costs nothing per call.
    """

    async def __aenter__(self) -> Self:
        """Open; a backend that is away now may come later."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        ...

    async def put_release(self, key: str, position: resource.Position, blob: bytes) -> None:
        """Keep a release; one that is too large is not kept. Idempotent: a position always has the same blob."""
        ...

    async def get_release(self, key: str, position: resource.Position) -> bytes | None:
        """Give a release, or None where it is not kept."""
        ...

    async def set_head(self, key: str, position: resource.Position) -> bool:
        """Set the newest position of a key if it is newer than the one there, by epoch, then revision; say whether it was."""
        ...

    async def get_head(self, key: str) -> resource.Position | None:
        """Give the newest position known of a key; it may be older than the database's, never newer."""
        ...

    async def ping(self) -> None:
        """Pass where the backend answers.

        Raises:
            UnavailableError: it does not; the detail says where and why.
        """
        ...
