"""Offline: the way to one broker that is not always there. What it does not take is kept on disk until it is back.

Stands between a line and its broker. While the broker answers, messages go straight to it. When it does not, it is taken to be
away: all messages go to the store at once, nobody waits for it, and every little while one small batch tries whether it is back.
What waits in the store goes out in its order, and what is new of a key goes behind what waits of it. Messages without a key that
another broker can take are left to that one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, Protocol

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.client.spool import Record, Slots, Spool, records, slot_of
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import Crashed, Moved, SendOutcome

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)

ANSWER_SECONDS: Final = 5.0
"""A broker that has not answered a batch by then is taken to be away."""
PROBE: Final = 20
BATCH: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
AGAIN_FIRST, AGAIN_LONGEST = 0.2, 5.0
SHELTERED_SECONDS: Final = 0.2
SHELTERED_MOST: Final = 1_000_000
"""What one process may have in a shelter; what comes after stays on disk, which is bounded by itself."""


class Way(Protocol):
    """What there is behind."""

    @property
    def name(self) -> str:
        """Of the link: "cluster/resource"."""
        ...

    async def put(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Have the broker send frames."""
        ...

    async def have(self, topics: Collection[str]) -> None:
        """Connect where needed, and have the topics on the broker; without any, find out whether it is there."""
        ...


class Shelter(NamedTuple):
    """Where what was kept on disk moves to, once its broker is away for so many seconds. A relay sends it from there."""

    crashed: Crashed
    after: float
    members: frozenset[str] = frozenset()
    """Of whom something was there when this process began: that goes out before anything of its own."""


class Offline:
    """Of one link. `bury` gives the dead letter of a message that its broker will never take. Spools are drained in their order,
    this process's own is the last; `emptied` is told of another's that has nothing left. With a shelter, what waits for long moves
    there, and goes out of it before what waits here.
    """

    def __init__(
        self,
        way: Way,
        slots: Slots,
        spools: Sequence[Spool],
        bury: Callable[[Frame, BaseException], Frame],
        emptied: Callable[[Spool], None] = lambda _spool: None,
        *,
        shelter: Shelter | None = None,
    ) -> None:
        self._shelter = shelter
        self._sheltered = (
            {*shelter.members, *(one.member for one in spools[:-1])} if shelter is not None else set[str]()
        )
        self._away_since = 0.0
        self._way = way
        self._slots = slots
        self._spools = list(spools)
        self._bury = bury
        self._emptied = emptied
        self.others: Callable[[Frame], bool] = lambda _frame: False
        """Whether another broker can take a message."""
        self._drainer: asyncio.Task[None] | None = None
        self._switched_on = asyncio.Event()
        self._switched_on.set()
        self._closed = False

    @property
    def is_away(self) -> bool:
        """Whether the broker is taken to be away."""
        return self._slots.is_away

    @property
    def pending(self) -> int:
        """How many messages wait in the store."""
        return self._slots.total

    def start(self) -> None:
        """Send what an earlier process left."""
        if self._shelter is not None and self._shelter.members:
            self._slots.go_away()
            self._away_since = time.monotonic()
        if self._slots.total or self._slots.is_away:
            self._begin()

    def adopt(self, spool: Spool) -> None:
        """Send what another process left that has died."""
        self._spools.insert(len(self._spools) - 1, spool)
        if self._shelter is not None:
            self._sheltered.add(spool.member)
        self._begin()

    def switch(self, *, on: bool) -> None:
        """Keep everything on disk until it is switched on again."""
        if on:
            self._switched_on.set()
        else:
            self._switched_on.clear()
            self._slots.go_away()
        self._begin()

    @property
    def is_switched_off(self) -> bool:
        """Whether nothing is to be sent to the broker until it is switched on again."""
        return not self._switched_on.is_set()

    def go_away(self, error: BaseException | None) -> None:
        """Take the broker to be away."""
        if not self._slots.is_away:
            self._away_since = time.monotonic()
            self._slots.go_away()
            log.failure(f"{self._way.name} offline", "a broker is away: messages are kept on disk", error=error)
        self._begin()

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send frames, or keep them. Called by one line, one batch after the other: that is what keeps them in order."""
        if not self._slots.is_away and not self._slots.total:
            outcomes = await self._attempt(frames)
            if all(one.verdict == "accepted" for one in outcomes):
                return outcomes
            return await self._keep(frames, dict(enumerate(outcomes)))
        straight = [
            place for place, one in enumerate(frames) if not self._slots.must_spool(one.topic, slot_of(one.key))
        ]
        answers = await self._attempt([frames[place] for place in straight]) if straight else ()
        return await self._keep(frames, dict(zip(straight, answers, strict=True)))

    async def close(self) -> None:
        """Stop sending what waits: it stays on disk, for the next process."""
        self._closed = True
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait({self._drainer})
        for spool in self._spools:
            await spool.close()

    # -- sending and keeping -----------------------------------------------------------------------------

    async def _attempt(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Have the broker send frames; what is not answered in time is unknown, and the broker away."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                outcomes = await self._way.put(frames)
        except TimeoutError:
            late = OutcomeUnknownError(f"{self._way.name} gave no answer within {ANSWER_SECONDS:g} s")
            outcomes = [SendOutcome.unknown(late)] * len(frames)
        failed = next((one for one in outcomes if one.may_pass), None)
        if failed is not None and not self._closed:
            self.go_away(failed.error)
        return outcomes

    async def _keep(self, frames: Sequence[Frame], answers: dict[int, SendOutcome]) -> Sequence[SendOutcome]:
        """Keep what the broker was not asked for, and what it did not take; give what became of each."""
        kept = [place for place, frame in enumerate(frames) if self._is_kept(frame, answers.get(place))]
        outcomes = dict(answers)
        if kept:
            maybe = [place in answers and answers[place].verdict == "unknown" for place in kept]
            try:
                await self._spools[-1].append([frames[place] for place in kept], maybe_sent=maybe)
            except errors.QiantangError as error:
                outcomes.update({place: _unkept(answers.get(place), error) for place in kept})
            else:
                outcomes.update(dict.fromkeys(kept, SendOutcome(verdict="spooled")))
                self._begin()
        return [outcomes[place] for place in range(len(frames))]

    def _is_kept(self, frame: Frame, answer: SendOutcome | None) -> bool:
        if answer is None:
            return True
        elsewhere = not frame.key and answer.verdict == "refused" and self.others(frame)
        return answer.may_pass and not elsewhere

    # -- draining ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._closed and (self._drainer is None or self._drainer.done()):
            self._drainer = asyncio.create_task(self._drain(), name=f"resend to {self._way.name}")

    async def _drain(self) -> None:
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST, spread=0.25)
        while self._slots.is_away or self._slots.total or len(self._spools) > 1:
            await self._switched_on.wait()
            try:
                await self._step()
                backoff.reset()
            except Exception as error:
                self.go_away(error)
                log.failure(f"{self._way.name} resend", "what is kept on disk cannot be sent yet", error=error)
                await self._move()
                await asyncio.sleep(backoff.next())

    async def _step(self) -> None:
        """Send one batch of the first spool that has any, or find out that the broker is back.

        Raises:
            QiantangError: it is not.
        """
        if await self._waits_for_sheltered():
            return
        spool = self._spools[0]
        found = await spool.take(PROBE if self._slots.is_away else BATCH, BATCH_BYTES)
        if found:
            await self._resend(spool, found)
        elif spool is not self._spools[-1]:
            self._spools.remove(spool)  # another may have been adopted before it meanwhile
            self._emptied(spool)
        elif self._slots.is_away:
            await self._have(())
            self._come_back()
        else:
            await asyncio.sleep(0.01)  # what is counted is being written

    async def _waits_for_sheltered(self) -> bool:
        """Say whether something of what is in the shelter has to go out first. Nothing more moves there once the broker is back, so
        that this comes to an end.

        Raises:
            QiantangError: the broker, or the shelter, is away.
        """
        if self._shelter is None or not self._sheltered:
            return False
        if not await self._shelter.crashed.left(self._sheltered):
            self._sheltered.clear()
            return False
        await self._have(())
        await asyncio.sleep(SHELTERED_SECONDS)
        return True

    async def _move(self) -> None:
        """Move what is kept on disk to the shelter, if its broker is away for long enough."""
        shelter = self._shelter
        if shelter is None or time.monotonic() - self._away_since < shelter.after:
            return
        try:
            for spool in list(self._spools):
                while self._slots.is_away and (found := await spool.take(BATCH, BATCH_BYTES)):
                    if await shelter.crashed.left({spool.member}) >= SHELTERED_MOST:
                        return
                    self._sheltered.add(spool.member)
                    await shelter.crashed.put([_moved(one, spool.member) for one in found])
                    await spool.done(len(found))
        except errors.QiantangError as error:
            log.failure(f"{self._way.name} shelter", "what is kept on disk cannot move to the store", error=error)
        else:
            log.recovered(f"{self._way.name} shelter", "what is kept on disk moves to the store again")

    async def _resend(self, spool: Spool, found: Sequence[Record]) -> None:
        await self._have({one.frame.topic for one in found})
        frames = [one.frame for one in found]
        outcomes = await self._way_put(frames)
        done = 0
        for frame, outcome in zip(frames, outcomes, strict=True):
            if outcome.verdict != "accepted":
                if outcome.may_pass:
                    break
                await self._buried(frame, outcome)
            done += 1
        await spool.done(done)
        if done < len(found):
            raise outcomes[done].error or BrokerAwayError(f"{self._way.name} gave no reason")
        self._come_back()

    async def _buried(self, frame: Frame, outcome: SendOutcome) -> None:
        """Send the dead letter of a message that its broker refuses for good, so that others can go on."""
        error = outcome.error or BrokerAwayError(f"{self._way.name} gave no reason")
        letter = self._bury(frame, error)
        await self._have({letter.topic})
        (answer,) = await self._way_put([letter])
        if answer.verdict != "accepted":
            raise answer.error or BrokerAwayError(f"{self._way.name} does not take the dead letter of {frame.id}")
        log.failure(f"{self._way.name} refused", "a kept message was refused and is a dead letter", error=error)

    async def _have(self, topics: Collection[str]) -> None:
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            await self._way.have(topics)

    async def _way_put(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._way.put(frames)

    def _come_back(self) -> None:
        if self._slots.is_away and self._switched_on.is_set():
            self._slots.come_back()
            log.recovered(f"{self._way.name} offline", "a broker is back")
            log.recovered(f"{self._way.name} resend", "what was kept on disk is sent")


def _unkept(answer: SendOutcome | None, error: errors.QiantangError) -> SendOutcome:
    """Say what became of a message that was not kept, and that its broker did not take before: both are needed at night."""
    if answer is None:
        return SendOutcome.refused(error)
    said = answer.error.detail if answer.error is not None else "it gave no reason"
    if answer.verdict == "unknown":
        return SendOutcome.unknown(OutcomeUnknownError(f"{said}; nor could it be kept on disk: {error.detail}"))
    return SendOutcome.refused(type(error)(f"{error.detail}; its broker had not taken it before: {said}"))


def _moved(record: Record, member: str) -> Moved:
    frame = record.frame
    return Moved(record.slot, records.write(record), member, frame.topic, frame.id)
