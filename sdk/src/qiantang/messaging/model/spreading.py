"""Spreading: which queue of a topic a key belongs to. Pure.

By jump consistent hashing (Lamping and Veach, 2014): with more queues only the keys move that the new ones get, and with fewer only
those of the queues that are no more, whichever way the number changed before.
"""

from __future__ import annotations

import functools
import zlib
from typing import Final

_STEP: Final = 2862933555777941757
_MASK: Final = (1 << 64) - 1
KNOWN: Final = 8192
"""So many keys are remembered: those of most messages come again soon."""


@functools.lru_cache(KNOWN)
def queue_of_key(key: str, count: int) -> int:
    """Give the number, from 0, of the queue of so many that a key belongs to."""
    drawn, found, following = zlib.crc32(key.encode()), 0, 0
    while following < count:
        found = following
        drawn = (drawn * _STEP + 1) & _MASK
        following = int((found + 1) * (1 << 31) / ((drawn >> 33) + 1))
    return found
