"""Holds: the queues that one member holds: getting them, keeping them, saying up to where they are done, and giving them up.

A hold of a queue is the lock of it that a broker gives to one member of a group. Here it ends with the connection, or when it could
not be renewed in time; the lock itself outlives both, and is given back later, or taken back by others where its member is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import talk
from qiantang.messaging.adapters.rocketmq.address import Host
from qiantang.messaging.adapters.rocketmq.connection import Connection
from qiantang.messaging.adapters.rocketmq.groups import Group
from qiantang.messaging.adapters.rocketmq.reading import Reading
from qiantang.messaging.adapters.rocketmq.routes import Queue
from qiantang.messaging.model.partitions import Partition, Partitions, Place

RENEW_SECONDS = 10.0
LAPSE_SECONDS = 40.0
"""So long after it was renewed last a hold is no longer believed in; the brokers give it to another after 60 s."""
DRAIN_SECONDS = 5.0
"""So long a queue that belongs to another by now waits for what is in hand of it."""
COMMIT_SECONDS: Final = 0.02
SAY_AGAIN_SECONDS: Final = 1.0

Wanted = Mapping[Place, tuple[str, Queue]]
"""Queues that are to be held, each with its band and where it is."""


@dataclass(slots=True, eq=False)
class Hold:
    """A queue that is held: on which connection, and who reads it. Of one that is leaving is noted since when."""

    partition: Partition
    queue: Queue
    connection: Connection
    reading: Reading
    leaving: float = 0.0


class Holds:
    """Of one receiver. `news` is called when something is lost or can be given up, `wake` when there is something to look at,
    `failed` when a queue cannot be read.
    """

    def __init__(
        self,
        group: Group,
        client: talk.Client,
        partitions: Partitions,
        *,
        news: Callable[[], None],
        wake: Callable[[], None],
        failed: Callable[[errors.QiantangError], None],
    ) -> None:
        self.partitions = partitions
        self.moved = asyncio.Event()
        self.room = asyncio.Event()
        self.came = wake
        self.failed = failed
        self._group = group
        self._client = client
        self._news = news
        self._held: dict[Place, Hold] = {}
        self._locked: dict[Place, Queue] = {}
        """What was asked for and not given back: the lock may be this member's though the queue is not held."""
        self._renewed: dict[Host, float] = {}
        self._committing = asyncio.create_task(self._commit_on(), name=f"offsets of {client.name} of {group.name}")

    def __contains__(self, place: Place) -> bool:
        """Whether a queue is held."""
        return place in self._held

    @property
    def in_hand(self) -> int:
        """How many messages are in hand."""
        return sum(one.partition.out for one in self._held.values())

    def settled(self) -> None:
        """Hear that messages were settled."""
        self.moved.set()
        if any(one.leaving and not one.partition.out for one in self._held.values()):
            self._news()

    def lapse(self) -> None:
        """Give up what was not renewed in time: this process may have stood still, and others have it by now."""
        now = time.monotonic()
        self._lose(one for one in self._held.values() if now - self._renewed.get(one.queue.host, now) > LAPSE_SECONDS)

    def closed(self, connection: Connection) -> None:
        """Hear that a connection was lost: the broker takes this member for gone, and so its holds are."""
        self._lose(one for one in self._held.values() if one.connection is connection)

    async def give_up(self) -> None:
        """Say up to where all is done, and hold it no more; what was locked is unlocked next.

        Raises:
            BrokerAwayError: not all of it could be said.
        """
        self._committing.cancel()
        await asyncio.wait({self._committing})
        self.partitions.untell(self._held)
        await self._give_up(list(self._held.values()))

    async def end(self) -> None:
        """Hold nothing more, whatever could be said."""
        self._committing.cancel()
        held = list(self._held.values())
        self._lose(held)
        await asyncio.gather(*(one.reading.end() for one in held))
        await asyncio.wait({self._committing})

    # -- getting and giving back -------------------------------------------------------------------------

    async def get(self, connection: Connection, wanted: Wanted) -> None:
        """Get those of the queues of a broker that no member who is there has, and read them."""
        queues = {place: queue for place, (_, queue) in wanted.items()}
        begun = time.monotonic()
        self._locked |= queues
        taken = await talk.lock(connection, self._group, self._client.owner, queues)
        missing = {place: queue for place, queue in queues.items() if place not in taken}
        if missing and (left := await self._left_over(connection, missing)):
            taken |= await talk.lock(connection, self._group, self._client.owner, left)
        locked = {place: queues[place] for place in taken}
        await self._group.note_owner(self._client.owner, locked)
        starts = await self._group.starts(locked)
        if not connection.is_opened or not taken:
            return
        self._renewed.setdefault(connection.host, begun)
        self.partitions.assign((place, wanted[place][0]) for place in taken)
        for place, start in starts.items():
            partition = self.partitions.find(place)
            if partition is not None:
                partition.begin(start)
                reading = Reading(self._group, partition, queues[place], connection, self)
                self._held[place] = Hold(partition, queues[place], connection, reading)
        self.came()

    async def _left_over(self, connection: Connection, queues: Mapping[Place, Queue]) -> dict[Place, Queue]:
        """Unlock those of some queues of a broker whose members are gone, in their names; give them.

        Who is there is asked after who has them: whoever locked one was there before that, so one that is missing now is gone,
        and holds nothing since its connection ended.
        """
        owners = await self._group.owners(queues)
        present = {talk.owner_of(one) for one in await talk.members(connection, self._group.name)}
        left = {place: queues[place] for place, owner in owners.items() if owner not in present}
        for owner in {owners[place] for place in left}:
            some = {place: queue for place, queue in left.items() if owners[place] == owner}
            await talk.unlock(connection, self._group, owner, some)
        return left

    async def renew(self, connections: Mapping[Host, Connection]) -> None:
        """Renew what is held; what is another's by now is lost."""
        now = time.monotonic()
        for host, connection in connections.items():
            held = {place: one for place, one in self._held.items() if one.connection is connection}
            if not held:
                self._renewed.pop(host, None)
            elif now - self._renewed.get(host, 0.0) > RENEW_SECONDS:
                queues = {place: one.queue for place, one in held.items()}
                locked = await talk.lock(connection, self._group, self._client.owner, queues)
                self._renewed[host] = now
                self._lose(one for place, one in held.items() if place not in locked)

    async def give_back(self, connections: Mapping[Host, Connection], wanted: Collection[Place]) -> None:
        """Let go what belongs to others and is not in hand, and locks that are left of what was lost, or not got in the end."""
        now = time.monotonic()
        leaving = [one for place, one in self._held.items() if place not in wanted or one.leaving]
        self.partitions.leave([one.partition.place for one in leaving if not one.leaving])
        for one in leaving:
            one.leaving = one.leaving or now
        await self._give_up([one for one in leaving if not one.partition.out or now - one.leaving > DRAIN_SECONDS])
        for connection in connections.values():
            await self.unlock(connection, wanted)

    async def unlock(self, connection: Connection, but: Collection[Place] = ()) -> None:
        """Give a broker back what is not held and may be locked, but for some of it."""
        queues = {
            place: queue
            for place, queue in self._locked.items()
            if queue.host == connection.host and place not in self._held and place not in but
        }
        await talk.unlock(connection, self._group, self._client.owner, queues)
        for place in queues:
            self._locked.pop(place, None)

    async def _give_up(self, some: Sequence[Hold]) -> None:
        places = [one.partition.place for one in some]
        self.partitions.leave(places)
        await self._commit(self.partitions.moved(places))
        self._lose(some)

    def _lose(self, some: Iterable[Hold]) -> None:
        """Hold queues no more: what is in hand of them is not settled any more."""
        lost = list(some)
        for one in lost:
            if self._held.get(one.partition.place) is one:
                del self._held[one.partition.place]
            one.reading.stop()
        if lost:
            self.partitions.lose(one.partition for one in lost)
            self._news()
            self.came()

    # -- offsets -----------------------------------------------------------------------------------------

    async def _commit_on(self) -> None:
        """Tell the brokers up to where is done, soon after that moved; what they did not hear, a little later once more."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAY_AGAIN_SECONDS):
                    await self.moved.wait()
            self.moved.clear()
            await asyncio.sleep(COMMIT_SECONDS)
            with contextlib.suppress(errors.QiantangError):
                await self._commit(self.partitions.moved())

    async def _commit(self, moved: Sequence[tuple[Place, int]]) -> None:
        """Tell the brokers up to where is done.

        Raises:
            BrokerAwayError: not all of it was heard; that is said again.
        """

        async def one(place: Place, offset: int) -> None:
            hold = self._held.get(place)
            if hold is None or not hold.connection.is_opened:
                return
            try:
                await talk.commit(hold.connection, self._group, place[0], hold.queue, offset)
            except errors.QiantangError:
                self.partitions.untell([place])
                raise

        results = await asyncio.gather(*(one(place, offset) for place, offset in moved), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
