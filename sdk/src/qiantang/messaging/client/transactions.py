"""Transactions: messages that are sent if, and only if, an application's own database transaction commits.

`bus.tx(session)` writes them to the outbox over the application's connection; nothing is sent then. A relay, in every process whose
estate has the outbox, sends what was committed: the messages of a key in their order, under the ids that they were given.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Unpack

from qiantang.kernel import errors, observe, plugins
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.options import Properties, message_of
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.spool import records
from qiantang.messaging.errors import UnknownTopicError
from qiantang.messaging.model import Estate, Frame, Message, Resource
from qiantang.messaging.port import Kept, Outbox, Relayed, SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

BATCH: Final = 500
LOOK_FIRST, LOOK_LONGEST = 0.02, 0.25
AGAIN_FIRST, AGAIN_LONGEST = 0.2, 5.0
PUT_SECONDS: Final = 10.0
_turns = itertools.count()


class Transaction:
    """Messages of one transaction of the application's. Of the thread or task that has it open."""

    def __init__(self, outbox: Outbox, sender: Sender, connection: Any, now: Callable[[], float]) -> None:
        self._outbox = outbox
        self._sender = sender
        self._connection = connection
        self._now = now

    def send(self, topic: str, body: Any, **properties: Unpack[Properties]) -> Any:
        """Have a message sent when the transaction commits; give its id, to be awaited where the connection is asynchronous.

        Raises:
            UnknownTopicError, SendForbiddenError, InvalidMessageError, UnencodableError, BodyTooLargeError: the message is wrong.
            MisconfiguredError: it is no connection that is known, or has no transaction open.
        """
        message = message_of(topic, body, properties, self._now)
        written = self._write([message])
        return _after(written, message.id) if inspect.isawaitable(written) else message.id

    def send_many(self, messages: Iterable[Message[Any]]) -> Any:
        """Have messages sent when the transaction commits, of whatever topics and brokers; give their ids, as `send` does."""
        some = list(messages)
        written = self._write(some) if some else None
        found = [one.id for one in some]
        return _after(written, found) if inspect.isawaitable(written) else found

    def _write(self, messages: Sequence[Message[Any]]) -> Any:
        rows: list[tuple[int, bytes]] = []
        for message in messages:
            frame = self._sender.framed(message)
            place = zlib.crc32(frame.key.encode()) if frame.key else next(_turns)
            # of a record's fields only the frame counts here: its link is chosen when it is sent
            record = records.Record(link="", slot=records.NO_KEY, maybe_sent=False, frame=frame)
            rows.append((place % self._outbox.slots, records.write(record)))
        return self._outbox.write(self._connection, rows)


async def _after(written: Any, found: Any) -> Any:
    await written
    return found


class Relay:
    """Sends what is in a table, and removes what the brokers have. Of one bus. `bury` makes the dead letter of a message that its
    broker refuses for good; `name` says in the log what it is that is sent.
    """

    def __init__(
        self, relayed: Relayed, sender: Sender, bury: Callable[[Frame, BaseException], Frame], name: str = "outbox"
    ) -> None:
        self._name = name
        self._relayed = relayed
        self._sender = sender
        self._bury = bury
        self._task: asyncio.Task[None] | None = None
        self._opened = False

    def start(self) -> None:
        """Begin; the database need not be there yet."""
        self._task = asyncio.create_task(self._run(), name=f"relay of the {self._name}")

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._opened:
            await self._relayed.close()

    async def _run(self) -> None:
        backoff, look = Backoff(AGAIN_FIRST, AGAIN_LONGEST, spread=0), LOOK_FIRST
        while True:
            try:
                if not self._opened:
                    await self._relayed.open()
                    self._opened = True
                kept = await self._relayed.take(BATCH)
                if kept:
                    await self._relay(kept)
                look = LOOK_FIRST if kept else min(LOOK_LONGEST, look * 1.5)
                backoff.reset()
                log.recovered(self._name, f"what is in the {self._name} is sent again")
            except Exception as error:
                log.failure(self._name, f"what is in the {self._name} cannot be sent yet", error=error)
                await asyncio.sleep(backoff.next())
            else:
                if not kept:
                    await asyncio.sleep(look)

    async def _relay(self, kept: Sequence[Kept]) -> None:
        """Send messages, and remove what the brokers have.

        Raises:
            QiantangError: a broker did not take all of its messages.
        """
        lines: dict[Link, list[tuple[Kept, Frame]]] = {}
        failures: list[errors.QiantangError] = []
        for one in kept:
            frame = self._frame(one)
            if frame is None:
                continue
            try:
                lines.setdefault(self._sender.link_of(frame), []).append((one, frame))
            except UnknownTopicError as error:  # the estate has lost it: it waits until it is there again
                failures.append(error)
        answers = await asyncio.gather(*(self._sent(link, placed) for link, placed in lines.items()))
        await self._relayed.gone([number for gone, _ in answers for number in gone])
        failures += [failure for _, failure in answers if failure is not None]
        if failures:
            raise failures[0]

    async def _sent(
        self, link: Link, placed: Sequence[tuple[Kept, Frame]]
    ) -> tuple[list[int], errors.QiantangError | None]:
        """Send messages to one broker; give the numbers of those that it has, and why it has not all."""
        if link.offline is not None and link.offline.is_switched_off:
            return [], errors.UnavailableError(f"{link.name} is switched off")
        outcomes = await self._put(link, [frame for _, frame in placed])
        gone: list[int] = []
        failure: errors.QiantangError | None = None
        for (one, frame), outcome in zip(placed, outcomes, strict=True):
            if outcome.verdict == "accepted" or (not outcome.may_pass and await self._buried(link, frame, outcome)):
                gone.append(one.number)
            else:
                failure = outcome.error or errors.UnavailableError(f"{link.name} gave no reason")
        return gone, failure

    async def _buried(self, link: Link, frame: Frame, outcome: SendOutcome) -> bool:
        """Send the dead letter of a message that its broker refuses for good; say whether it has that."""
        error = outcome.error or errors.UnavailableError(f"{link.name} gave no reason")
        (answer,) = await self._put(link, [self._bury(frame, error)])
        log.failure(f"{link.name} {self._name}", "a message was refused and is a dead letter", error=error)
        return answer.verdict == "accepted"

    async def _put(self, link: Link, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Have a broker send messages, past its line and its offline store: they are kept where they are until it has them."""
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await link.have({frame.topic for frame in frames})
                return await link.put(frames)
        except TimeoutError:
            late = errors.DeadlineError(f"{link.name} gave no answer within {PUT_SECONDS:g} s")
            return [SendOutcome.unknown(late)] * len(frames)
        except errors.QiantangError as error:
            return [SendOutcome.refused(error)] * len(frames)

    def _frame(self, kept: Kept) -> Frame | None:
        """Read what was written; what was damaged since stays where it is, and is told."""
        for payload in records.split(kept.data):
            return records.read(payload).frame
        damaged = errors.InternalError(f"row {kept.number} of the {self._name} is damaged")
        log.failure(f"{self._name} damage", "a message cannot be read, and is not sent", error=damaged)
        return None


def make_outbox(estate: Estate, member: str) -> Outbox | None:
    """Make the estate's outbox, if it has one; it is not opened.

    Raises:
        MisconfiguredError: what it needs is not installed.
    """
    if estate.outbox is None:
        return None
    make = plugins.load("qiantang.messaging.outboxes", estate.outbox.adapter)
    return make(Resource(name="outbox", url=estate.outbox.url), member)
