"""Guarding: what rules do to the calls that come to a provider: who may call, and what is too much for the worker."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from qiantang.kernel import scope
from qiantang.rpc.governance.access import Access
from qiantang.rpc.governance.limits import Pacing
from qiantang.rpc.governance.passage import Passage
from qiantang.rpc.governance.policy import MethodPolicy, Policies
from qiantang.rpc.governance.shedding import Load
from qiantang.rpc.governance.states import Place, States
from qiantang.rpc.governance.verdict import Refusal
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.reports import Report

MOST_ENTRANCES: Final = 10_000
CATALOG: Final = "catalog"
"""What refuses where no rule does."""


class Entrance(Passage):
    """Of one method for one policy: access, shedding, how many at a time, rates, hot values."""

    def __init__(
        self, method: MethodDefinition, policy: MethodPolicy, states: States, load: Load, access: Sequence[Access]
    ) -> None:
        place = Place(method.service, method.name)
        rate = states.rate(policy, place)
        pacing = rate if isinstance(rate, Pacing) else None
        super().__init__(
            (
                states.shedding(policy, load),
                states.gradient(policy, place),
                states.concurrency(policy, place),
                None if isinstance(rate, Pacing) else rate,
            ),
            states.hot(policy, place),
            pacing,
            states.faults(policy, place, time.time() - time.monotonic()),
        )
        self._access = access
        self.is_open = self.is_open and not access

    def admit(self, who: scope.Scope) -> Refusal | None:
        """Let a caller in, or refuse it, before anything of its call is read."""
        for one in self._access:
            refusal = one.enter(who.center, who.application)
            if refusal is not None:
                return refusal
        return None


class Guard:
    """Of one provider; of one event loop."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self.load = Load()
        self._policies = Policies("server")
        self._states = States(chance or random.Random())  # noqa: S311  # spreads calls; nobody gains by guessing it
        self._subscribers: Mapping[str, Collection[str]] = {}
        self._closed: Mapping[str, str] = {}
        self._entrances: dict[tuple[str, MethodPolicy], Entrance] = {}

    def rule(self, documents: Mapping[str, bytes]) -> Report:
        """Take rules as they were delivered, by id; calls under way keep theirs."""
        report = self._policies.replace(documents)
        self._states.keep(self._policies.ids())
        self._entrances = {}
        return report

    def subscribe(self, subscribers: Mapping[str, Collection[str]], closed: Mapping[str, str] | None = None) -> None:
        """Take who has subscribed to the services that are for subscribers alone, as `center` or `center/application`; whatever
        rules say, nobody else calls those. `closed`: services that nobody may call now, with the reason.
        """
        self._subscribers, self._closed = subscribers, closed or {}
        self._entrances = {}

    def entrance(self, method: MethodDefinition, who: scope.Scope) -> Entrance:
        """Give what a call of somebody goes through."""
        policy = self._policies.policy(method.service, method.name, who.center, who.application)
        found = self._entrances.get((method.path, policy))
        if found is None:
            if len(self._entrances) >= MOST_ENTRANCES:
                self._entrances.clear()
            found = Entrance(method, policy, self._states, self.load, self._access(method.service, policy))
            self._entrances[method.path, policy] = found
        return found

    def _access(self, service: str, policy: MethodPolicy) -> list[Access]:
        """Give who may call: as the catalog says, and as rules do."""
        subscribers, closed = self._subscribers.get(service), self._closed.get(service, "")
        found = [Access(CATALOG, subscribers=subscribers, closed=closed)] if closed or subscribers is not None else []
        by_rule = self._states.access(policy, subscribers or ())
        return [*found, by_rule] if by_rule is not None else found
