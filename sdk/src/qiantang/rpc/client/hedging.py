"""Hedging: a call whose node takes long is asked of another one as well; the first good answer counts, the other is given up."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from qiantang.kernel import errors
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.pool import look_at
from qiantang.rpc.governance.hedge import Hedge
from qiantang.rpc.governance.verdict import Outcome, Ticket, outcome_of

E = TypeVar("E", bound=Endpoint)


class Race(Generic[E]):
    """The attempts of one call that are under way together; `attempt` makes one of them, on the node that was chosen for it.

    A failure waits for the other while there is one. What is given up is cancelled at its node, and counts for nothing there.
    """

    def __init__(self, going: Going[E], hedge: Hedge, attempt: Callable[[Going[E]], Coroutine[Any, Any, Any]]) -> None:
        self._going = going
        self._hedge = hedge
        self._attempt = attempt
        self._legs: dict[asyncio.Task[Any], Going[E]] = {}

    async def run(self) -> Any:
        """Give the result. What the deciding attempt did is left to the call to be counted.

        Raises:
            QiantangError: all failed, of which this was the last.
        """
        now = time.monotonic()
        delay = self._hedge.delay(now)
        self._going.target(now)
        if math.isinf(delay) or self._going.ticket.inbound:
            return await self._alone()
        self._start(self._going)
        try:
            return await self._first(delay)
        finally:
            self._give_up()

    async def _alone(self) -> Any:
        try:
            result = await self._attempt(self._going)
        except errors.QiantangError as error:
            self._measure(self._going, outcome_of(error))
            raise
        self._measure(self._going, Outcome.OK)
        return result

    async def _first(self, delay: float) -> Any:
        wait: float | None = delay
        while True:
            done, _ = await asyncio.wait(self._legs, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not done and not self._ask_another():
                wait = None
            for task in done:
                leg = self._legs.pop(task)
                error = task.exception()
                if error is None or not self._legs or not isinstance(error, errors.QiantangError):
                    return self._decide(leg, task)
                self._going.lost(leg, error, time.monotonic())
                wait = None  # what is asked again now is for a retry to say

    def _ask_another(self) -> bool:
        now, going = time.monotonic(), self._going
        others = [leg for leg in self._legs.values() if leg is not going]
        if not going.has_other(others) or not self._hedge.draw(now, going.ticket, len(self._legs), is_idempotent=True):
            return False
        leg = going.beside(others, now)
        if leg is not None:
            self._start(leg)
        return leg is not None

    def _decide(self, leg: Going[E], task: asyncio.Task[Any]) -> Any:
        error = task.exception()
        if error is None or isinstance(error, errors.QiantangError):
            self._measure(leg, Outcome.OK if error is None else outcome_of(error))
        for other in self._legs.values():
            if other.began < leg.began:
                self._measure(other, Outcome.OK)
        self._going.take(leg, time.monotonic())
        return task.result()

    def _start(self, leg: Going[E]) -> None:
        task = asyncio.create_task(self._attempt(leg), name="attempt")
        task.add_done_callback(look_at)
        self._legs[task] = leg

    def _give_up(self) -> None:
        now = time.monotonic()
        for task, leg in self._legs.items():
            task.cancel()
            if leg is not self._going:
                leg.drop(now)
        self._legs.clear()

    def _measure(self, leg: Going[E], outcome: Outcome) -> None:
        self._hedge.leave(time.monotonic(), Ticket(leg.began, leg.ticket.deadline), outcome)
