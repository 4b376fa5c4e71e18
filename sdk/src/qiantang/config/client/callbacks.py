"""Callbacks: who hears of changes, one run at a time each, the latest state wins, and what went wrong stays known.

Everything here happens on the runtime's loop and waits for nobody's code; the application's code runs elsewhere (see
`runner`). A callback that is behind is not told of every state between: its next run covers all that changed since
the one it knows.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from qiantang.config.client import runner, secrecy
from qiantang.config.client.state import State
from qiantang.kernel import protocol

logger = logging.getLogger(__name__)

MAX_TRACE = 8000


class Failure(msgspec.Struct, frozen=True):
    """A callback that did not take a change in. It stays until a later run of it goes well."""

    callback: str
    error: str
    revision: int
    at: float

    def __str__(self) -> str:
        """Read as `shop.prices.reload at revision 7: ValueError: no such currency`."""
        return f"{self.callback} at revision {self.revision}: {self.error}"


class Registration:
    """One callback: how to see that something changed for it, and how to run it.

    `known` is the state it was told of last, None before the first one, which is no change. `detect` gives what to
    tell it of a newer one, or None; it is not the application's code.
    """

    def __init__(
        self,
        name: str,
        detect: Callable[[State, State], Any],
        start: Callable[[Any], runner.Run],
        limit: float | None,
    ) -> None:
        self.name = name
        self.limit = limit
        self.known: State | None = None
        self.done = 0
        self.overdue = False
        self.failure: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        self._detect = detect
        self.start = start

    def news(self, latest: State) -> Any:
        """Give what to tell of the latest state, or None where nothing changed for it, which makes it known."""
        found = self._detect(self.known, latest) if self.known is not None else None
        if found is None:
            self.known = latest
        return found

    def forked(self) -> None:
        """Forget the parent's run: what it was told there it is told again here."""
        self.task = None
        self.overdue = False


class Callbacks:
    """All callbacks of one client. `caught_up` is called when one that overran knows the latest state after all."""

    def __init__(self, latest: Callable[[], tuple[State, int]]) -> None:
        self.caught_up: Callable[[], None] = _nobody_asks
        self._latest = latest
        self._all: tuple[Registration, ...] = ()
        self._moved: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._all)

    def add(self, registration: Registration) -> None:
        """Add one, from any thread; the caller sees to it that two do not at once."""
        self._all = (*self._all, registration)

    def remove(self, registration: Registration) -> None:
        """Take one out; a run of it is not interrupted."""
        self._all = tuple(one for one in self._all if one is not registration)

    def after_fork(self) -> None:
        """Forget what ran in the parent."""
        self._moved = None
        for one in self._all:
            one.forked()

    @property
    def failures(self) -> list[Failure]:
        """What did not go well and was not made good since."""
        return [one.failure for one in self._all if one.failure is not None]

    def offer(self) -> None:
        """Have all told of the latest state that it concerns; waits for none. On the runtime's loop."""
        state, number = self._latest()
        for one in self._all:
            if one.task is None:
                news = self._look(one, state, number)
                if news is not None:
                    begun = self._begin(one, news)  # in this turn: nothing is waited for before it runs
                    one.task = asyncio.ensure_future(self._follow(one, begun, state, number))

    def _look(self, one: Registration, state: State, number: int) -> Any:
        news = one.news(state)
        if news is None:
            one.done = number
        return news

    async def _follow(self, one: Registration, begun: runner.Run | Exception, state: State, number: int) -> None:
        """Await a run that has begun, and run it again until it knows the latest state."""
        overran = False
        while True:
            overran = await self._tell(one, begun, state) or overran
            one.known, one.done = state, number
            self._progress()
            state, number = self._latest()
            news = self._look(one, state, number)
            if news is None:
                break
            begun = self._begin(one, news)
        one.task = None
        self._progress()
        if overran:
            self.caught_up()  # who waited was told long ago that it overran

    def _begin(self, one: Registration, news: Any) -> runner.Run | Exception:
        """Begin a run; what hinders it is given, to be told as what the run itself raises."""
        try:
            return one.start(news)
        except Exception as error:
            return error

    async def _tell(self, one: Registration, begun: runner.Run | Exception, state: State) -> bool:
        """Await a run to its very end; say whether it overran."""
        run = begun if isinstance(begun, runner.Run) else None
        # the application's: told to the operator, tried again at the next change
        error = begun if isinstance(begun, Exception) else await _error_of(begun, one.limit)
        one.failure = None if error is None else failure(one.name, error, [one.known or state, state])
        if run is None or run.over:
            return False
        one.overdue = True
        self._progress()
        await run.ended()
        one.overdue = False
        return True

    async def settled(self) -> None:
        """Wait until everybody was told of the state that is the latest now, or overran."""
        _, number = self._latest()
        while any(one.done < number and not one.overdue and one.task is not None for one in self._all):
            if self._moved is None or self._moved.is_set():
                self._moved = asyncio.Event()
            await self._moved.wait()

    def _progress(self) -> None:
        if self._moved is not None:
            self._moved.set()

    async def close(self) -> None:
        """Give up what runs."""
        tasks = [one.task for one in self._all if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _error_of(run: runner.Run, limit: float | None) -> Exception | None:
    try:
        await run.result(limit)
    except Exception as error:
        return error
    return None


def _nobody_asks() -> None:
    """Nobody wants to know."""


def failure(name: str, error: Exception, states: Sequence[State]) -> Failure:
    """Log that a callback failed, once, and give what the operator is told; secrets are struck out of both."""
    secrets = {text for state in states for held in state.namespaces.values() for text in secrecy.texts(held.data)}
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    trace = secrecy.strike("".join(traceback.format_exception(error)), secrets)[-MAX_TRACE:]
    revision = states[-1].position.revision
    found = Failure(name, secrecy.strike(text, secrets)[: protocol.MAX_ERROR_LENGTH], revision, time.time())
    logger.error(
        "a callback failed on a change of the configuration",
        extra={
            "callback": name,
            "error": found.error,
            "revision": revision,
            "trace": trace,
        },
    )
    return found
