"""Listeners: who is asked before a view is swapped in and told afterwards, each in its own task, apart from the network."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from qiantang.kernel import observe
from qiantang.kernel.mirror.view import APPLIED, Listener, MirrorView, Outcome, Prepare, described

logger = logging.getLogger(__name__)
_failures = observe.BoundedLog(logger, first=3, period=300.0)

PREPARE_SECONDS = 10.0
LISTENER_SECONDS = 60.0
_SEVERITY = {"applied": 0, "failed": 1, "rejected": 2}


@dataclass(slots=True, eq=False)
class Subscription:
    """One listener. `seen` is the view it was told of last; `target` the one that waits to be told."""

    capability: str
    listener: Listener
    prepare: Prepare | None
    swapped: Callable[[], None] | None
    seen: MirrorView
    end: Callable[[Subscription], None]
    done: Callable[[str], None]
    target: MirrorView | None = None
    task: asyncio.Task[None] | None = None
    outcome: Outcome = field(default=APPLIED)

    def cancel(self) -> None:
        """Hear no more; a call that runs is not interrupted."""
        self.end(self)

    def report(self, outcome: Outcome) -> None:
        """Say better how taking the view in use went, once that is known; on the runtime's loop."""
        if self.task is None:
            self.outcome = outcome
            self.done(self.capability)


class Listeners:
    """All listeners of a mirror. While one runs, further views wait for it, and only the latest is told.

    `done(capability)` is called whenever a listener has caught up.
    """

    def __init__(self, done: Callable[[str], None]) -> None:
        self._done = done
        self._all: tuple[Subscription, ...] = ()  # replaced, never changed: read without the lock
        self._lock = threading.Lock()

    def subscribe(
        self,
        capability: str,
        listener: Listener,
        prepare: Prepare | None,
        swapped: Callable[[], None] | None,
        seen: MirrorView,
    ) -> Subscription:
        """Add a listener, from any thread."""
        subscription = Subscription(capability, listener, prepare, swapped, seen, self._end, self._done)
        with self._lock:
            self._all = (*self._all, subscription)
        return subscription

    def _end(self, subscription: Subscription) -> None:
        with self._lock:
            self._all = tuple(one for one in self._all if one is not subscription)

    def after_fork(self) -> None:
        """Forget the parent's tasks: what was not told to the end is told again."""
        self._lock = threading.Lock()
        for subscription in self._all:
            subscription.task = None

    def prepare(
        self, capability: str, before: MirrorView, after: MirrorView
    ) -> Generator[Awaitable[Outcome], Outcome, Outcome | None]:
        """Ask all whether the new view may be swapped in; give the first rejection, or None.

        Yields what has to be waited for, and is sent what came of it.
        """
        for subscription in self._all:
            if subscription.capability != capability or subscription.prepare is None:
                continue
            outcome = _answered(functools.partial(subscription.prepare, before, after))
            if not isinstance(outcome, Outcome):
                outcome = yield _bounded(_giving(outcome), PREPARE_SECONDS, "rejected")
            if outcome.status != "applied":
                return msgspec.structs.replace(outcome, status="rejected")
        return None

    def swapped(self, capability: str) -> None:
        """Let those know that were asked: what they agreed to is in use."""
        for subscription in self._all:
            if subscription.capability == capability and subscription.swapped is not None:
                subscription.swapped()

    def tell(self, view: MirrorView) -> None:
        """Have all told of the view that is in use now, except those for whom nothing changed."""
        for subscription in self._all:
            key = view.content_key(subscription.capability)
            if subscription.task is not None:
                subscription.target = view
            elif subscription.seen.content_key(subscription.capability) != key:
                subscription.target = view
                subscription.task = asyncio.ensure_future(self._run(subscription))

    def outcome(self, capability: str) -> Outcome | None:
        """Give how taking the view in use went, or None while somebody is not done with it."""
        worst = APPLIED
        for subscription in self._all:
            if subscription.capability == capability:
                if subscription.task is not None:
                    return None
                worst = max(worst, subscription.outcome, key=_severity)
        return worst

    async def close(self) -> None:
        """End the calls that run."""
        tasks = [one.task for one in self._all if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, subscription: Subscription) -> None:
        capability = subscription.capability
        while (target := subscription.target) is not None:
            subscription.target = None
            if subscription.seen.content_key(capability) != target.content_key(capability):
                call = functools.partial(subscription.listener, subscription.seen, target)
                outcome = await _bounded(call, LISTENER_SECONDS, "failed")
                if outcome.status == "rejected":  # too late: it is in use
                    outcome = msgspec.structs.replace(outcome, status="failed")
                subscription.outcome = outcome
            subscription.seen = target
        subscription.task = None
        self._done(capability)


def _answered(call: Callable[[], Outcome | Awaitable[Outcome | None] | None]) -> Outcome | Awaitable[Outcome | None]:
    """Ask one; give its answer, or what has to be waited for."""
    started = time.perf_counter()
    try:
        found = call()
    except Exception as error:
        return _failed(error, described(error), "rejected", started)
    if inspect.isawaitable(found):
        return found
    return _timed(found or APPLIED, started)


def _giving(waiting: Awaitable[Outcome | None]) -> Callable[[], Awaitable[Outcome | None]]:
    return lambda: waiting


async def _bounded(
    call: Callable[[], Awaitable[Outcome | None]], seconds: float, status: Literal["failed", "rejected"]
) -> Outcome:
    """Await a listener; what it raises, and not coming back in time, becomes an outcome."""
    started = time.perf_counter()
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            outcome = await call() or APPLIED
    except (Exception, asyncio.CancelledError) as error:
        if _being_cancelled():
            raise
        text = f"not done within {seconds:g} s" if timer.expired() else described(error)
        return _failed(error, text, status, started)
    return _timed(outcome, started)


def _failed(error: BaseException, text: str, status: Literal["failed", "rejected"], started: float) -> Outcome:
    _failures.failure(text[:80], "a listener of the mirror failed", error=error)
    return _timed(Outcome(status=status, error=text), started)


def _timed(outcome: Outcome, started: float) -> Outcome:
    took = (time.perf_counter() - started) * 1000
    return outcome if outcome.took_ms else msgspec.structs.replace(outcome, took_ms=took)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _severity(outcome: Outcome) -> tuple[int, float]:
    return (_SEVERITY[outcome.status], outcome.took_ms)
