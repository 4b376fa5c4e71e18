"""Identifiers: time-ordered (UUIDv7, RFC 9562) where rows are written, random where they must not be guessed."""

from __future__ import annotations

import os
import secrets
import time


def ordered_id() -> str:
    """Give a new UUIDv7 as 32 hex digits: sorts by the millisecond it was made in."""
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    high = (millis << 16) | 0x7000 | (random >> 68)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    return f"{(high << 64) | low:032x}"


def secret_token(bits: int = 256) -> str:
    """Give a random url-safe token of `bits` bits."""
    return secrets.token_urlsafe(bits // 8)
