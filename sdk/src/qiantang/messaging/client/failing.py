"""Failing: failed sends and handlings on their way to the estate's store, behind what they are told of.

They wait in memory, bounded; where the store is away for longer, the oldest are dropped and counted. Nobody waits for them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from qiantang.kernel import errors, observe
from qiantang.messaging.client import dead
from qiantang.messaging.client.working import Failed
from qiantang.messaging.model import Failure, FailureLog, Frame, Message, Sent, Subscription, Taken, envelope, failure
from qiantang.messaging.model.estate import FailureKind
from qiantang.messaging.port import Store

log = observe.BoundedLog(logging.getLogger(__name__))

MOST: Final = 2000
MOST_BYTES: Final = 16 * 1024 * 1024
BATCH: Final = 200
WRITE_SECONDS: Final = 0.2
AGAIN_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 2.0
DROPPED: Final = "qiantang_messaging_failures_dropped_total"


class Failures:
    """Of one bus. `center` and `application` are where it runs, `member` is its name."""

    def __init__(self, center: str, application: str, member: str, now: Callable[[], float]) -> None:
        self._center = center
        self._application = application
        self._member = member
        self._now = now
        self._settings: FailureLog | None = None
        self._store: Store | None = None
        self._kinds: dict[tuple[str, str], frozenset[FailureKind]] = {}
        self._waiting: deque[Failure] = deque()
        self._bytes = 0
        self._guard = threading.Lock()
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._dropped = observe.METER.counter(DROPPED, "failures that were not written down since their store was away")

    async def change(self, settings: FailureLog | None, store: Store | None) -> None:
        """Write down what these settings say, in this store, from now on."""
        if settings == self._settings and store is self._store:
            return
        await self.close()
        self._settings, self._store, self._kinds = settings, store, {}
        if settings is not None and store is not None:
            self._writer = asyncio.create_task(self._write_on(store, settings), name="failures to be written down")

    async def close(self) -> None:
        """Write down what waits, in the time that there is for it, and end."""
        writer, self._writer = self._writer, None
        if writer is None or self._store is None or self._settings is None:
            return
        try:
            # what is being written is written to its end: cut off, it may be there, and would be written once more
            async with asyncio.timeout(CLOSE_SECONDS), self._turn:
                writer.cancel()
                await asyncio.wait({writer})
                while self._waiting:
                    await self._write(self._store, self._settings)
        except (errors.QiantangError, TimeoutError):
            pass
        finally:
            writer.cancel()
        await asyncio.wait({writer})

    # -- what failed -------------------------------------------------------------------------------------

    def sent(self, message: Message[Any], sent: Sent, frame: Frame | None) -> None:
        """Note a send that was not taken; from any thread. Without a frame it was wrong before it could be written."""
        if self._settings is None or not self._notes("send", message.topic, self._center):
            return
        said, _ = dead.told(sent.error)
        self._add(
            Failure(
                kind="send",
                outcome="unknown" if sent.outcome == "unknown" else "refused",
                at=self._now(),
                topic=message.topic,
                id=message.id,
                key=message.key,
                tag=message.tag,
                center=self._center,
                application=self._application,
                member=self._member,
                code=_code(sent.error),
                error=said,
                frame=frame if self._settings.bodies else None,
            )
        )

    def handled(self, subscription: Subscription, taken: Taken, result: Failed, is_dead: bool) -> None:
        """Note that a message was not handled."""
        if self._settings is None:
            return
        said = envelope.read(taken.frame).envelope
        center = said.sender.partition("/")[0]
        if not self._notes("consume", taken.frame.topic, center):
            return
        text, stack = dead.told(result.error)
        self._add(
            Failure(
                kind="consume",
                outcome="dead" if is_dead else "again",
                at=self._now(),
                topic=taken.frame.topic,
                group=subscription.group,
                id=said.id,
                key=said.key,
                tag=said.tag,
                center=center,
                application=self._application,
                member=self._member,
                attempt=taken.attempt,
                code=_code(result.error),
                error=text,
                stack=stack,
            )
        )

    # -- inside ------------------------------------------------------------------------------------------

    def _notes(self, kind: FailureKind, topic: str, center: str) -> bool:
        kinds = self._kinds.get((topic, center))
        if kinds is None:
            rules = self._settings.rules if self._settings is not None else ()
            kinds = failure.kinds_of(rules, topic, center)
            if len(self._kinds) < MOST:  # who sent says so himself: there is no end of names
                self._kinds[topic, center] = kinds
        return kind in kinds

    def _add(self, one: Failure) -> None:
        with self._guard:
            self._waiting.append(one)
            self._bytes += one.size
            while len(self._waiting) > MOST or (self._bytes > MOST_BYTES and len(self._waiting) > 1):
                self._bytes -= self._waiting.popleft().size
                self._dropped.add(1)

    async def _write_on(self, store: Store, settings: FailureLog) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                while self._waiting:
                    async with self._turn:
                        await self._write(store, settings)
                    log.recovered("failures", "failures can be written down again")
            except errors.QiantangError as error:
                log.failure("failures", "failures cannot be written down and wait in memory", error=error)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception as error:  # the store does not take them as they are: those that come later go on
                log.failure("failures", "failures cannot be written down and are dropped", error=error)
                self._dropped.add(self._remove(self._batch()))

    async def _write(self, store: Store, settings: FailureLog) -> None:
        batch = self._batch()
        await store.open()
        await store.note(batch, settings.keep_days * 86400)
        self._remove(batch)

    def _batch(self) -> list[Failure]:
        with self._guard:
            return list(itertools.islice(self._waiting, BATCH))

    def _remove(self, batch: Sequence[Failure]) -> int:
        """Take away what was written; some of it may have been dropped meanwhile. Say how many there were."""
        with self._guard:
            gone, count = {id(one) for one in batch}, len(self._waiting)
            while self._waiting and id(self._waiting[0]) in gone:
                self._bytes -= self._waiting.popleft().size
            return count - len(self._waiting)


def _code(error: Any) -> str:
    return error.code if isinstance(error, errors.QiantangError) else ""
