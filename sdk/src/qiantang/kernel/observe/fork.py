"""Fork: a child must not wait for a lock that a thread of its parent held."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class LockOwner(Protocol):
    """Something with locks of its own."""

    def forget_locks(self) -> None:
        """Take new locks; runs in the child, before any other thread of it."""
        ...


_owners: weakref.WeakSet[LockOwner] = weakref.WeakSet()


def remember(owner: LockOwner) -> None:
    """Have `owner` forget its locks in every child from now on, as long as it lives."""
    _owners.add(owner)


def _after_fork() -> None:
    for owner in list(_owners):
        owner.forget_locks()


os.register_at_fork(after_in_child=_after_fork)
