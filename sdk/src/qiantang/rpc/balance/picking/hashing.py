"""Hashing: calls with equal keys go to one node, and few of them move when nodes come and go (ketama, bounded load)."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import random
import struct
from bisect import bisect_left
from typing import Final

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.prepared import Prepared, weighed, weights

GROUPS: Final = 40
"""MD5 sums of the heaviest node; each gives four places on the ring, so that it has 160 as in Dubbo."""
FACTOR: Final = 1.25
"""A node has at most this much more calls at a time than its part, as Envoy's `hash_balance_factor` says it."""


def seat(node: Node) -> str:
    """Give what a node is placed by: where it listens, which all consumers see alike; else its name."""
    addresses = node.addresses
    return addresses.get("csf1") or (addresses[min(addresses)] if addresses else node.name)


_first: Final = struct.Struct("<I").unpack_from
_all: Final = struct.Struct("<4I").unpack


def _digest(text: str) -> bytes:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).digest()


def place(key: str) -> int:
    """Give where on the ring a key is."""
    return _first(_digest(key))[0]


@functools.lru_cache(maxsize=1024)
def places(name: str, groups: int) -> tuple[int, ...]:
    """Give where on the ring a node is. It is kept, since a ring is laid anew for each node that comes or goes."""
    return tuple(itertools.chain.from_iterable(_all(_digest(f"{name}{group}")) for group in range(groups)))


class _Ring:
    __slots__ = ("endpoints", "owners", "points", "seats", "shares")

    def __init__(self, endpoints: Endpoints, before: _Ring | None) -> None:
        # as the registry says the weights, not as slow start lowers them: every consumer must find the same node
        self.endpoints = tuple(sorted(endpoints, key=lambda one: seat(one.node)))
        said = [one.node.weight or 1 for one in self.endpoints]
        heaviest = max(said)
        self.seats = [
            (seat(one.node), max(1, round(GROUPS * weight / heaviest)))
            for one, weight in zip(self.endpoints, said, strict=True)
        ]
        total = sum(weights(self.endpoints))
        self.shares = [FACTOR * weight / total for weight in weights(self.endpoints)]
        if before is not None and before.seats == self.seats:
            self.points, self.owners = before.points, before.owners
        else:
            self._lay()

    def _lay(self) -> None:
        taken = {point: index for index, (name, groups) in enumerate(self.seats) for point in places(name, groups)}
        self.points = sorted(taken)
        self.owners = [taken[point] for point in self.points]
        self.owners.append(self.owners[0])  # after the last point comes the first

    def owner(self, point: int) -> Endpoint:
        """Give the first at the point or after it."""
        return self.endpoints[self.owners[bisect_left(self.points, point)]]

    def at(self, point: int) -> Endpoint:
        """Give the first at the point or after it that has not more than its part of the calls."""
        start = bisect_left(self.points, point)
        found = self.endpoints[self.owners[start]]
        return found if not found.inflight else self._next(start)

    def _next(self, start: int) -> Endpoint:
        total = sum([one.inflight for one in self.endpoints]) + 1
        seen: set[int] = set()
        for owner in itertools.chain(self.owners[start:], self.owners[:start]):
            if owner in seen:
                continue
            seen.add(owner)
            if self.endpoints[owner].inflight < math.ceil(self.shares[owner] * total):
                return self.endpoints[owner]
        return self.endpoints[self.owners[start]]


class ConsistentHash:
    """By the key of the call: ketama's ring as Dubbo lays it, with the load of each bounded.

    A node has as many places as it weighs in proportion to the heaviest. One that has more than its part of the calls in flight
    passes the next on along the ring. Calls without a key go anywhere.
    """

    name = "consistent_hash"

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rings: Prepared[_Ring] = Prepared(lambda endpoints, before: _Ring(weighed(endpoints), before))
        self._key = ""

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give the one that has the key."""
        self._key = key
        return self._rings.of(endpoints).at(place(key) if key else self._chance.getrandbits(32))

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        if not self._key:
            return "by chance: the call has no key"
        owner = self._rings.of(endpoints).owner(place(self._key))
        if owner is chosen:
            return "it has the key's place on the ring"
        return f"{owner.name} has the key's place on the ring, and {owner.inflight} calls in flight: this is the next"
