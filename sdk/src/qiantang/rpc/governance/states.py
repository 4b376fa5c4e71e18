"""States: what pieces have counted, apart from the rules, so that it outlives a change of them.

A state belongs to the rule that asked for it, to the numbers that cannot change under it (the length of a window), and to what
it is of: service, method, node. Another threshold is given to the state that there is; what was counted stays.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Hashable
from typing import Any, NamedTuple, TypeVar

from qiantang.rpc.governance.access import Access
from qiantang.rpc.governance.adaptive import Adaptive
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.concurrency import Gradient
from qiantang.rpc.governance.degrade import Degrade
from qiantang.rpc.governance.faults import Faults
from qiantang.rpc.governance.hedge import Hedge
from qiantang.rpc.governance.hot import HotParameter
from qiantang.rpc.governance.limits import Pacing, Semaphore, TokenBucket, WarmUp
from qiantang.rpc.governance.outlier import Outliers
from qiantang.rpc.governance.policy import MethodPolicy
from qiantang.rpc.governance.retry import Retries
from qiantang.rpc.governance.shedding import Load, Shedder
from qiantang.rpc.governance.votes import Votes
from qiantang.rpc.model.rules import HotRule

T = TypeVar("T")
Piece = Any


class Place(NamedTuple):
    """What a state is of; empty where it is of more than one. A node is given by its endpoint's key."""

    service: str
    method: str = ""
    node: str = ""


class _Key(NamedTuple):
    section: str
    rule: str
    stable: tuple[Hashable, ...]
    place: Place


class States:
    """All states of one process. Each method gives None where the policy has no such section."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._held: dict[_Key, tuple[Piece, object]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def breaker(self, policy: MethodPolicy, place: Place) -> Breaker | None:
        """Give the breaker of a method, or of a method on a node where the place has one."""
        name = "node_breaker" if place.node else "breaker"
        settings = policy.sections.node_breaker if place.node else policy.sections.breaker
        if settings is None:
            return None
        key = _Key(name, policy.origins[name], (settings.window,), place)
        return self._get(key, settings, lambda: Breaker(key.rule, settings, self._chance))

    def adaptive(self, policy: MethodPolicy, place: Place) -> Adaptive | None:
        """Give the adaptive throttle of a method."""
        settings = policy.sections.adaptive
        if settings is None:
            return None
        key = _Key("adaptive", policy.origins["adaptive"], (settings.window,), place)
        return self._get(key, settings, lambda: Adaptive(key.rule, settings, self._chance))

    def outliers(self, policy: MethodPolicy, place: Place) -> Outliers | None:
        """Give what is found of the nodes of a service."""
        settings = policy.sections.outlier
        if settings is None:
            return None
        key = _Key("outlier", policy.origins["outlier"], (), Place(place.service))
        return self._get(key, settings, lambda: Outliers(settings, self._chance))

    def votes(self, policy: MethodPolicy, place: Place, microservice: str = "") -> Votes | None:
        """Give the votes on the nodes of a service that a microservice has: consumers vote in the registry of that."""
        settings = policy.sections.votes
        if settings is None:
            return None
        key = _Key("votes", policy.origins["votes"], (microservice,), Place(place.service))
        return self._get(key, settings, lambda: Votes(settings))

    def retries(self, policy: MethodPolicy, place: Place) -> Retries | None:
        """Give the retries of a method, with their budget."""
        settings = policy.sections.retry
        if settings is None:
            return None
        key = _Key("retry", policy.origins["retry"], (), place)
        return self._get(key, settings, lambda: Retries(key.rule, settings, self._chance))

    def hedge(self, policy: MethodPolicy, place: Place) -> Hedge | None:
        """Give the hedge of a method; there is none without retries, whose budget it draws from."""
        settings, retries = policy.sections.hedge, self.retries(policy, place)
        if settings is None or retries is None:
            return None
        key = _Key("hedge", policy.origins["hedge"], (policy.origins["retry"],), place)
        return self._get(key, settings, lambda: Hedge(key.rule, settings, retries.budget))

    def degrade(self, policy: MethodPolicy, place: Place) -> Degrade | None:
        """Give what calls of a method are answered with; there is none where that is the error they failed with."""
        settings = policy.sections.degrade
        if settings is None or (settings.how, settings.when) == ("error", "failure"):
            return None
        key = _Key("degrade", policy.origins["degrade"], (), place)
        return self._get(key, settings, lambda: Degrade(key.rule, settings))

    def concurrency(self, policy: MethodPolicy, place: Place) -> Semaphore | None:
        """Give the semaphore of a method."""
        settings = policy.sections.concurrency
        if settings is None:
            return None
        key = _Key("concurrency", policy.origins["concurrency"], (), place)
        return self._get(key, settings, lambda: Semaphore(key.rule, settings))

    def gradient(self, policy: MethodPolicy, place: Place) -> Gradient | None:
        """Give the limit of a method that is found from its latency."""
        settings = policy.sections.gradient
        if settings is None:
            return None
        key = _Key("gradient", policy.origins["gradient"], (), place)
        return self._get(key, settings, lambda: Gradient(key.rule, settings))

    def rate(self, policy: MethodPolicy, place: Place) -> TokenBucket | WarmUp | Pacing | None:
        """Give what limits a method's rate, of the kind that the rule asks for."""
        settings = policy.sections.rate
        if settings is None:
            return None
        kind = Pacing if settings.pace else WarmUp if settings.warm_up else TokenBucket
        key = _Key("rate", policy.origins["rate"], (kind.__name__,), place)
        return self._get(key, settings, lambda: kind(key.rule, settings))

    def hot(self, policy: MethodPolicy, place: Place) -> list[tuple[str, HotParameter]]:
        """Give the limits of single values, each with the argument that it looks at."""
        return [(one.argument, self._hot(policy, place, one)) for one in policy.sections.hot or ()]

    def _hot(self, policy: MethodPolicy, place: Place, settings: HotRule) -> HotParameter:
        key = _Key("hot", policy.origins["hot"], (settings.argument,), place)
        return self._get(key, settings, lambda: HotParameter(key.rule, settings))

    def faults(self, policy: MethodPolicy, place: Place, since_1970: float) -> Faults | None:
        """Give the faults of a method; `since_1970` as `Faults.configure` has it."""
        settings = policy.sections.faults
        if not settings:
            return None
        return Faults(policy.origins["faults"], settings, self._chance, since_1970)

    def shedding(self, policy: MethodPolicy, load: Load) -> Shedder | None:
        """Give what sheds the calls of this worker under the policy's rule: one for all methods that the rule is for."""
        settings = policy.sections.shedding
        if settings is None:
            return None
        key = _Key("shedding", policy.origins["shedding"], (), Place(""))
        return self._get(key, settings, lambda: Shedder(key.rule, settings, load))

    def access(self, policy: MethodPolicy, subscribers: Collection[str]) -> Access | None:
        """Give who may call a method: `subscribers` have subscribed to its service."""
        settings = policy.sections.access
        if settings is None:
            return None
        only = subscribers if settings.subscribers_only else None
        return Access(policy.origins["access"], settings.allowed, settings.refused, only)

    def keep(self, rules: Collection[str]) -> None:
        """Forget the states of rules that are gone."""
        self._held = {key: held for key, held in self._held.items() if key.rule in rules}

    def forget_answers(self, policy_of: Callable[[Place], MethodPolicy]) -> None:
        """Forget the last good answers of methods whose rule asks for none any more."""
        for key, (piece, _) in list(self._held.items()):
            if isinstance(piece, Degrade) and self.degrade(policy_of(key.place), key.place) is not piece:
                piece.forget()

    def keep_nodes(self, nodes: Collection[str]) -> None:
        """Forget the states of nodes that are gone."""
        self._held = {key: held for key, held in self._held.items() if not key.place.node or key.place.node in nodes}

    def _get(self, key: _Key, settings: object, make: Callable[[], T]) -> T:
        piece, given = self._held.get(key, (None, None))
        if piece is None:
            piece = make()
        elif given is not settings:
            piece.configure(settings)
        self._held[key] = (piece, settings)
        return piece
