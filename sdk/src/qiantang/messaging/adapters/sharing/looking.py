"""Looking: what goes on whatever the application does meanwhile: it looks again and again, and at once when there is news, makes
what was lost anew, and says of what it failed until that is so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff

log = observe.BoundedLog(logging.getLogger(__name__))

AGAIN_FIRST, AGAIN_LONGEST = 0.1, 2.0


class Looking(ABC):
    """Of one event loop. `name` is what it takes part in; `wake` is told of each failure. `joined` is set after the first look."""

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        self.failure: errors.QiantangError | None = None
        self.joined = asyncio.Event()
        self.news = asyncio.Event()
        self._name = name
        self._wake = wake
        self._ending = False

    @abstractmethod
    async def _look(self) -> float:
        """Bring what is so to what should be; give the seconds until the next look without news."""

    @abstractmethod
    async def close(self) -> None:
        """End it."""

    def fail(self, error: errors.QiantangError) -> None:
        """Hear of a failure between two looks; the next one is at once."""
        self.failure = error
        self.news.set()
        self._wake()

    async def _run(self) -> None:
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST)
        while not self._ending:
            self.news.clear()
            wait = 0.0
            try:
                wait = await self._look()
            except errors.QiantangError as error:
                self.failure = error
            except Exception as error:
                log.failure(self._name, "a member of a group failed", error=error)
                self.failure = errors.UnavailableError(f"taking part in {self._name} broke off: {error}")
            else:
                self.failure = None
                backoff.reset()
            self.joined.set()
            if self.failure is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self.news.wait()
            else:
                self._wake()
                await asyncio.sleep(backoff.next())
