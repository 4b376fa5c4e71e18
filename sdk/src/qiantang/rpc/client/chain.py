"""Chain: the rules that count for calls of one method on their way out, and how a node is chosen for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call
from qiantang.rpc.balance.picking import Picker
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.limits import Pacing
from qiantang.rpc.governance.passage import Passage
from qiantang.rpc.governance.policy import DEFAULT, MethodPolicy
from qiantang.rpc.governance.states import Place, States
from qiantang.rpc.model.definition import PRIORITIES, MethodDefinition


class Choice(NamedTuple):
    """How a node is chosen for calls of a method: those that routes leave, what picks one of them, whether routes are asked
    nothing of a call but its method, and the argument that it is hashed by.
    """

    candidates: Callable[[Call], Endpoints]
    picker: Picker
    is_plain: bool
    key: str = ""


class Chain(Passage):
    """Of one method, until the rules change: rate, hot values, throttle, breaker, how many at a time; then, for each attempt, the
    node's own breaker and what is known of outliers. `plain` is what routes are asked of a call that has nothing of its own to
    go by; `barred` are the keys of the nodes that many consumers' votes leave out.
    """

    def __init__(
        self, method: MethodDefinition, policy: MethodPolicy, states: States, choice: Choice, since_1970: float
    ) -> None:
        place = Place(method.service, method.name)
        self.method = method
        self.policy = policy
        self.candidates, self.picker, self.is_plain, self.key = choice
        self.priority = PRIORITIES.index(method.options.priority)
        self.plain = Call(service=method.service, method=method.name)
        self.timeout = _timeout(method, policy)
        self.breaker = states.breaker(policy, place)
        self.retries = states.retries(policy, place)
        self.outliers = states.outliers(policy, place)
        self.degrade = states.degrade(policy, place)
        self.hedge = states.hedge(policy, place) if method.options.idempotent else None
        rate = states.rate(policy, place)
        pacing = rate if isinstance(rate, Pacing) else None
        super().__init__(
            (
                None if isinstance(rate, Pacing) else rate,
                states.adaptive(policy, place),
                self.breaker,
                states.concurrency(policy, place),
                states.gradient(policy, place),
            ),
            states.hot(policy, place),
            pacing,
            states.faults(policy, place, since_1970),
        )
        self._place = place
        self._states = states
        self.barred: frozenset[str] = frozenset()
        self._node_breakers: dict[Endpoint, Breaker | None] = {}

    @property
    def node_breakers(self) -> Mapping[Endpoint, Breaker | None]:
        """The breakers of the method on the nodes that were asked so far."""
        return self._node_breakers

    def node_breaker(self, node: Endpoint) -> Breaker | None:
        """Give the breaker of the method on one node."""
        try:
            return self._node_breakers[node]
        except KeyError:
            place = self._place._replace(node=node.key)
            found = self._node_breakers[node] = self._states.breaker(self.policy, place)
            return found

    def forget_nodes(self) -> None:
        """Nodes have gone: ask for their breakers anew."""
        self._node_breakers.clear()


def _timeout(method: MethodDefinition, policy: MethodPolicy) -> float:
    """What a rule says counts more than what the method's author wrote, and that more than the default."""
    rule = policy.sections.timeout
    if rule is None or policy.origins.get("timeout", DEFAULT) == DEFAULT:
        return method.options.timeout
    return rule.seconds
