"""Collecting: dead letters on their way from the brokers to the estate's store.

A bus that consumes a group takes part in the group `mf-dead` of that group's dead letters, on each of its brokers, with all
others that consume it. A letter is settled once the store has it, and the store keeps one that comes twice once: so none is
lost, and none doubled. While the store is away a few wait in hand, and the others with their broker. One that a store refuses
that is there goes to `dead.mf-dead` of its broker, whole, and the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.client import dead
from qiantang.messaging.client.consuming import Consumer, Ways
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.working import Failed, Result
from qiantang.messaging.errors import BrokerAwayError, StoreRefusedError
from qiantang.messaging.model import DeadLetter, DeadLetterSettings, Frame, Subscription, Taken, Topic
from qiantang.messaging.port import SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

GROUP: Final = "mf-dead"
BATCH: Final = 100
WRITE_BYTES: Final = 4 * 1024 * 1024
AGAIN_FIRST, AGAIN_LONGEST = 0.1, 5.0
SWEEP_SECONDS: Final = 600.0
CLOSE_SECONDS: Final = 1.0
ASIDE: Final = "qiantang_messaging_dead_put_aside_total"
COLLECTED: Final = "qiantang_messaging_dead_collected_total"
DAY: Final = 86400.0

Home = tuple[Link, str]
"""A broker, and a group whose dead letters are there."""
Put = Callable[[Link, Frame, Topic], Awaitable[SendOutcome]]
"""What sends to a topic of one broker that the estate need not have."""


class Collecting:
    """Of one bus. `settings` are those of its estate: without them nothing is collected. `put` sends what is put aside."""

    def __init__(self, ground: Ground, put: Put) -> None:
        self.settings: DeadLetterSettings | None = None
        self._ground = ground
        self._put = put
        self._consumers: dict[Home, Consumer] = {}
        self._expected: set[Home] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._aside = observe.METER.counter(ASIDE, "dead letters that the estate's store does not take")
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

    # -- bringing letters to the store -------------------------------------------------------------------

    async def bring(self, link: Link, home: Topic, taken: Sequence[Taken]) -> list[Result]:
        """Bring letters to the store, however long that takes; what it does not take lies aside, and keeps no other back."""
        letters = [dead.kept(one.frame) for one in taken]
        refused = await self._kept(letters)
        self._collected.add(len(letters) - len(refused))
        results: list[Result] = [None] * len(letters)
        for place, error in refused.items():
            results[place] = await self._put_aside(link, home, taken[place].frame, error)
        return results

    async def _kept(self, letters: Sequence[DeadLetter]) -> dict[int, StoreRefusedError]:
        """Keep letters, however long the store is away; give those that it does not take."""
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST)
        while True:
            try:
                refused = await self._keep(letters)
            except errors.QiantangError as error:
                log.failure(GROUP, "dead letters cannot be collected: they wait with their broker", error=error)
                await asyncio.sleep(backoff.next())
            else:
                log.recovered(GROUP, "dead letters can be collected again")
                return refused

    async def _keep(self, letters: Sequence[DeadLetter]) -> dict[int, StoreRefusedError]:
        store, settings = self._ground.store, self.settings
        if store is None or settings is None:
            raise BrokerAwayError("the estate has no place for dead letters any more")
        await store.open()
        refused: dict[int, StoreRefusedError] = {}
        first = 0
        for some in _portions(letters):
            found = await store.dead.keep(some, settings.keep_days * DAY, settings.history_days * DAY)
            refused.update({first + place: error for place, error in found.items()})
            first += len(some)
        return refused

    async def _put_aside(self, link: Link, home: Topic, frame: Frame, error: StoreRefusedError) -> Result:
        """Have a letter that the store does not take lie with its broker, whole, in a topic from which nobody collects.

        The store is told that it is there, where it takes that. Only then is the letter settled: nothing is lost.
        """
        aside = dead.topic_of(home, GROUP)
        outcome = await self._sent(link, dead.aside(frame, aside, error), aside)
        if outcome.error is not None:
            return Failed(outcome.error, final=True)  # it waits, as what cannot be buried does
        self._aside.add()
        log.failure(f"{link.name} aside", f"the store refuses a dead letter: it lies in {aside.name}", error=error)
        await self._kept([dead.stub(frame, aside, link.name, error)])
        return None

    async def _sent(self, link: Link, frame: Frame, home: Topic) -> SendOutcome:
        """Send a letter aside, however long its broker is away; give what else became of it."""
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST)
        while True:
            try:
                # the group is what holds it: brokers drop what nobody takes part in, and this is looked at by nobody yet
                await link.ready(home, _subscription(home))
                outcome = await self._put(link, frame, home)
            except errors.QiantangError as error:
                outcome = SendOutcome.refused(error)
            if not outcome.may_pass:
                log.recovered(f"{link.name} put", "dead letters can be put aside again")
                return outcome
            log.failure(f"{link.name} put", "a dead letter cannot be put aside yet", error=outcome.error)
            await asyncio.sleep(backoff.next())

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
            _Collector(self, link, home),
            Ways(join=functools.partial(link.join, home, own, self._ground.member, ()), bury=_never),
            batch=BATCH,
            now=self._ground.now,
        )


class _Collector:
    """What handles the letters of one group at one broker."""

    def __init__(self, collecting: Collecting, link: Link, home: Topic) -> None:
        self._collecting = collecting
        self._link = link
        self._home = home

    async def one(self, taken: Taken) -> Result:
        return (await self.do([taken]))[0]

    async def do(self, taken: Sequence[Taken]) -> list[Result]:
        return await self._collecting.bring(self._link, self._home, taken)


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
