"""Confirms: what the server says of the messages that were published on one channel, and who waits for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qiantang.messaging.adapters.rabbitmq import failing
from qiantang.messaging.adapters.sharing.delivery import Delivery
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.port import SendOutcome

_NOT_TAKEN: Final = "RabbitMQ could not take the message: its queue says no, or is being moved"


class Confirms:
    """Of one channel."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[int, tuple[Delivery, int]] = {}
        self._returned: set[str] = set()
        self.lost: BaseException | None = None
        self.closed = False

    def expect(self, delivery: Delivery, places: Iterable[int]) -> None:
        """Note that so much of a delivery is published next, in this order."""
        for place in places:
            self._count += 1
            self._waiting[self._count] = (delivery, place)

    def confirmed(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """See `channels.Answers`."""
        numbers = [number]
        if multiple:
            numbers.clear()
            for one in self._waiting:  # they stand in the order in which they were published
                if one > number:
                    break
                numbers.append(one)
        for one in numbers:
            found = self._waiting.pop(one, None)
            if found is not None:
                self._settle(*found, accepted)

    def returned(self, id: str) -> None:
        """See `channels.Answers`."""
        self._returned.add(id)

    def lose(self, error: BaseException | None) -> None:
        """Hear that the channel is closed: of what was not confirmed is known only what the server said when it closed it."""
        self.lost, self.closed = error, True
        waiting, self._waiting = list(self._waiting.values()), {}
        outcomes = failing.unanswered([delivery.frames[place] for delivery, place in waiting], error)
        for (delivery, place), outcome in zip(waiting, outcomes, strict=True):
            delivery.settle(place, outcome)

    def _settle(self, delivery: Delivery, place: int, accepted: bool) -> None:
        frame = delivery.frames[place]
        if not accepted:
            delivery.settle(place, SendOutcome.refused(BrokerAwayError(_NOT_TAKEN)))
            return
        if self._returned and frame.id in self._returned:
            self._returned.discard(frame.id)
            delivery.returned.add(place)
        delivery.accept(place)
