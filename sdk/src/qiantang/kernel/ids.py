"""Identifiers: time-ordered (UUIDv7, RFC 9562) where rows are written, random where they must not be guessed."""

from __future__ import annotations

import os
import secrets
import time
from typing import Final

_BYTES: Final = 10
_AHEAD: Final = 64
_drawn: list[int] = []
"""Random numbers drawn ahead: asking the system for each one costs more than the rest of an id."""
os.register_at_fork(after_in_child=_drawn.clear)


def ordered_id() -> str:
    """Give a new UUIDv7 as 32 hex digits: sorts by the millisecond it was made in."""
    millis = time.time_ns() // 1_000_000
    chance = _draw()
    high = (millis << 16) | 0x7000 | (chance >> 68)
    low = (0b10 << 62) | (chance & ((1 << 62) - 1))
    return f"{(high << 64) | low:032x}"


def _draw() -> int:
    try:
        return _drawn.pop()
    except IndexError:
        found = os.urandom(_BYTES * _AHEAD)
        _drawn.extend(int.from_bytes(found[at : at + _BYTES]) for at in range(_BYTES, len(found), _BYTES))
        return int.from_bytes(found[:_BYTES])


def secret_token(bits: int = 256) -> str:
    """Give a random url-safe token of `bits` bits."""
    return secrets.token_urlsafe(bits // 8)
