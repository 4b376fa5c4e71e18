"""Groups: one subscription's group on a topic, as RocketMQ knows both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from qiantang.messaging.adapters.rocketmq import names
from qiantang.messaging.adapters.rocketmq.admin import Admin
from qiantang.messaging.adapters.rocketmq.routes import Queue, Route
from qiantang.messaging.model.bands import BANDS
from qiantang.messaging.model.partitions import Place

OWNERS: Final = 1 << 20
"""So much is added to the number of a queue where its owner is noted: no queue has such a number, and nobody takes that for one."""


class Group:
    """Of one topic of the estate. `tags` are all that it takes; none means all. `name` is another than the usual on RocketMQ."""

    def __init__(self, admin: Admin, topic: str, group: str, tags: Sequence[str], name: str = "") -> None:
        self.topic = topic
        self.name = name or names.group_name(topic, group)
        self.tags = frozenset(tags)
        self._admin = admin
        self._begun: dict[tuple[str, str, int], int] = {}

    @property
    def expression(self) -> str:
        """Its tags as RocketMQ reads them; all where it could not read them: then they are told apart here."""
        plain = all("|" not in tag and tag == tag.strip() for tag in self.tags)
        return "||".join(sorted(self.tags)) if self.tags and plain else "*"

    def name_of(self, band: str) -> str:
        """Give the name on RocketMQ of its topic's band."""
        return names.topic_name(self.topic, band)

    def is_wanted(self, tag: str) -> bool:
        """Whether it takes messages of a tag."""
        return not self.tags or tag in self.tags

    async def look(self, band: str) -> Route | None:
        """Look where a band of the topic lies; None where it does not exist."""
        return await self._admin.look(self.name_of(band))

    async def begin(self) -> None:
        """Be on all brokers of the topic. One that is new begins at the present end.

        The end is asked for first: whoever did the same at the same time then committed no later one than that of what may be
        sent after his call.
        """
        routes = {self.name_of(band): route for band in BANDS if (route := await self.look(band)) is not None}
        await self._admin.make_group(self.name)
        ends = {name: await self._admin.ends(name, route.queues) for name, route in routes.items()}
        for name, route in routes.items():
            if await self._admin.committed(self.name, name, route.queues):
                return
        for name, offsets in ends.items():
            # what this process knows is right where a broker forgot it: it writes offsets down every five seconds
            known = {queue: self._begun.get((name, queue.broker, queue.number), end) for queue, end in offsets.items()}
            await self._admin.commit(self.name, name, known)
            self._begun.update({(name, queue.broker, queue.number): offset for queue, offset in known.items()})

    async def starts(self, queues: Mapping[Place, Queue]) -> dict[Place, int]:
        """Give where queues are to be read from: up to where the group is done with them."""
        found: dict[Place, int] = {}
        for name in {place[0] for place in queues}:
            some = {queue: place for place, queue in queues.items() if place[0] == name}
            done = await self._admin.committed(self.name, name, some)
            ends = await self._admin.ends(name, some)
            unknown = [queue for queue in some if queue not in done]
            firsts = await self._admin.beginnings(name, unknown) if unknown else {}
            for queue, place in some.items():
                begun = self._begun.get((name, queue.broker, queue.number), firsts.get(queue, 0))
                # a broker that lost its end has given the offsets behind it to others
                found[place] = min(done.get(queue, begun), ends[queue])
        return found

    async def note_owner(self, owner: int, queues: Mapping[Place, Queue]) -> None:
        """Note by whom queues were locked just now: among the offsets of the group, beside those of the queues."""
        await asyncio.gather(
            *(self._admin.commit(self.name, place[0], {_beside(queue): owner}) for place, queue in queues.items())
        )

    async def owners(self, queues: Mapping[Place, Queue]) -> dict[Place, int]:
        """Give by whom queues were locked last; one that was locked only just now may be another's already."""
        noted = await asyncio.gather(
            *(self._admin.committed(self.name, place[0], [_beside(queue)]) for place, queue in queues.items())
        )
        return {place: owner for place, found in zip(queues, noted, strict=True) for owner in found.values()}

    async def unfinished(self, first: int = 0) -> int:
        """Count what the group has not finished of the queues from a number on."""
        found = 0
        for band in BANDS:
            name, route = self.name_of(band), await self.look(band)
            if route is None:
                continue
            queues = route.queues[first:]
            ends = await self._admin.ends(name, queues)
            done = await self._admin.committed(self.name, name, queues)
            unknown = [queue for queue in queues if queue not in done]
            if unknown:
                done |= await self._admin.beginnings(name, unknown)
            found += sum(max(0, end - done.get(queue, 0)) for queue, end in ends.items())
        return found


def _beside(queue: Queue) -> Queue:
    """Give the place beside all queues where the owner of one is noted."""
    return queue._replace(number=queue.number + OWNERS)
