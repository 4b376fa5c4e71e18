"""Explaining: why a call went to this node, as something a person reads and a program keeps."""

from __future__ import annotations

from qiantang.kernel import wire
from qiantang.rpc import errors
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.balance.matching import Call
from qiantang.rpc.balance.picking import Picker
from qiantang.rpc.balance.routing import Step, Table


class Candidate(wire.Wire, frozen=True):
    """A node that could be picked, and how it stood: `cost` and `load` in seconds, `success` as a share of 1."""

    node: str
    weight: float
    inflight: int
    cost: float
    load: float
    success: float


class Choice(wire.Wire, frozen=True):
    """Which of the candidates was picked, how, and why."""

    algorithm: str
    node: str
    reason: str
    candidates: list[Candidate]


class Explanation(wire.Wire, frozen=True):
    """The way of a call to its node. Without a choice the call fails, as `error` says."""

    service: str
    method: str
    steps: list[Step]
    choice: Choice | None = None
    error: str = ""

    def __str__(self) -> str:
        """Read as one line for each step, and one for the choice."""
        lines = [str(step) for step in self.steps]
        if self.choice is not None:
            lines.append(f"{self.choice.algorithm}: {self.choice.node}, {self.choice.reason}")
        return "\n".join([f"{self.service}.{self.method}", *lines, *([self.error] if self.error else [])])


def explain(table: Table, picker: Picker, call: Call, now: float) -> Explanation:
    """Route and pick as a call would, and say why. It counts as a pick: the next turn is another's."""
    steps = table.explain(call)
    try:
        endpoints = table.route(call)
    except errors.UnknownServiceError as error:
        return Explanation(service=call.service, method=call.method, steps=steps, error=error.detail)
    chosen = picker.pick(endpoints, call.key, now)
    choice = Choice(
        algorithm=picker.name,
        node=chosen.name,
        reason=picker.why(endpoints, chosen, now),
        candidates=[_candidate(one, now) for one in endpoints],
    )
    return Explanation(service=call.service, method=call.method, steps=steps, choice=choice)


def _candidate(endpoint: Endpoint, now: float) -> Candidate:
    return Candidate(
        node=endpoint.name,
        weight=endpoint.weight,
        inflight=endpoint.inflight,
        cost=endpoint.cost,
        load=endpoint.load(now),
        success=endpoint.success,
    )
