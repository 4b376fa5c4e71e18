"""Consuming: gets the hold of a queue: as the exclusive consumer of a lock beside it.

The server gives an exclusive consumer a queue as long as it is there, but does not say so. So beside each queue lies a lock: a
queue into which everybody who wants the hold puts a token. Who gets one is the lock's exclusive consumer, and consumes the queue
itself, exclusively again. It keeps that one token: the server gives it to the next when this one leaves or its connection ends, and
only after that are messages given to the next. Further tokens are taken away.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.activemq import destinations, failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.incoming import Said
from qiantang.messaging.adapters.activemq.talk import Ear, Voice
from qiantang.messaging.adapters.sharing.holdings import Held, Holdings
from qiantang.messaging.adapters.sharing.members import Word
from qiantang.messaging.adapters.sharing.membership import Group
from qiantang.messaging.adapters.sharing.supervising import Supervisor

Lost = Callable[[Held], None]
AGAIN_SECONDS: Final = 5.0
"""After so long another token is put into a lock that was not got: the one before may have been taken away."""
TOKENS: Final = "10"
_TOKEN: Final = {"mf-token": "1"}


@dataclass(slots=True, frozen=True)
class Server:
    """What all members of a broker share. `remake` makes a group's queues anew, at least so many."""

    connections: Supervisor[StompConnection]
    voice: Voice
    remake: Callable[[Group, int], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Lock:
    """A lock that was asked for, or is held: its subscription and, once it is held, that of the queue."""

    connection: StompConnection
    number: int
    id: str
    asked: float
    held: Held | None = None
    queue: str = ""
    token: str = ""
    lost: Callable[[], None] = field(default=lambda: None)


class Consuming:
    """Of one receiver: a `sharing.membership.Place`."""

    def __init__(self, group: Group, server: Server, holdings: Holdings[Held], prefetch: int) -> None:
        self._group = group
        self._server = server
        self._holdings = holdings
        self._prefetch = prefetch
        self._asked: dict[int, Lock] = {}
        self._failure: errors.QiantangError | None = None
        self._ear = Ear(group.topic, group.name)
        self._clock = asyncio.get_running_loop().time

    async def listen(self, hear: Callable[[Word], object]) -> bool:
        return await self._ear.listen(await self._server.connections.get(), hear)

    async def say(self, word: Word) -> None:
        await self._server.voice.say(self._group.topic, self._group.name, word)

    async def remake(self, queues: int) -> None:
        await self._server.remake(self._group, queues)

    async def get(self, missing: Sequence[int], lost: Lost) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        connection = await self._server.connections.get()
        for lock in [one for one in self._asked.values() if not one.connection.is_opened]:
            self._forget(lock)
        unwanted = [one for number, one in self._asked.items() if number not in missing and one.held is None]
        for lock in unwanted:
            await self._leave(lock)
        new = [number for number in missing if number not in self._asked]
        if new:
            await self._ask(connection, new, lost)
        await self._ask_again([one for one in self._asked.values() if one.held is None])

    async def give_up(self, held: Held) -> None:
        lock: Lock = held.channel
        if lock.connection.is_opened:
            await self._leave(lock)
        else:
            self._forget(lock)

    async def deafen(self) -> None:
        await self._ear.close()

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _named(self) -> str:
        return f"{self._group.name} of {self._group.topic}"

    async def _ask(self, connection: StompConnection, numbers: Sequence[int], lost: Lost) -> None:
        """Ask for the locks of queues, each with a token."""
        parts: list[bytes] = []
        receipts: list[str] = []
        for number in numbers:
            where = destinations.lock(self._group.name, self._group.topic, number)
            more = {"ack": "client-individual", "activemq.exclusive": "true", "activemq.prefetchSize": TOKENS}
            lock = Lock(connection, number, "", self._clock())
            deliver = functools.partial(self._token, lock, lost)
            lock.id, headers = connection.subscription(where, deliver, **more)
            lock.lost = functools.partial(self._lost, lock, lost)
            self._asked[number] = lock
            receipt = connection.next()
            receipts.append(receipt)
            parts += (frames.subscribe({**headers, "receipt": receipt}), frames.note(where, _TOKEN))
            connection.when_lost(lock.lost)
        try:
            with failing.naming(f"asking for queues of {self._named}"):
                await connection.ask(b"".join(parts), *receipts)
        except BaseException:
            for lock in [one for number, one in self._asked.items() if number in numbers and one.held is None]:
                self._forget(lock)
                connection.unsubscribe(lock.id)
            raise

    async def _ask_again(self, locks: Sequence[Lock]) -> None:
        now = self._clock()
        for lock in locks:
            if now - lock.asked > AGAIN_SECONDS:
                lock.asked = now
                where = destinations.lock(self._group.name, self._group.topic, lock.number)
                with failing.naming(f"asking again for a queue of {self._named}"):
                    await lock.connection.write(frames.note(where, _TOKEN))

    async def _leave(self, lock: Lock) -> None:
        """Consume a queue no more, and then give its lock back: the order in which the server does it."""
        self._forget(lock)
        connection, receipt = lock.connection, lock.connection.next()
        data = frames.unsubscribe(lock.queue) if lock.queue else b""
        with failing.naming(f"letting a queue of {self._named} go"):
            await connection.ask(data + frames.unsubscribe(lock.id, receipt), receipt)

    def _forget(self, lock: Lock) -> None:
        if self._asked.get(lock.number) is lock:
            del self._asked[lock.number]
        lock.connection.not_when_lost(lock.lost)
        lock.connection.forget(lock.id)
        lock.connection.forget(lock.queue)

    # -- what is heard -----------------------------------------------------------------------------------

    def _token(self, lock: Lock, lost: Lost, said: Said) -> None:
        """Hear that the lock is held: consume the queue."""
        ack = said.headers.get("ack", "")
        if lock.token:
            lock.connection.write_now(frames.acknowledged([ack]))
            return
        lock.token = ack
        held = lock.held = self._holdings.take(lock.number, lock)
        where = destinations.queue(self._group.name, self._group.topic, lock.number)
        more = {
            "ack": "client-individual",
            "activemq.exclusive": "true",
            "activemq.prefetchSize": f"{self._prefetch}",
        }
        lock.queue, headers = lock.connection.subscription(where, functools.partial(self._delivered, held), **more)
        receipt = lock.connection.next()
        lock.connection.expect(receipt, functools.partial(self._subscribed, lock, lost))
        lock.connection.write_now(frames.subscribe({**headers, "receipt": receipt}))
        self._holdings.keep(held)

    def _subscribed(self, lock: Lock, lost: Lost, error: BaseException | None) -> None:
        """Hear whether the queue can be consumed; a lost connection is heard of elsewhere."""
        if isinstance(error, failing.RefusedError) and lock.held is not None:
            self._failure = failing.named(error, f"consuming queue {lock.number} of {self._named}")
            lock.queue = ""
            lost(lock.held)
            self._forget(lock)
            lock.connection.unsubscribe(lock.id)

    def _lost(self, lock: Lock, lost: Lost) -> None:
        """Hear that the connection is lost."""
        if self._asked.get(lock.number) is lock:
            del self._asked[lock.number]
        if lock.held is not None and not lock.held.lost:
            lost(lock.held)

    def _delivered(self, held: Held, said: Said) -> None:
        come(self._holdings, held, self._group.topic, said)


def come(holdings: Holdings[Held], held: Held, topic: str, said: Said) -> None:
    """Take a message that came under a hold."""
    frame = frames.received(topic, said.headers, said.body)
    if not frame.id:
        frame.id = said.headers.get("message-id", "")
    holdings.come(held, said.headers.get("ack", ""), frame)
