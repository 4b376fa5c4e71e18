"""Governing: what rules do to the calls of one process, from before a call until after its last attempt. Nothing here waits.

Of one event loop, or locked by who calls from several threads. Time is the monotonic clock's, given by who calls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.routing import RouteBook, Router, Table
from qiantang.rpc.balance.slow_start import SlowStart
from qiantang.rpc.client.chain import Chain, Choice
from qiantang.rpc.client.exchange import header_of, timeout_left
from qiantang.rpc.errors import NodeAwayError, was_processed
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.policy import Policies
from qiantang.rpc.governance.retry import Failure
from qiantang.rpc.governance.states import States
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket, outcome_of
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.reports import Report
from qiantang.rpc.wire.headers import MOST_ATTEMPTS, CallHeader

E = TypeVar("E", bound=Endpoint)
SWEEP_SECONDS: Final = 1.0


class Governor(Generic[E]):
    """Rules, what they have counted, and the nodes that they leave to a call; `E` is what a node is to who calls."""

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

    def follow(self, endpoints: tuple[E, ...], now: float) -> None:
        """Call these nodes from now on."""
        self._endpoints = self._slow_start.apply(endpoints, now)
        self._renew()
        for service in {service for one in endpoints for service in one.node.services}:
            self._states.keep_nodes(service, {one.node.name for one in endpoints})
        for chain in self._chains.values():
            chain.forget_nodes()
        self._tell_outliers()

    def rule(self, documents: Mapping[str, bytes]) -> Report:
        """Take rules as they were delivered, by id; calls under way keep theirs."""
        report = self._policies.replace(documents)
        self._states.keep(self._policies.ids())
        self._chains = {}
        return report

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
            found.outliers.follow(self._names(method.service))
        return found

    def _tell_outliers(self) -> None:
        for method, chain in self._chains.items():
            if chain.outliers is not None:
                chain.outliers.follow(self._names(method.service))

    def _names(self, service: str) -> list[str]:
        return [one.node.name for one in self._endpoints if service in one.node.services]

    def _renew(self) -> None:
        self._table = self._router.table(self._endpoints, self._table)


class Going(msgspec.Struct, Generic[E], eq=False):
    """One call on its way: one attempt after the other, each on the node that `target` gives. A struct, since those are made in a
    third of the time.
    """

    _chain: Chain
    ticket: Ticket
    _call: Call
    _began: float
    _attempt: int = 0
    _target: E | None = None
    _breaker: Breaker | None = None
    _tried: set[Endpoint] | None = None
    _last: errors.QiantangError | None = None

    def wait(self, now: float) -> float:
        """Give the seconds to wait before the first attempt.

        Raises:
            QiantangError: a rule refuses the call after all.
        """
        if not self._chain.waits:
            return 0.0
        found = self._chain.wait(now, self.ticket, self._call.tags.get("lane", ""))
        if isinstance(found, Refusal):
            raise found.error()
        return found

    def header(self, places: Mapping[str, int], above: CallContext, now: float) -> CallHeader:
        """Make the header of this attempt for a node that has its methods at these places; attempts further up count as well."""
        ticket = self.ticket
        attempt = min(MOST_ATTEMPTS, ticket.inbound + self._attempt - 1)
        left = ticket.deadline - now
        return header_of(self._chain.method, places, above, left=left, attempt=attempt, priority=ticket.priority)

    def target(self, now: float) -> E:
        """Choose the node of the next attempt; `failed` or `end` follows.

        Raises:
            QiantangError: no node may take it.
        """
        chain, call = self._chain, self._call
        endpoints, first = chain.candidates(call), self._tried is None
        chosen = chain.picker.pick(endpoints, call.key, now) if first else self._pick_again(endpoints, {}, now)
        refusal = self._reserve(chosen, now)
        if refusal is not None:
            chosen = self._other(endpoints, {chosen: refusal}, now)
        self._attempt += 1
        self._began = now
        self._target = chosen  # type: ignore[assignment]  # all endpoints are what `follow` was given
        chosen.begin(now)
        return chosen  # type: ignore[return-value]

    def failed(self, error: errors.QiantangError, now: float) -> float:
        """The attempt failed, or none could be made: give the seconds until the next one.

        Raises:
            QiantangError: that error, where it is not tried again.
        """
        if self._target is None:
            raise self._last or error  # no node takes another attempt: what the last one said is what went wrong
        outcome, retries = outcome_of(error), self._chain.retries
        self._finish(now, outcome, is_local=isinstance(error, NodeAwayError))
        self._last = error
        if retries is None:
            raise error
        failure = Failure(outcome, was_processed(error), error.retry_after)
        idempotent = self._chain.method.options.idempotent
        found = retries.decide(now, self.ticket, self._attempt, failure, is_idempotent=idempotent)
        if found.why_not:
            raise error
        return found.after

    def end(self, now: float, error: BaseException | None) -> None:
        """The call has ended, however it did."""
        if error is None:
            outcome = Outcome.OK
        else:
            outcome = outcome_of(error) if isinstance(error, errors.QiantangError) else Outcome.CANCELLED
        self._finish(now, outcome)
        self._chain.leave(now, self.ticket, outcome)

    def _other(self, endpoints: Endpoints, skipped: dict[Endpoint, Refusal], now: float) -> Endpoint:
        """Choose another node than those that refused the call."""
        while len(skipped) < len(endpoints):
            chosen = self._pick_again(endpoints, skipped, now)
            refusal = self._reserve(chosen, now)
            if refusal is None:
                return chosen
            skipped[chosen] = refusal
        raise _all_refused(self._chain.method, skipped)

    def _pick_again(self, endpoints: Endpoints, skipped: Mapping[Endpoint, Refusal], now: float) -> Endpoint:
        tried = self._tried or set()
        chosen = picking.pick_other(self._chain.picker, endpoints, self._call.key, now, tried | skipped.keys())
        if chosen not in skipped:
            return chosen
        # all others were tried before: better one of those again than none
        return next((one for one in endpoints if one not in skipped), chosen)

    def _reserve(self, chosen: Endpoint, now: float) -> Refusal | None:
        """Ask what knows of the node, and last the method's own breaker: a probe is taken only by a call that is sent."""
        chain, name, ticket = self._chain, chosen.node.name, self.ticket
        if chain.outliers is not None and chain.outliers.is_out(name):
            return Refusal("circuit", chain.policy.origins["outlier"], f"{name} does worse than the others", 0.0)
        breaker = chain.node_breaker(name)
        if breaker is not None:
            refusal = breaker.enter(now, ticket)
            if refusal is not None:
                return refusal
            refusal = breaker.reserve(now, ticket)
            if refusal is not None:
                breaker.leave(now, ticket, Outcome.CANCELLED)
                return refusal
        if chain.breaker is not None and not self._attempt:
            refusal = chain.breaker.reserve(now, ticket)
            if refusal is not None:
                if breaker is not None:
                    breaker.leave(now, ticket, Outcome.CANCELLED)
                raise refusal.error()
        self._breaker = breaker
        return None

    def _finish(self, now: float, outcome: Outcome, *, is_local: bool = False) -> None:
        target, breaker = self._target, self._breaker
        if target is None:
            return
        self._target = self._breaker = None
        if outcome is Outcome.CANCELLED:
            target.inflight -= 1
        else:
            is_fault = outcome >= Outcome.OVERLOAD
            took = now - self._began
            # what is refused or fails quickly must not look fast: a node with too much to do would be given more
            target.end(max(took, self.ticket.deadline - self._began) if is_fault else took, now, is_fault=is_fault)
        if breaker is not None:
            breaker.leave(now, self.ticket, outcome)
        if self._chain.outliers is not None:
            self._chain.outliers.leave(now, target.node.name, outcome, is_local=is_local)
        if outcome is not Outcome.OK:
            self._tried = (self._tried or set()) | {target}


def _all_refused(method: MethodDefinition, refused: Mapping[Endpoint, Refusal]) -> errors.QiantangError:
    """Give the error where each node that could take a call is kept from it."""
    some = [f"{one.node.name} ({refusal.why})" for one, refusal in list(refused.items())[:5]]
    more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    soonest = min(refusal.retry_after for refusal in refused.values())
    first = next(iter(refused.values()))
    why = f"no node may take {method.path} now: {', '.join(some)}{more}"
    return Refusal(first.kind, first.rule, why, soonest).error()


def _value(arguments: Any, path: str) -> str:
    value: Any = arguments
    for part in path.split("."):
        value = cast("dict[str, Any]", value).get(part) if isinstance(value, dict) else getattr(value, part, None)
    return "" if value is None else str(value)
