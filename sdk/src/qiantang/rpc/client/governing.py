"""Governing: what rules do to the calls of one process, from before a call until after its last attempt. Nothing here waits.

Of one event loop, or locked by who calls from several threads. Time is the monotonic clock's, given by who calls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

import msgspec

from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints, key_of
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.routing import RouteBook, Router, Table
from qiantang.rpc.balance.slow_start import SlowStart
from qiantang.rpc.client.chain import Chain, Choice
from qiantang.rpc.client.degrading import value_for
from qiantang.rpc.client.exchange import timeout_left
from qiantang.rpc.client.going import Going
from qiantang.rpc.governance.policy import MethodPolicy, Policies
from qiantang.rpc.governance.states import Place, States
from qiantang.rpc.governance.verdict import Ticket
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.reports import Report
from qiantang.rpc.model.rules import Rule, VotesRule

E = TypeVar("E", bound=Endpoint)
SWEEP_SECONDS: Final = 1.0
DETOURS: Final = ("degrade", "hedge")
"""Sections of rules with which a call is not only made: all others keep the straight way."""


class Standing(NamedTuple):
    """What one consumer's breakers hold of the nodes of a service: of each that is kept out, whether it is time to try it again."""

    rule: VotesRule
    nodes: frozenset[str]
    kept_out: dict[str, bool]


class Heard(NamedTuple):
    """What consumers say of the nodes of a service: since when each node and voter, and which votes are gone."""

    votes: Mapping[tuple[str, str], float]
    withdrawn: Collection[tuple[str, str]]
    consumers: frozenset[str]


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
        self._barred: dict[str, dict[str, frozenset[str]]] = {}
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
        return Going(chain, ticket, chain.plain if plain else self._asked(chain, arguments, above), now)

    # -- votes -------------------------------------------------------------------------------------------

    def standings(self, microservice: str, now: float) -> dict[str, Standing]:
        """Give what breakers hold of the nodes of a microservice, by the services that are called of it."""
        found: dict[str, Standing] = {}
        for method, chain in self._chains.items():
            rule = chain.policy.sections.votes
            nodes = self._nodes(microservice, method.service)
            if rule is None or not nodes:
                continue
            standing = found.setdefault(method.service, Standing(rule, nodes, {}))
            for endpoint, breaker in chain.node_breakers.items():
                if breaker is not None and breaker.keeps_out and endpoint.microservice == microservice:
                    is_late = breaker.state == "open" and not breaker.retry_after(now)
                    name = endpoint.node.name
                    standing.kept_out[name] = standing.kept_out.get(name, True) and is_late
        return found

    def hear(self, microservice: str, heard: Mapping[str, Heard], me: str, now: float) -> None:
        """Take what consumers said of the nodes of a microservice, by its services: all of it. `me` is who hears it."""
        barred: dict[str, frozenset[str]] = {}
        for method, chain in self._chains.items():
            votes = self._states.votes(chain.policy, Place(method.service), microservice)
            said = heard.get(method.service)
            if votes is None or said is None:
                continue
            for node, voter in said.withdrawn:
                votes.withdraw(node, voter)
            for (node, voter), at in said.votes.items():
                votes.hear(node, voter, at)
            votes.count(now, self._nodes(microservice, method.service), said.consumers, me)
            barred[method.path] = frozenset(key_of(microservice, node) for node in votes.barred)
        self._barred[microservice] = barred
        for chain in self._chains.values():
            self._bar(chain)

    def _bar(self, chain: Chain) -> None:
        path = chain.method.path
        chain.barred = frozenset().union(*(one.get(path, ()) for one in self._barred.values()))

    def _nodes(self, microservice: str, service: str) -> frozenset[str]:
        return frozenset(
            one.node.name
            for one in self._endpoints
            if one.microservice == microservice and service in one.node.services
        )

    # -- inside ------------------------------------------------------------------------------------------

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

    def _picker(self, name: str) -> picking.Picker:
        found = self._pickers.get(name)
        if found is None:
            found = self._pickers[name] = picking.make(name, self._chance)
        return found

    def _asked(self, chain: Chain, arguments: Any, above: CallContext) -> Call:
        """Give what routes are asked of a call that has something of its own to go by."""
        method, path = chain.method, chain.key
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
        name, key = _balance(method, policy)
        choice = Choice(self._candidates, self._picker(name), not (asks or key), key)
        since_1970 = time.time() - time.monotonic()
        found = self._chains[method] = Chain(method, policy, self._states, choice, since_1970)
        if found.outliers is not None:
            found.outliers.follow(self._keys(method.service))
        self._bar(found)
        return found

    def _tell_outliers(self) -> None:
        for method, chain in self._chains.items():
            if chain.outliers is not None:
                chain.outliers.follow(self._keys(method.service))

    def _keys(self, service: str) -> list[str]:
        return [one.key for one in self._endpoints if service in one.node.services]

    def _renew(self) -> None:
        self._table = self._router.table(self._endpoints, self._table)


def _balance(method: MethodDefinition, policy: MethodPolicy) -> tuple[str, str]:
    """Give what chooses nodes for a method, and the argument that it goes by: a rule's, or else as the method's author wrote."""
    rule = policy.sections.balance
    if rule is None:
        key = method.options.hash_key
        return ("consistent_hash" if key else picking.DEFAULT), key
    return rule.picker, (rule.key or method.options.hash_key) if rule.picker == "consistent_hash" else ""


def _value(arguments: Any, path: str) -> str:
    value: Any = arguments
    for part in path.split("."):
        value = cast("dict[str, Any]", value).get(part) if isinstance(value, dict) else getattr(value, part, None)
    return "" if value is None else str(value)
