"""Names: what topics and groups are called on RocketMQ, whose alphabet is small. Pure.

What is not in it is written as in an address, `%` and two hexadecimal digits of UTF-8, so that two names never become one. What
would be too long ends in a digest of itself.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from qiantang.messaging.model import bands

_OUTSIDE: Final = re.compile(r"[^a-zA-Z0-9_-]")
PASSING: Final = "%EPH%"
"""What no other name begins with: there two hexadecimal digits follow."""
_STAMP: Final = re.compile(r"[0-9a-f]{1,12}")
LONGEST: Final = 120
"""RocketMQ has 127 bytes for a topic."""


def topic_name(topic: str, band: str = bands.NORMAL) -> str:
    """Give the name on RocketMQ of a topic, or of its band."""
    return _escaped(bands.name_of(topic, band))


def group_name(topic: str, group: str) -> str:
    """Give the name on RocketMQ of a group on a topic: subscriptions of a group do not disturb one another."""
    return _escaped(f"{group}.{topic}")


def passing_name(topic: str, group: str, now: float) -> str:
    """Give the name of a group that ends with its only member; it says since when it is there (`now`, seconds since 1970)."""
    return f"{PASSING}{int(now):x}%{_escaped(f'{group}.{topic}', LONGEST - 40)}"


def began(group: str) -> float | None:
    """Say since when a group is there that ends with its only member; None for any other."""
    head, _, rest = group.partition(PASSING)
    stamp = rest.partition("%")[0]
    return float(int(stamp, 16)) if not head and rest and _STAMP.fullmatch(stamp) else None


def _escaped(name: str, longest: int = LONGEST) -> str:
    found = _OUTSIDE.sub(lambda one: "".join(f"%{byte:02X}" for byte in one[0].encode()), name)
    if len(found) <= longest:
        return found
    return f"{found[: longest - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
