"""Protection: nodes that vanish together with most others are suspects for a while, and no node is gone for that alone.

A registry that lost its sessions tells an empty list while all nodes answer. Pure: time comes in as an argument.
"""

from __future__ import annotations

from typing import Final

from qiantang.registry.model import Node

KEEP_SECONDS: Final = 300.0
SAID_GOODBYE: Final = frozenset({"draining", "offline"})


class Protection:
    """What of the lists of one microservice is to be used. Times in seconds of one monotonic clock.

    A list that is empty, or less than half as long as the one before, makes suspects of the nodes it lacks, unless they said
    goodbye. Each is kept until a connection to it fails, it is listed again, as many nodes as before are listed, or its time
    is over.
    """

    def __init__(self, keep: float = KEEP_SECONDS) -> None:
        self._keep = keep
        self._listed: dict[str, Node] = {}
        self._suspects: dict[str, tuple[Node, float]] = {}
        self._full = 0

    @property
    def suspects(self) -> frozenset[str]:
        """The names of the nodes that are kept though they are not listed."""
        return frozenset(self._suspects)

    @property
    def expires_at(self) -> float | None:
        """When the next suspect's time is over."""
        return min((until for _node, until in self._suspects.values()), default=None)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes to use: those that are listed and the suspects, sorted by name."""
        kept = (node for node, _until in self._suspects.values())
        return tuple(sorted((*self._listed.values(), *kept), key=lambda node: node.name))

    def take(self, nodes: tuple[Node, ...], now: float) -> None:
        """Take over what the registry lists now."""
        self.expire(now)
        listed = {node.name: node for node in nodes}
        before = {name: node for name, node in self._listed.items() if node.state not in SAID_GOODBYE}
        if before and (not listed or 2 * len(listed) < len(before)):
            self._full = max(self._full, len(before) + len(self._suspects))
            missing = (node for name, node in before.items() if name not in listed)
            self._suspects |= {node.name: (node, now + self._keep) for node in missing}
        self._listed = listed
        self._suspects = {name: one for name, one in self._suspects.items() if name not in listed}
        if len(listed) >= self._full:
            self._suspects = {}
        self._settle()

    def suspect_failed(self, name: str) -> bool:
        """Give up a suspect that could not be connected to; say whether it was one."""
        found = self._suspects.pop(name, None) is not None
        self._settle()
        return found

    def expire(self, now: float) -> bool:
        """Give up the suspects whose time is over; say whether there were any."""
        kept = {name: one for name, one in self._suspects.items() if one[1] > now}
        changed = len(kept) < len(self._suspects)
        self._suspects = kept
        self._settle()
        return changed

    def _settle(self) -> None:
        if not self._suspects:
            self._full = 0
