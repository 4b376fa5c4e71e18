"""Moving: when the keys of queues that are to become empty move to others. Pure; times are in seconds of any clock that only rises.

A key stays with its queue until the groups have finished what is there. To see that, nothing more is sent there for a moment: who
sends such a key waits. Groups that do not finish within that moment, or have too much left, keep the keys where they are, and
it is tried again later.
"""

from __future__ import annotations

import math
from typing import Final, Literal

State = Literal["holding", "staying", "moved"]

HOLD_SECONDS: Final = 5.0
"""So long who sends waits at most."""
REST_SECONDS: Final = 30.0
"""So long it takes at least until he waits once more."""
NEARLY: Final = 1000
"""So little is worth waiting for."""
LATE_SECONDS: Final = 30.0
"""So long a message may take to appear whose send was not answered."""


class Move:
    """Of the keys of one topic on one broker. It begins with a look: what an earlier process sent may be finished long since."""

    def __init__(self) -> None:
        self.state: State = "holding"
        self._until = 0.0
        self._again = 0.0
        self._unsure_until = 0.0
        self._under_way = 0

    def begin(self, count: int) -> None:
        """So many messages of such keys are on their way to the queues that are to become empty."""
        self._under_way += count

    def end(self, count: int, now: float, *, unsure: bool = False) -> None:
        """So many are no more; `unsure`: of some it is not known whether they arrived."""
        self._under_way -= count
        if unsure:
            self._unsure_until = now + LATE_SECONDS

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of such keys is on its way."""
        return not self._under_way

    def may_count(self, now: float) -> bool:
        """Whether nothing can come to these queues any more, so that a look that begins now sees the last of it."""
        return self.state == "holding" and self.is_quiet and now >= self._unsure_until

    def saw(self, unfinished: int, now: float, *, counts: bool) -> None:
        """Take in what a look found; `counts` is what `may_count` said before it began."""
        if self.state == "holding":
            self._until = self._until or now + HOLD_SECONDS
            if counts and not unfinished and self.is_quiet:
                self.state = "moved"
            elif now >= self._until or unfinished > NEARLY:
                self.state, self._again = "staying", now + REST_SECONDS
        elif self.state == "staying" and unfinished <= NEARLY and now >= max(self._again, self._unsure_until):
            self.state, self._until = "holding", now + HOLD_SECONDS

    def stay(self) -> None:
        """Let the keys be where they are, for good: the topic is to shrink no more, or otherwise."""
        self.state, self._again = "staying", math.inf
