"""Picking: which of the nodes that routes left takes the call. One class for each algorithm, chance and time come in."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from qiantang.kernel import errors
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.active import LeastActive
from qiantang.rpc.balance.picking.chances import Random, WeightedRandom
from qiantang.rpc.balance.picking.ewma import PeakEwma
from qiantang.rpc.balance.picking.hashing import ConsistentHash
from qiantang.rpc.balance.picking.prepared import weighed
from qiantang.rpc.balance.picking.turns import RoundRobin, WeightedRoundRobin


class Picker(Protocol):
    """An algorithm and what it remembers. One belongs to one event loop or is locked."""

    name: str

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give one of the endpoints, of which there is at least one; `key` is what the call is hashed by, "" where nothing.

        One that weighs nothing is given only where none weighs anything. A tuple that was given before is known by its identity:
        when a weight in it changed, give a new tuple.
        """
        ...

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why the last pick gave `chosen`, to a person."""
        ...


DEFAULT: Final = PeakEwma.name
_MAKERS: Final[Mapping[str, Callable[[random.Random], Picker]]] = {
    one.name: one
    for one in (RoundRobin, Random, WeightedRoundRobin, WeightedRandom, ConsistentHash, LeastActive, PeakEwma)
}
NAMES: Final = tuple(_MAKERS)


def make(name: str, chance: random.Random) -> Picker:
    """Give the picker of that name.

    Raises:
        InvalidRequestError: there is none; the detail names all.
    """
    if name not in _MAKERS:
        raise errors.InvalidRequestError(f"no balancing is called {name[:80]!r}: choose one of {', '.join(NAMES)}")
    return _MAKERS[name](chance)


def pick_other(picker: Picker, endpoints: Endpoints, key: str, now: float, tried: Collection[Endpoint]) -> Endpoint:
    """Pick for one more attempt: one that was not tried; any where all were that weigh something.

    Picks from the same tuple, since one without the tried would be new to the picker each time. Where the picker says one that
    was tried, it is the one with the lowest load of the others.
    """
    chosen = picker.pick(endpoints, key, now)
    if chosen not in tried:
        return chosen
    others = [one for one in weighed(endpoints) if one not in tried]
    return min(others, key=lambda one: one.load(now), default=chosen)
