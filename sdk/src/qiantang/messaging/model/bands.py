"""Bands: how priorities are kept apart on a broker of logs, which has none: in topics of their own, made when first sent to. Pure.

Messages of priority 7 to 9 go to `<topic>.high`, those of 0 to 2 to `<topic>.low`. Messages with a key stay in the topic itself:
their order counts more than their priority.
"""

from __future__ import annotations

from typing import Final

from qiantang.messaging.model import Frame

NORMAL: Final = ""
HIGH: Final = "high"
LOW: Final = "low"
BANDS: Final = (HIGH, NORMAL, LOW)
"""In the order in which they are consumed."""


def band_of(frame: Frame) -> str:
    """Say which band a message goes to."""
    if 3 <= frame.rank <= 6:
        return NORMAL
    return HIGH if frame.rank > 6 else LOW


def name_of(topic: str, band: str) -> str:
    """Give the name that a band's topic has on the broker."""
    return f"{topic}.{band}" if band else topic


def queue_of(band: str, partition: int) -> str:
    """Give the name of a physical queue: "3" of the topic itself, "high-3" of a band."""
    return f"{band}-{partition}" if band else f"{partition}"


def number_of(queue: str) -> int:
    """Give the number in the name of a physical queue."""
    return int(queue.rpartition("-")[2])
