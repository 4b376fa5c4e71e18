"""Votes: what many consumers found of a node counts for all of them; what one found counts for itself alone.

Each consumer publishes where its own breaker of a node is open. A node is out for everybody when a quorum of the consumers that
live say so, or when it says so of itself. A consumer that is itself the trouble has one vote for each node, which is no quorum.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

from qiantang.rpc.model.rules import VotesRule

FEWEST: Final = 2
MOST_VOTES: Final = 100_000
"""Votes that are remembered of one service."""


class Votes:
    """Of one service, as one consumer hears them. `count` says who is out, and who of those is `barred` here: of the consumers that
    voted one goes on trying, which takes its vote back when that goes well, and then the next one does. `is_out` costs one look-up.

    `panic`: more than the settled share of the nodes would be out: then the trouble lies elsewhere, and no vote counts. What
    people decided (`hold`) counts always.
    """

    __slots__ = ("_count", "_held", "_votes", "barred", "out", "panic", "settings", "would_be_out")

    def __init__(self, settings: VotesRule) -> None:
        self.settings = settings
        self._votes: dict[str, dict[str, float]] = {}
        self._held: dict[str, Literal["out", "in"]] = {}
        self._count = 0
        self.out: frozenset[str] = frozenset()
        self.barred: frozenset[str] = frozenset()
        self.would_be_out: frozenset[str] = frozenset()
        self.panic = False

    def configure(self, settings: VotesRule) -> None:
        """Take other numbers; what was heard stays as long as it was to. They count from the next `count`."""
        self.settings = settings

    def hear(self, node: str, voter: str, now: float) -> None:
        """A consumer says that a node is to be out, or the node says it of itself."""
        if voter not in self._votes.get(node, ()):
            if self._count >= MOST_VOTES:
                return
            self._count += 1
        self._votes.setdefault(node, {})[voter] = now + self.settings.lifetime

    def withdraw(self, node: str, voter: str) -> None:
        """A consumer takes its vote back."""
        if self._votes.get(node, {}).pop(voter, None) is not None:
            self._count -= 1

    def forget(self, voter: str) -> None:
        """A consumer is gone, and all its votes with it."""
        for node in self._votes:
            self.withdraw(node, voter)

    def hold(self, node: str, where: Literal["out", "in", ""]) -> None:
        """People hold a node out or in; empty ends that."""
        self._held.pop(node, None)
        if where:
            self._held[node] = where

    def count(self, now: float, nodes: Collection[str], consumers: Collection[str], me: str = "") -> None:
        """Count anew, some times a second, or when something was heard: `consumers` are those that live, one of whom is `me`."""
        self._expire(now, nodes)
        live = consumers if isinstance(consumers, set | frozenset) else frozenset(consumers)
        quorum = self.quorum(len(live))
        voted = {node for node, voters in self._votes.items() if node in voters or _among(voters, live) >= quorum}
        voted = {node for node in voted if node not in self._held}
        self.panic = len(voted) > int(self.settings.most * len(nodes))
        self.would_be_out = frozenset() if self.panic else frozenset(voted)
        by_hand = {node for node in nodes if self._held.get(node) == "out"}
        self.out = frozenset(by_hand | self.would_be_out if self.settings.mode == "enforce" else by_hand)
        self.barred = frozenset(node for node in self.out if node in by_hand or not self._tries(node, live, me))

    def quorum(self, consumers: int) -> int:
        """Give how many of so many consumers must have voted."""
        return max(FEWEST, math.ceil(self.settings.quorum * consumers - 1e-9))

    def is_out(self, node: str) -> bool:
        """Say whether a node gets no calls."""
        return node in self.barred

    def _tries(self, node: str, live: Collection[str], me: str) -> bool:
        return bool(me) and prober(voter for voter in self._votes.get(node, ()) if voter in live) == me

    def _expire(self, now: float, nodes: Collection[str]) -> None:
        for node, voters in list(self._votes.items()):
            for voter in [one for one, ends in voters.items() if ends <= now]:
                del voters[voter]
            if not voters or node not in nodes:
                del self._votes[node]
        self._count = sum(map(len, self._votes.values()))


def _among(voters: Mapping[str, float], live: Collection[str]) -> int:
    return sum(voter in live for voter in voters)


def prober(consumers: Iterable[str]) -> str:
    """Give the one of those who voted that tries a node which is out for all: the first by name, so that not all try together."""
    return min(consumers, default="")


class Ballot:
    """What this consumer says of nodes: one word about a node in `pause` seconds at most; what is unchanged only to renew it."""

    __slots__ = ("_said", "settings")

    def __init__(self, settings: VotesRule) -> None:
        self.settings = settings
        self._said: dict[str, tuple[bool, float]] = {}

    def configure(self, settings: VotesRule) -> None:
        """Take other numbers; what was said is known."""
        self.settings = settings

    def may_say(self, node: str, is_open: bool, now: float) -> bool:
        """Say whether to publish this now; it is taken as published. Ask again later where not."""
        was_open, at = self._said.get(node, (False, -math.inf))
        is_due = is_open != was_open or (is_open and now - at >= self.settings.lifetime / 3)
        if not is_due or now - at < self.settings.pause:
            return False
        self._said[node] = (is_open, now)
        return True

    @property
    def open(self) -> frozenset[str]:
        """The nodes that it said are to be out, and has not taken back."""
        return frozenset(node for node, (is_open, _) in self._said.items() if is_open)

    def keep(self, nodes: Collection[str]) -> None:
        """Forget what was said of nodes that are gone."""
        self._said = {node: said for node, said in self._said.items() if node in nodes}
