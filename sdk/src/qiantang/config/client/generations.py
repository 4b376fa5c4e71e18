"""Generations: the pure bookkeeping of a resource that is replaced while it is used: who is in which, and what drains.

It has no clock and calls nobody: each input gives the generations that may be drained now. A generation is drained
exactly once, when it is retired and its last user left, or when waiting for its users has to end.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_WAITING = 8
"""Retired generations that wait for their users; beyond it the oldest waits no longer."""


class Generation(Generic[T]):
    """One resource that was built, with the number of those who use it."""

    __slots__ = ("drained", "item", "retired", "users")

    def __init__(self, item: T) -> None:
        self.item = item
        self.users = 0
        self.retired = False
        self.drained = False


class Generations(Generic[T]):
    """At most one generation is current; those before it are retired. Not safe from threads by itself."""

    def __init__(self) -> None:
        self.current: Generation[T] | None = None
        self._waiting: list[Generation[T]] = []

    @property
    def waiting(self) -> list[Generation[T]]:
        """The retired ones that somebody still uses, oldest first."""
        return list(self._waiting)

    def enter(self) -> Generation[T] | None:
        """Use the current one, if there is one; to be left again by `leave`."""
        if self.current is not None:
            self.current.users += 1
        return self.current

    def leave(self, used: Generation[T]) -> list[Generation[T]]:
        """Stop using one; give it if it may be drained now."""
        used.users -= 1
        return self._drain(used) if used.retired and not used.users else []

    def replace(self, item: T) -> list[Generation[T]]:
        """Make a new one current; give those that may be drained now."""
        drained = self.retire()
        self.current = Generation(item)
        return drained

    def retire(self) -> list[Generation[T]]:
        """Leave no current one; give those that may be drained now."""
        before, self.current = self.current, None
        if before is None:
            return []
        before.retired = True
        if not before.users:
            return self._drain(before)
        self._waiting.append(before)
        return self._drain(self._waiting[0]) if len(self._waiting) > MAX_WAITING else []

    def expire(self, retired: Generation[T]) -> list[Generation[T]]:
        """Wait no longer for the users of a retired one; give it if it was not drained yet."""
        return self._drain(retired) if retired.retired else []

    def _drain(self, retired: Generation[T]) -> list[Generation[T]]:
        if retired in self._waiting:
            self._waiting.remove(retired)
        if retired.drained:
            return []
        retired.drained = True
        return [retired]
