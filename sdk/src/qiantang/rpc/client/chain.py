"""Chain: the rules that count for calls of one method, in the order in which a call meets them. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec

from qiantang.rpc.balance.endpoint import Endpoints
from qiantang.rpc.balance.matching import Call
from qiantang.rpc.balance.picking import Picker
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.limits import Pacing
from qiantang.rpc.governance.policy import DEFAULT, MethodPolicy
from qiantang.rpc.governance.states import Place, States
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.definition import PRIORITIES, MethodDefinition


class _Piece(Protocol):
    def enter(self, now: float, ticket: Ticket) -> Refusal | None: ...

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None: ...


class Choice(NamedTuple):
    """How a node is chosen for calls of a method: those that routes leave, what picks one of them, and whether routes are asked
    nothing of a call but its method.
    """

    candidates: Callable[[Call], Endpoints]
    picker: Picker
    is_plain: bool


class Chain:
    """Of one method, until the rules change: rate, hot values, throttle, breaker, how many at a time; then, for each attempt, the
    node's own breaker and what is known of outliers. `waits` says whether any call may have to wait; `plain` is what routes are
    asked of a call that has nothing of its own to go by.
    """

    def __init__(
        self, method: MethodDefinition, policy: MethodPolicy, states: States, choice: Choice, since_1970: float
    ) -> None:
        place = Place(method.service, method.name)
        self.method = method
        self.policy = policy
        self.candidates, self.picker, self.is_plain = choice
        self.priority = PRIORITIES.index(method.options.priority)
        self.plain = Call(service=method.service, method=method.name)
        self.timeout = _timeout(method, policy)
        self.breaker = states.breaker(policy, place)
        self.retries = states.retries(policy, place)
        self.outliers = states.outliers(policy, place)
        rate = states.rate(policy, place)
        self._faults = states.faults(policy, place, since_1970)
        self._hot = [(_reader(argument), piece) for argument, piece in states.hot(policy, place)]
        asked: tuple[_Piece | None, ...] = (
            None if isinstance(rate, Pacing) else rate,
            states.adaptive(policy, place),
            self.breaker,
            states.concurrency(policy, place),
            states.gradient(policy, place),
        )
        self._pacing = rate if isinstance(rate, Pacing) else None
        self._pieces = tuple(one for one in asked if one is not None)
        self.waits = self._pacing is not None or self._faults is not None
        self._place = place
        self._states = states
        self._node_breakers: dict[str, Breaker | None] = {}

    def enter(self, now: float, ticket: Ticket, arguments: Any) -> Refusal | None:
        """Let a call in, or refuse it; one that is let in is left once."""
        for read, hot in self._hot:
            refusal = hot.enter(now, read(arguments))
            if refusal is not None:
                return refusal
        for piece in self._pieces:
            refusal = piece.enter(now, ticket)
            if refusal is not None:
                for entered in self._pieces[: self._pieces.index(piece)]:
                    entered.leave(now, ticket, Outcome.CANCELLED)
                return refusal
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """A call that was let in has ended, with all its attempts."""
        for piece in self._pieces:
            piece.leave(now, ticket, outcome)

    def wait(self, now: float, ticket: Ticket, tag: str) -> Refusal | float:
        """Give the seconds that a call has to wait before its first attempt, or refuse it."""
        found = 0.0
        if self._pacing is not None:
            paced = self._pacing.enter(now, ticket)
            if isinstance(paced, Refusal):
                return paced
            found = paced
        if self._faults is not None:
            late = self._faults.enter(now, ticket, tag)
            return late if isinstance(late, Refusal) else found + late
        return found

    def node_breaker(self, node: str) -> Breaker | None:
        """Give the breaker of the method on one node."""
        try:
            return self._node_breakers[node]
        except KeyError:
            place = self._place._replace(node=node)
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


def _reader(path: str) -> Callable[[Any], Any]:
    """Give what reads the value at a path of a method's arguments; None where there is none."""
    read = attrgetter(path)

    def value(arguments: msgspec.Struct) -> Any:
        try:
            return read(arguments)
        except AttributeError:
            return None

    return value
