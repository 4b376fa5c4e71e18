"""Collecting: dead letters on their way from the brokers to the estate's store.

A bus that consumes a group takes part in the group `mf-dead` of that group's dead letters, on each of its brokers, with all
others that consume it. A letter is settled once the store has it, and the store keeps one that comes twice once: so none is
lost, and none doubled. While the store is away a few wait in hand, and the others with their broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.client import dead
from qiantang.messaging.client.consuming import Consumer, Ways
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.working import Result
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import DeadLetter, DeadLetterSettings, Frame, Subscription, Taken, Topic
from qiantang.messaging.port import SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

GROUP: Final = "mf-dead"
BATCH: Final = 100
WRITE_BYTES: Final = 4 * 1024 * 1024
AGAIN_FIRST, AGAIN_LONGEST = 0.1, 5.0
SWEEP_SECONDS: Final = 600.0
CLOSE_SECONDS: Final = 1.0
COLLECTED: Final = "qiantang_messaging_dead_collected_total"
DAY: Final = 86400.0

Home = tuple[Link, str]
"""A broker, and a group whose dead letters are there."""


class Collecting:
    """Of one bus. `settings` are those of its estate: without them nothing is collected."""

    def __init__(self, ground: Ground) -> None:
        self.settings: DeadLetterSettings | None = None
        self._ground = ground
        self._consumers: dict[Home, Consumer] = {}
        self._expected: set[Home] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._collected = observe.METER.counter(COLLECTED, "dead letters that were brought to the estate's store")

    @property
    def is_on(self) -> bool:
        """Whether dead letters are collected."""
        return self.settings is not None and self.settings.collect

    def start(self, homes: Mapping[Home, Topic]) -> None:
        """Collect what dies in these groups, of topics such as these, where that is not done yet."""
        for (link, group), topic in homes.items() if self.is_on else ():
            if (link, group) not in self._consumers:
                consumer = self._consumers[link, group] = self._consumer(link, dead.topic_of(topic, group))
                consumer.start()
        if self._consumers and self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="old dead letters")

    async def end(self, staying: Collection[Home] = ()) -> None:
        """Collect no more but in these; what is in hand and not in the store comes again to others."""
        staying = staying if self.is_on else ()
        ending = [self._consumers.pop(home) for home in list(self._consumers) if home not in staying]
        self._expected.intersection_update(staying)
        await asyncio.gather(*(one.close(CLOSE_SECONDS) for one in ending))
        sweeper = self._sweeper
        if not self._consumers and sweeper is not None:
            self._sweeper = None
            sweeper.cancel()
            await asyncio.wait({sweeper})

    async def expect(self, link: Link, group: str, home: Topic) -> errors.QiantangError | None:
        """Have what will be sent to a topic of dead letters come to who collects it, from the first one on; say why not."""
        if not self.is_on or link.is_away or (link, group) in self._expected:
            return None
        try:
            await link.ready(home, _subscription(home))
        except errors.QiantangError as error:
            kept = link.offline is not None and isinstance(error, errors.UnavailableError)
            return None if kept else error
        self._expected.add((link, group))
        return None

    # -- what a consumer asks of its work ----------------------------------------------------------------

    async def one(self, taken: Taken) -> Result:
        """Bring a letter to the store."""
        return (await self.do([taken]))[0]

    async def do(self, taken: Sequence[Taken]) -> list[Result]:
        """Bring letters to the store, however long that takes."""
        letters = [dead.kept(one.frame) for one in taken]
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST)
        while True:
            try:
                await self._keep(letters)
            except errors.QiantangError as error:
                log.failure(GROUP, "dead letters cannot be collected: they wait with their broker", error=error)
                await asyncio.sleep(backoff.next())
            else:
                log.recovered(GROUP, "dead letters can be collected again")
                self._collected.add(len(letters))
                return [None] * len(letters)

    async def _keep(self, letters: Sequence[DeadLetter]) -> None:
        store, settings = self._ground.store, self.settings
        if store is None or settings is None:
            raise BrokerAwayError("the estate has no place for dead letters any more")
        await store.open()
        for some in _portions(letters):
            await store.dead.keep(some, settings.keep_days * DAY, settings.history_days * DAY)

    async def _sweep(self) -> None:
        """Have what is old removed, also where nothing dies."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with contextlib.suppress(errors.QiantangError):  # then at the next turn, or by another process
                await self._keep([])

    def _consumer(self, link: Link, home: Topic) -> Consumer:
        own = _subscription(home)
        return Consumer(
            link.name,
            lambda: link.broker.capabilities,
            own,
            self,
            Ways(join=functools.partial(link.join, home, own, self._ground.member, ()), bury=_never),
            batch=BATCH,
            now=self._ground.now,
        )


def _subscription(home: Topic) -> Subscription:
    return Subscription(group=GROUP, topic=home.name, concurrency=1)


def _portions(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Part letters into what a database takes in one statement; none are one empty part."""
    some: list[DeadLetter] = []
    size = 0
    for one in letters:
        more = one.frame.size if one.frame is not None else 0
        if some and size + more > WRITE_BYTES:
            yield some
            some, size = [], 0
        some.append(one)
        size += more
    yield some


async def _never(_frame: Frame) -> SendOutcome:
    """A letter is collected or waits; it does not die again."""
    return SendOutcome(verdict="refused")
