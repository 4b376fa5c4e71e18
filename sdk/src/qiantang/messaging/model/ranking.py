"""Ranking: in which order the priorities are looked at. Pure."""

from __future__ import annotations

from typing import Final

from qiantang.messaging.model.message import HIGHEST, LOWEST

PRIORITIES: Final = range(LOWEST, HIGHEST + 1)
LOWEST_FIRST: Final = 8
"""Every so many looks the lowest priority comes first, so that it moves while higher ones never end."""


def order_of(look: int) -> range:
    """Give the priorities in the order of a look, the looks being numbered: the highest first, but for every eighth time."""
    return PRIORITIES if look % LOWEST_FIRST == 0 else PRIORITIES[::-1]
