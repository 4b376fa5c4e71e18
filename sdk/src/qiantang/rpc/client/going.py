"""Going: one call on its way: its attempts, each on a node that rules leave, and what each is counted as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar, cast

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call
from qiantang.rpc.client.chain import Chain
from qiantang.rpc.client.exchange import header_of
from qiantang.rpc.errors import GIVEN_UP, NodeAwayError, was_processed
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.retry import Failure
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket, outcome_of
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.wire.headers import MOST_ATTEMPTS, CallHeader

E = TypeVar("E", bound=Endpoint)
NEVER: Final = -1.0
"""Pushback of a call that nobody is to try again."""
_BUSY: Final = Refusal("overload", "", "an attempt of this call is under way there")


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
    _took: float | None = None
    _leg: Ticket | None = None

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
        if self._attempt:
            self._leg = self._another(now)
        chosen = chain.picker.pick(endpoints, call.key, now) if first else self._pick_again(endpoints, {}, now)
        refusal = self._reserve(chosen, now)
        if refusal is not None:
            chosen = self._other(endpoints, {chosen: refusal}, now)
        self._attempt += 1
        self._began = now
        self._target = chosen  # type: ignore[assignment]  # all endpoints are what `follow` was given
        chosen.begin(now)
        return chosen  # type: ignore[return-value]

    def beside(self, others: Sequence[Going[E]], now: float) -> Going[E] | None:
        """Begin another attempt beside this one and others that are under way, on a node that has none of them; None where there is
        no such node. It is counted as an attempt of this call, and ends with `lost`, `take` or `drop`.
        """
        busy = self._busy(others)
        tried = (self._tried or set()) | busy
        leg: Going[E] = Going(self._chain, self.ticket, self._call, now, self._attempt + 1, _tried=tried)
        leg._leg = self._another(now)
        try:
            chosen = leg._other(self._chain.candidates(self._call), dict.fromkeys(busy, _BUSY), now)
        except errors.QiantangError:
            return None
        leg._target = cast("E", chosen)
        chosen.begin(now)
        self._attempt += 1
        return leg

    def has_other(self, others: Sequence[Going[E]]) -> bool:
        """Say whether there is a node that has no attempt of this call."""
        busy = self._busy(others)
        return any(one.weight and one not in busy for one in self._chain.candidates(self._call))

    def _busy(self, others: Sequence[Going[E]]) -> set[Endpoint]:
        return {leg._target for leg in (self, *others) if leg._target is not None}

    @property
    def chosen(self) -> E:
        """The node of the attempt that is under way: between its beginning and its end."""
        return cast("E", self._target)

    @property
    def began(self) -> float:
        """When the attempt began."""
        return self._began

    def lost(self, leg: Going[E], error: errors.QiantangError, now: float) -> None:
        """An attempt failed while others go on."""
        target = leg._target
        leg._finish(now, outcome_of(error), is_local=_is_local(error))
        if target is not None:
            self._tried = (self._tried or set()) | {target}

    def take(self, leg: Going[E], now: float) -> None:
        """The attempt that decides is this one: what was this call's own is given up."""
        if leg is self:
            return
        self.drop(now)
        self._target, self._breaker, self._leg, self._began = leg._target, leg._breaker, leg._leg, leg._began
        leg._target = leg._breaker = None

    def drop(self, now: float) -> None:
        """The attempt is given up: another one decides."""
        self._finish(now, Outcome.CANCELLED)

    def failed(self, error: errors.QiantangError, now: float) -> float:
        """The attempt failed, or none could be made: give the seconds until the next one.

        Raises:
            QiantangError: that error, where it is not tried again.
        """
        if self._target is None:
            raise self._last or error  # no node takes another attempt: what the last one said is what went wrong
        outcome, retries = outcome_of(error), self._chain.retries
        self._finish(now, outcome, is_local=_is_local(error))
        self._last = error
        if retries is None:
            raise error
        pushback = NEVER if error.facts.get(GIVEN_UP) else error.retry_after
        failure = Failure(outcome, was_processed(error), pushback)
        idempotent = self._chain.method.options.idempotent
        found = retries.decide(now, self.ticket, self._attempt, failure, is_idempotent=idempotent)
        if found.gave_up:
            error.facts = {**error.facts, GIVEN_UP: True}
        if found.why_not:
            raise error
        return found.after

    def answered(self, now: float) -> None:
        """The first item of a stream came: what that took is what counts as its time, however long the stream lasts."""
        self._took = now - self._began
        if self._breaker is not None:
            self._breaker.answered(now, self._leg or self.ticket)
        if self._chain.breaker is not None:
            self._chain.breaker.answered(now, self.ticket)

    def end(self, now: float, error: BaseException | None) -> None:
        """The call has ended, however it did."""
        if error is None:
            outcome = Outcome.OK
        else:
            outcome = outcome_of(error) if isinstance(error, errors.QiantangError) else Outcome.CANCELLED
        if self._took is not None:  # a stream: how long it lasts says nothing of how slow anybody is
            self.ticket.begun = now - self._took
            if self._leg is not None:
                self._leg.begun = self.ticket.begun
        self._finish(now, outcome)
        self._chain.leave(now, self.ticket, outcome)

    def _another(self, now: float) -> Ticket:
        """Give the ticket of an attempt after the first: what it takes is counted from its own beginning."""
        ticket = self.ticket
        return Ticket(now, ticket.deadline, ticket.priority, ticket.inbound)

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
        chain, ticket = self._chain, self._leg or self.ticket
        if chain.outliers is not None and chain.outliers.is_out(chosen.key):
            return Refusal("circuit", chain.policy.origins["outlier"], f"{chosen.name} does worse than the others", 0.0)
        if chain.barred and chosen.key in chain.barred:
            return Refusal("circuit", chain.policy.origins["votes"], f"consumers voted {chosen.name} out", 0.0)
        breaker = chain.node_breaker(chosen)
        if breaker is not None:
            refusal = breaker.enter(now, ticket)
            if refusal is not None:
                return refusal
            refusal = breaker.reserve(now, ticket)
            if refusal is not None:
                breaker.leave(now, ticket, Outcome.CANCELLED)
                return refusal
        if chain.breaker is not None and not self._attempt:
            refusal = chain.breaker.reserve(now, self.ticket)
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
            took = now - self._began if self._took is None else self._took
            # what is refused or fails quickly must not look fast: a node with too much to do would be given more
            target.end(max(took, self.ticket.deadline - self._began) if is_fault else took, now, is_fault=is_fault)
        if breaker is not None:
            breaker.leave(now, self._leg or self.ticket, outcome)
        if self._chain.outliers is not None:
            self._chain.outliers.leave(now, target.key, outcome, is_local=is_local)
        if outcome is not Outcome.OK:
            self._tried = (self._tried or set()) | {target}


def _is_local(error: errors.QiantangError) -> bool:
    """Say whether the call never got to its node; what a handler raises of a node that it calls itself did."""
    return isinstance(error, NodeAwayError) and not was_processed(error)


def _all_refused(method: MethodDefinition, refused: Mapping[Endpoint, Refusal]) -> errors.QiantangError:
    """Give the error where each node that could take a call is kept from it."""
    some = [f"{one.name} ({refusal.why})" for one, refusal in list(refused.items())[:5]]
    more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    soonest = min(refusal.retry_after for refusal in refused.values())
    first = next(iter(refused.values()))
    why = f"no node may take {method.path} now: {', '.join(some)}{more}"
    return Refusal(first.kind, first.rule, why, soonest).error()
