"""Limiting: how fast a process may send to a topic, and that it stops while the topic's groups are too far behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from qiantang.kernel import admission, errors, observe
from qiantang.kernel.rate import Rate
from qiantang.messaging.client.quota import QuotaGate
from qiantang.messaging.errors import BacklogFullError, RateLimitedError
from qiantang.messaging.model import BacklogLimit, RateLimit, Topic
from qiantang.messaging.port import Lag, Store

log = observe.BoundedLog(logging.getLogger(__name__))
LOOK_SECONDS: Final = 1.0


class RateGate:
    """Of one topic, for this process. Who waits is let through in the order in which he came."""

    def __init__(self, topic: str, limit: RateLimit) -> None:
        self._topic = topic
        self._rate = Rate(limit.per_second, limit.burst)
        self._paid = 0.0
        self._turn = asyncio.Lock()

    async def pass_(self, count: int, deadline: float) -> None:
        """Wait until so many messages may be sent.

        Raises:
            RateLimitedError: that would be after the deadline.
        """
        clock = asyncio.get_running_loop().time
        ends = clock() + deadline
        async with self._turn:
            wait = self._rate.wait(self._paid, clock())
            if clock() + wait > ends:
                raise RateLimitedError(
                    f"topic {self._topic} takes {self._rate.per_second:g} messages a second from a process",
                    retry_after=wait,
                )
            if wait:
                await asyncio.sleep(wait)
            self._paid = self._rate.take(self._paid, clock(), count)


def limit_of(topic: Topic, center: str, application: str) -> RateLimit | None:
    """Give the limit of a sender: the one that names its application, else its center, else the one for all."""
    by_name = {one.who: one for one in topic.limits}
    return next((by_name[name] for name in (*admission.names_of(center, application), "") if name in by_name), None)


class BacklogGate:
    """Of one topic on one broker: closed while its groups have too much unfinished there. `lag` asks the broker."""

    def __init__(self, link: str, topic: str, limit: BacklogLimit, lag: Callable[[str], Awaitable[Lag]]) -> None:
        self._link = link
        self._topic = topic
        self._limit = limit
        self._lag = lag
        self._looking: asyncio.Task[None] | None = None
        self._used = False
        self.is_closed = False

    def use(self) -> None:
        """Something is to be sent: have it looked at from now on, for as long as something is."""
        self._used = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name=f"backlog of {self._topic} at {self._link}")

    def error(self) -> BacklogFullError:
        """Give the error of who sends meanwhile."""
        said = (
            f"the groups of topic {self._topic} have more than {self._limit.most} messages unfinished at {self._link}"
        )
        return BacklogFullError(said, retry_after=LOOK_SECONDS)

    def judge(self, messages: int) -> None:
        """Close or open, as so many unfinished messages have it. Between the two bounds it stays as it is."""
        if messages > self._limit.most:
            self.is_closed = True
        elif messages <= self._limit.most * self._limit.resume:
            self.is_closed = False

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        name = f"backlog of {self._topic} at {self._link}"
        while self._used or self.is_closed:
            self._used = False
            try:
                lags: Sequence[Lag] = [await self._lag(group) for group in self._limit.groups]
                self.judge(max(one.messages for one in lags))
                log.recovered(name, "a backlog can be asked for again")
            except errors.QiantangError as error:  # a broker that does not answer is not closed for that
                self.is_closed = False
                log.failure(name, "a backlog cannot be asked for", error=error)
            await asyncio.sleep(LOOK_SECONDS)


class Gates:
    """Of one bus: what a frame passes before its line. `store` gives where rates are that processes share."""

    def __init__(self, center: str, application: str, store: Callable[[], Store | None] = lambda: None) -> None:
        self._center = center
        self._application = application
        self._store = store
        self._rates: dict[str, RateGate | QuotaGate | None] = {}
        self._backlogs: dict[tuple[str, str], BacklogGate] = {}

    def rate(self, topic: Topic) -> RateGate | QuotaGate | None:
        """Give the gate of a topic, None where nothing limits it."""
        if topic.name not in self._rates:
            limit = limit_of(topic, self._center, self._application)
            self._rates[topic.name] = self._gate(topic.name, limit) if limit is not None else None
        return self._rates[topic.name]

    def _gate(self, topic: str, limit: RateLimit) -> RateGate | QuotaGate:
        return QuotaGate(topic, limit, self._store) if limit.shared else RateGate(topic, limit)

    def backlog(self, link: str, topic: Topic, lag: Callable[[str], Awaitable[Lag]]) -> BacklogGate | None:
        """Give the gate of a topic on a broker, which is used from now on; None where nothing limits it."""
        if topic.backlog is None:
            return None
        gate = self._backlogs.get((link, topic.name))
        if gate is None:
            gate = self._backlogs[link, topic.name] = BacklogGate(link, topic.name, topic.backlog, lag)
        gate.use()
        return gate

    async def change(self, before: Mapping[str, Topic], after: Mapping[str, Topic]) -> None:
        """Have the topics as they are now: what limits one that is unchanged goes on."""
        changed = {name for name, topic in before.items() if topic != after.get(name)}
        self._rates = {name: gate for name, gate in self._rates.items() if gate is not None and name not in changed}
        for place in [one for one in self._backlogs if one[1] in changed]:
            await self._backlogs.pop(place).close()

    async def close(self) -> None:
        """End what looks."""
        for gate in self._backlogs.values():
            await gate.close()
