"""Standing: an answer of the control plane that a program always has at hand, asked for again before it is out of date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff

T = TypeVar("T")
log: Final = observe.BoundedLog(logging.getLogger(__name__))

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
SPREAD: Final = 0.2
"""Of programs that began together not all ask together."""
NOT_TOLD: Final = "the control plane does not tell what is asked of it: the last answer is used, and it is asked again"


class Standing(Generic[T]):
    """Asks for something, and again `again_in` seconds after it was told. While it is not told the last answer stays.

    Of one event loop, which opens and closes it; `value` may be read from any thread.
    """

    def __init__(
        self,
        what: str,
        ask: Callable[[], Awaitable[T]],
        again_in: Callable[[T], float],
        chance: random.Random | None = None,
    ) -> None:
        self._what = what
        self._ask = ask
        self._again_in = again_in
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, guards nothing
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.value: T | None = None

    async def open(self, within: float) -> None:
        """Begin to ask; returns with the first answer, after so many seconds without one, and asks on."""
        self._task = asyncio.create_task(self._run(), name=self._what)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._told.wait()

    async def close(self) -> None:
        """Ask no more; the last answer stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        pauses = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                self.value = await self._ask()
            except errors.QiantangError as error:
                log.failure(
                    self._what, NOT_TOLD, level=logging.WARNING, extra={"what": self._what, "reason": error.detail}
                )
                await asyncio.sleep(pauses.next())
                continue
            log.recovered(self._what, "the control plane tells it again", extra={"what": self._what})
            pauses.reset()
            self._told.set()
            await asyncio.sleep(self._again_in(self.value) * (1 - SPREAD * self._chance.random()))
