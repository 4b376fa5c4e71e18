"""Holdings: the queues that one member holds, and what the server is told of what is finished. Pure.

A hold is one consumer on a channel of its own: the server counts its deliveries from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from qiantang.messaging.adapters.sharing import holdings
from qiantang.messaging.model import Taken
from qiantang.messaging.model.watermark import Watermark


@dataclass(slots=True, eq=False)
class Held(holdings.Held):
    """A queue under one hold. `mark` is up to where its deliveries are finished."""

    mark: Watermark = field(default_factory=lambda: Watermark(1))


Acks = dict[Held, list[tuple[int, bool]]]
"""For each hold the numbers to acknowledge, each with whether all before it are meant as well."""


class Holdings(holdings.Holdings[Held]):
    """All that one member holds. `wake` is called when something comes, `emptied` when nothing is in hand of one that leaves."""

    def __init__(self, tags: Collection[str], wake: Callable[[], None], emptied: Callable[[], None]) -> None:
        super().__init__(tags, wake, emptied, Held)

    def done(self, some: Iterable[Taken]) -> Acks:
        """Finish messages; give what the server is to be told, in as few words as there are gaps."""
        return {held: _acks(held, sorted(numbers)) for held, numbers in self.finished(some).items()}


def _acks(held: Held, numbers: list[int]) -> list[tuple[int, bool]]:
    """Give one word for all up to where there is no gap, and one for each beyond."""
    for number in numbers:
        held.mark.done(number)
    whole = [number for number in numbers if number < held.mark.settled]
    beyond = [(number, False) for number in numbers if number >= held.mark.settled]
    # the last of those that are new: the server knows no number any more that was acknowledged before
    return [(whole[-1], True), *beyond] if whole else beyond
