"""Waking: receivers of this process hear at once of what this process sends; of what others send they hear by looking."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

_guard = threading.Lock()
_waiting: dict[tuple[str, str], set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


def listen(database: str, topic: str, event: asyncio.Event) -> Waiter:
    """Have an event of the running loop set whenever something is sent to the topic, until `leave`."""
    waiter = (asyncio.get_running_loop(), event)
    with _guard:
        _waiting[database, topic].add(waiter)
    return waiter


def leave(database: str, topic: str, waiter: Waiter) -> None:
    """Forget one that waits."""
    with _guard:
        _waiting[database, topic].discard(waiter)


def wake(database: str, topic: str) -> None:
    """Say that something was sent."""
    with _guard:
        waiting = list(_waiting.get((database, topic), ()))
    for loop, event in waiting:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)
