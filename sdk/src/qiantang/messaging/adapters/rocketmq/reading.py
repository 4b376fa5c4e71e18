"""Reading: takes what comes of one queue while it is held, a bounded part of it ahead of who fetches."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import failing, messages
from qiantang.messaging.adapters.rocketmq.admin import queue_fields
from qiantang.messaging.adapters.rocketmq.connection import ASK_SECONDS, Connection
from qiantang.messaging.adapters.rocketmq.groups import Group
from qiantang.messaging.adapters.rocketmq.routes import Queue
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code, Command
from qiantang.messaging.errors import BrokerAwayError, UndecodableError
from qiantang.messaging.model import Taken
from qiantang.messaging.model.partitions import Partition, Partitions

BATCH: Final = 256
AHEAD: Final = 1000
AHEAD_BYTES: Final = 32 * 1024 * 1024
"""How much of a band is read ahead of who fetches it; then reading rests."""
SUSPEND_SECONDS: Final = 10.0
"""So long a broker waits for something to come before it answers that there is nothing."""
REST_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 0.5
WAITING, WITH_TAGS = 2, 4


class Listener(Protocol):
    """Who hears what becomes of reading."""

    partitions: Partitions
    room: asyncio.Event
    moved: asyncio.Event

    def came(self) -> None:
        """Hear that something was read."""
        ...

    def failed(self, error: errors.QiantangError, /) -> None:
        """Hear that the queue cannot be read, which is tried again."""
        ...


class Reading:
    """Of one hold, until that is lost or given up."""

    def __init__(
        self, group: Group, partition: Partition, queue: Queue, connection: Connection, listener: Listener
    ) -> None:
        self._group = group
        self._partition = partition
        self._queue = queue
        self._connection = connection
        self._listener = listener
        self._task = asyncio.create_task(self._run(), name=f"reading queue {partition.queue} of {group.name}")

    def stop(self) -> None:
        """Read nothing more."""
        self._task.cancel()

    async def end(self) -> None:
        """Read nothing more, and wait until that is so."""
        self._task.cancel()
        await asyncio.wait({self._task})

    # -- inside ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        partition = self._partition
        while not partition.leaving and self._connection.is_opened:
            await self._room()
            try:
                await self._read()
            except errors.QiantangError as error:
                if self._connection.is_opened:  # else whoever holds is told by the connection
                    self._listener.failed(error)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _room(self) -> None:
        """Wait until not too much waits to be fetched."""
        partitions, room = self._listener.partitions, self._listener.room
        while partitions.waiting(self._partition.band) >= AHEAD or partitions.waiting_bytes >= AHEAD_BYTES:
            room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await room.wait()

    async def _read(self) -> None:
        partition = self._partition
        fields = {
            **queue_fields(partition.place[0], self._queue),
            "consumerGroup": self._group.name,
            "queueOffset": str(partition.read),
            "maxMsgNums": str(BATCH),
            "sysFlag": str(WAITING | WITH_TAGS),
            "commitOffset": "0",
            "suspendTimeoutMillis": f"{SUSPEND_SECONDS * 1000:.0f}",
            "subscription": self._group.expression,
            "subVersion": "0",
            "expressionType": "TAG",
        }
        answer = await self._connection.call(Code.PULL, fields, seconds=SUSPEND_SECONDS + ASK_SECONDS)
        code = answer.header.code
        if code == Answer.DONE:
            self._take(answer)
        elif code == Answer.OFFSET_MOVED and int(answer.fields.get("nextBeginOffset", "0")) < partition.read:
            # the broker lost what it had: what is held counts no more
            self._connection.cut()
        elif code not in (Answer.NOTHING_FOUND, Answer.AGAIN, Answer.OFFSET_MOVED):
            raise failing.named(answer, f"reading {self._group.topic}")
        self._skip(answer)

    def _take(self, answer: Command) -> None:
        partition = self._partition
        try:
            stored = messages.stored(self._group.topic, answer.body)
        except UndecodableError as error:
            raise BrokerAwayError(str(error)) from error
        taken = [
            Taken(
                frame=one.frame,
                handle=partition,
                queue=partition.queue,
                position=one.offset,
                hold=partition.hold,
            )
            for one in stored
            if one.offset >= partition.read and self._group.is_wanted(one.frame.tag)
        ]
        if taken:
            self._listener.partitions.come(taken)
            self._listener.came()

    def _skip(self, answer: Command) -> None:
        """Note what the broker left out for its tag: it is done."""
        offset = int(answer.fields.get("nextBeginOffset", "0"))
        if offset > self._partition.read and not self._partition.leaving:
            self._partition.skip(offset)
            self._listener.moved.set()
