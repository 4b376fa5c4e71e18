"""Receiver: what a member of a group fetches and settles. Who holds what is `membership`'s; here is what the client asks of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qiantang.messaging.adapters.rocketmq.membership import Membership
from qiantang.messaging.adapters.sharing.receiver import MemberReceiver
from qiantang.messaging.model import Taken
from qiantang.messaging.model.partitions import Partitions
from qiantang.messaging.port import Settle

Join = Callable[[Partitions, Callable[[], None]], Membership]


class RocketReceiver(MemberReceiver[Membership]):
    """Of one event loop. `join` makes its membership."""

    def __init__(self, name: str, join: Join) -> None:
        super().__init__(name)
        self._partitions = Partitions()
        self.membership = join(self._partitions, self._event.set)

    @property
    def holds(self) -> dict[str, int]:
        return self._partitions.holds

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        taken = await super().fetch(count, size, wait)
        self.membership.holds.room.set()
        return taken

    async def settle(self, settles: Sequence[Settle]) -> None:
        self.membership.holds.lapse()
        back = [one.taken for one in settles if one.what == "back"]
        if back:
            self._partitions.back(back)
            self._event.set()
        self._partitions.done(one.taken for one in settles if one.what == "done")
        self.membership.holds.settled()

    async def _attend(self) -> None:
        self.membership.holds.lapse()
        await super()._attend()

    def _take(self, count: int, size: int) -> list[Taken]:
        return self._partitions.fetch(count, size)
