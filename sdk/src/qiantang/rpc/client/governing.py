"""Governing: what rules do to the calls of one process, from before a call until after its last attempt. Nothing here waits.

Of one event loop, or locked by who calls from several threads. Time is the monotonic clock's, given by who calls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.routing import RouteBook, Router, Table
from qiantang.rpc.balance.slow_start import SlowStart
from qiantang.rpc.client.chain import Chain, Choice
from qiantang.rpc.client.degrading import value_for
from qiantang.rpc.client.exchange import timeout_left
from qiantang.rpc.client.going import Going
from qiantang.rpc.governance.policy import Policies
from qiantang.rpc.governance.states import States
from qiantang.rpc.governance.verdict import Ticket
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.reports import Report
from qiantang.rpc.model.rules import Rule

E = TypeVar("E", bound=Endpoint)
SWEEP_SECONDS: Final = 1.0
DETOURS: Final = ("degrade", "hedge")
"""Sections of rules with which a call is not only made: all others keep the straight way."""


class Governor(Generic[E]):
    """Rules, what they have counted, and the nodes that they leave to a call; `E` is what a node is to who calls.

    `detours`: some rule has calls not only be made; their `chain` says which.
    """

    def __init__(self, consumer: Consumer, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311  # spreads calls; nobody gains by guessing it
        self._policies = Policies("client")
        self._states = States(self._chance)
        self._routes = RouteBook(consumer)
        self._router = Router({}, consumer)
        self._slow_start = SlowStart()
        self._endpoints: Endpoints = ()
        self._table: Table = self._router.table(())
        self._chains: dict[MethodDefinition, Chain] = {}
        self._pickers: dict[str, picking.Picker] = {}
        self._known: dict[str, MethodDefinition] = {}
        self.detours = False

    def follow(self, endpoints: tuple[E, ...], now: float) -> None:
        """Call these nodes from now on."""
        self._endpoints = self._slow_start.apply(endpoints, now)
        self._renew()
        self._states.keep_nodes({one.key for one in endpoints})
        for chain in self._chains.values():
            chain.forget_nodes()
        self._tell_outliers()

    def rule(self, documents: Mapping[str, bytes]) -> Report:
        """Take rules as they were delivered, by id; calls under way keep theirs."""
        report = self._policies.replace(documents, self._check)
        self._states.forget_answers(lambda place: self._policies.policy(place.service, place.method))
        self._states.keep(self._policies.ids())
        self.detours = self._policies.has(*DETOURS)
        self._chains = {}
        return report

    def know(self, methods: Iterable[MethodDefinition]) -> None:
        """Hear which methods are called here: rules that cannot work for them are not valid."""
        self._known |= {one.path: one for one in methods}

    def chain(self, method: MethodDefinition) -> Chain:
        """Give the rules that count for calls of a method now."""
        return self._chains.get(method) or self._chain(method)

    def route(self, documents: Mapping[str, bytes]) -> Report:
        """Take routes as they were delivered, by id; calls under way keep theirs."""
        self._router, report = self._routes.replace(documents)
        self._chains = {}
        self._renew()
        return report

    def sweep(self, now: float) -> None:
        """Look at what changes with time alone; about once a second."""
        self._endpoints = self._slow_start.apply(self._endpoints, now)
        self._renew()
        for chain in self._chains.values():
            if chain.outliers is not None:
                chain.outliers.sweep(now)

    def begin(self, method: MethodDefinition, arguments: Any, above: CallContext, now: float) -> Going[E]:
        """Let a call in; `end` of what is given follows.

        Raises:
            QiantangError: no time is left, a rule refuses it, or no node may take it.
        """
        chain = self._chains.get(method) or self._chain(method)
        timeout = timeout_left(method, chain.timeout, above, now)
        ticket = Ticket(now, now + timeout, chain.priority, above.attempt)
        refusal = chain.enter(now, ticket, arguments)
        if refusal is not None:
            raise refusal.error()
        if chain.retries is not None:
            chain.retries.budget.deposit(now)
        plain = chain.is_plain and not above.tag
        return Going(chain, ticket, chain.plain if plain else self._asked(method, arguments, above), now)

    def _check(self, rule: Rule) -> None:
        """Refuse a rule whose value does not fit what a method gives that is known here."""
        degrade, target = rule.degrade, rule.target
        if degrade is None or degrade.how != "value" or target.side == "server":
            return
        for one in self._known.values():
            if target.service in {"", one.service} and target.method in {"", one.name}:
                value_for(one, degrade.value)

    def _candidates(self, call: Call) -> Endpoints:
        return self._table.route(call)

    def _picker(self, method: MethodDefinition) -> picking.Picker:
        name = "consistent_hash" if method.options.hash_key else picking.DEFAULT
        found = self._pickers.get(name)
        if found is None:
            found = self._pickers[name] = picking.make(name, self._chance)
        return found

    def _asked(self, method: MethodDefinition, arguments: Any, above: CallContext) -> Call:
        """Give what routes are asked of a call that has something of its own to go by."""
        path = method.options.hash_key
        return Call(
            service=method.service,
            method=method.name,
            key=_value(arguments, path) if path else "",
            tags={"lane": above.tag} if above.tag else {},
            arguments=msgspec.structs.asdict(arguments),
        )

    def _chain(self, method: MethodDefinition) -> Chain:
        policy, router = self._policies.policy(method.service, method.name), self._router
        asks = router.asks.get(method.service, router.asks_of_others)
        choice = Choice(self._candidates, self._picker(method), not (asks or method.options.hash_key))
        since_1970 = time.time() - time.monotonic()
        found = self._chains[method] = Chain(method, policy, self._states, choice, since_1970)
        if found.outliers is not None:
            found.outliers.follow(self._keys(method.service))
        return found

    def _tell_outliers(self) -> None:
        for method, chain in self._chains.items():
            if chain.outliers is not None:
                chain.outliers.follow(self._keys(method.service))

    def _keys(self, service: str) -> list[str]:
        return [one.key for one in self._endpoints if service in one.node.services]

    def _renew(self) -> None:
        self._table = self._router.table(self._endpoints, self._table)


def _value(arguments: Any, path: str) -> str:
    value: Any = arguments
    for part in path.split("."):
        value = cast("dict[str, Any]", value).get(part) if isinstance(value, dict) else getattr(value, part, None)
    return "" if value is None else str(value)
