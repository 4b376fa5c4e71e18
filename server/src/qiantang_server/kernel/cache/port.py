"""Port of the release cache: immutable contents by position, and the newest position of each key."""

from __future__ import annotations

from typing import Protocol, Self

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.resource import Position

MAX_KEY = 400


class CacheHealth(msgspec.Struct, frozen=True):
    """Whether the cache answers; `reason` says what is wrong, `took_ms` how long it took to say so."""

    ready: bool
    reason: str = ""
    took_ms: float = 0.0


class ReleaseCache(Protocol):
    """Saves the database from reads. What it gives is a hint, and losing it is harmless.

    Everything may be missing at any time: flushed, expired, evicted, restarted empty, or answered by a copy that lags.
    A missing release is read from the database. A head may be missing or too old, never too new by this platform's own
    doing: whoever knows of a newer position (from a notice, a receiver, the database) asks the database instead. A
    release is never wrong: it is stored under its position, never changed, and given back only if it is proven to be
    what was put there. So no caller may draw from the cache that something does not exist.

    Opened as an async context manager; opens also while its server is away. Every call ends within the adapter's
    deadline or raises UnavailableError, and while an outage lasts it raises at once: callers go on without.
    """

    async def __aenter__(self) -> Self:
        """Open."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        ...

    async def put_release(self, key: str, position: Position, blob: bytes) -> bool:
        """Keep a release for the time that the settings say; putting the same again prolongs that.

        One that is larger than the settings allow is not kept: False. It is read from the database each time.

        Raises:
            UnavailableError: the cache is away; it may have been kept.
        """
        ...

    async def get_release(self, key: str, position: Position) -> bytes | None:
        """Give a release exactly as it was put, or None.

        Raises:
            UnavailableError: the cache is away.
        """
        ...

    async def set_head(self, key: str, position: Position) -> Position:
        """Move the newest position of a key forward, never back, and give the one that is there now.

        Positions compare by epoch, then by revision. Heads do not expire. Put the release before its head.

        Raises:
            UnavailableError: the cache is away; it may have been set.
        """
        ...

    async def get_head(self, key: str) -> Position | None:
        """Give the newest position that the cache knows of, or None.

        Raises:
            UnavailableError: the cache is away.
        """
        ...

    async def health(self) -> CacheHealth:
        """Ask the server for a sign of life, within the deadline. Never raises."""
        ...


def check_key(key: str) -> None:
    """Check a key.

    Raises:
        InvalidRequestError: empty, over 400 characters, or with characters that are not printable ASCII.
    """
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise errors.InvalidRequestError(f"{key[:80]!r} is not a key of the release cache")
