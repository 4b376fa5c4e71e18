"""Quota: a rate that all processes keep together. Each draws from the estate's store what it needs for a fifth of a second.

What was drawn and is not used within a second is lost, so that nobody hoards. Where the store cannot be asked, a process goes on at
the rate that it drew lately, at least a tenth of the whole: what it was allowed until then it may still do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.kernel.rate import Rate
from qiantang.messaging.errors import RateLimitedError
from qiantang.messaging.model import RateLimit
from qiantang.messaging.port import Store

log = observe.BoundedLog(logging.getLogger(__name__))

CHUNK_SECONDS: Final = 0.2
HOLD_SECONDS: Final = 1.0
ASK_SECONDS: Final = 1.0
"""A store that has not answered by then is not asked for `AWAY_SECONDS`."""
AWAY_SECONDS: Final = 5.0
LATELY_SECONDS: Final = 10.0
LEAST: Final = 0.1


class QuotaGate:
    """Of one topic and one limit, for this process. Who waits is let through in the order in which he came."""

    def __init__(self, topic: str, limit: RateLimit, store: Callable[[], Store | None]) -> None:
        self._name = f"{topic}|{limit.who}"
        self._topic = topic
        self._chunk = max(1.0, limit.per_second * CHUNK_SECONDS)
        self._rate = Rate(limit.per_second, max(limit.burst, self._chunk))
        self._store = store
        self._turn = asyncio.Lock()
        self._left = 0.0
        self._until = 0.0
        self._away_until = 0.0
        self._drawn: deque[tuple[float, float]] = deque(maxlen=round(LATELY_SECONDS / CHUNK_SECONDS))
        self._paid = 0.0
        self._own: Rate | None = None

    async def pass_(self, count: int, deadline: float) -> None:
        """Wait until so many messages may be sent.

        Raises:
            RateLimitedError: that would be after the deadline.
        """
        clock = asyncio.get_running_loop().time
        ends = clock() + deadline
        async with self._turn:
            if clock() >= self._until:
                self._left = 0.0
            missing = count - self._left
            if missing > 0:
                wait = await self._draw(max(missing, self._chunk), ends - clock())
                await asyncio.sleep(wait)
            self._left -= count

    async def _draw(self, wanted: float, most: float) -> float:
        """Draw from the store, or in its place; give the seconds to wait before it may be used."""
        now = asyncio.get_running_loop().time()
        wait = await self._ask(wanted, most) if now >= self._away_until else None
        if wait is None:
            wait = self._alone(wanted, most)
        else:
            self._drawn.append((now, wanted))  # as many as are drawn in the time that counts, at most
        self._left += wanted
        self._until = now + wait + HOLD_SECONDS
        return wait

    async def _ask(self, wanted: float, most: float) -> float | None:
        """Ask the store; None where it does not answer."""
        store = self._store()
        if store is None:  # the estate changes, and its topics will in a moment
            return None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await store.open()
                wait = await store.draw(self._name, self._rate, wanted, most)
        except (errors.UnavailableError, TimeoutError) as error:
            now = asyncio.get_running_loop().time()
            self._away_until = now + AWAY_SECONDS
            self._own = self._own or Rate(self._lately(now), self._chunk)
            log.failure(self._name, "a shared rate cannot be asked for: this process goes on at its own", error=error)
            return None
        self._own = None
        log.recovered(self._name, "a shared rate can be asked for again")
        if wait > most:
            raise self._refusal(wait)
        return wait

    def _alone(self, wanted: float, most: float) -> float:
        now = asyncio.get_running_loop().time()
        own = self._own or Rate(self._lately(now), self._chunk)
        wait = own.wait(self._paid, now)
        if wait > most:
            raise self._refusal(wait)
        self._paid = own.take(self._paid, now, wanted)
        return wait

    def _lately(self, now: float) -> float:
        """Give the rate at which this process drew lately, within what it may assume."""
        drawn = sum(count for at, count in self._drawn if at >= now - LATELY_SECONDS) / LATELY_SECONDS
        return min(self._rate.per_second, max(drawn, self._rate.per_second * LEAST))

    def _refusal(self, wait: float) -> RateLimitedError:
        return RateLimitedError(
            f"topic {self._topic} takes {self._rate.per_second:g} messages a second from all processes together",
            retry_after=wait,
        )
