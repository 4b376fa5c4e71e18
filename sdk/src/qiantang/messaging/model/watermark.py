"""Watermark: up to where a log is finished, while what was taken of it is finished in any order. Pure.

Only the part without gaps is settled: what stands behind a message that is still being worked on would be lost with it. The
count of what is finished beyond is bounded by what the consumer has in hand.
"""

from __future__ import annotations


class Watermark:
    """Of one log. `start` is the first position that is not finished."""

    def __init__(self, start: int) -> None:
        self._settled = start
        self._beyond: set[int] = set()
        self._gaps: dict[int, int] = {}

    @property
    def settled(self) -> int:
        """The first position that is not finished: all before it are."""
        return self._settled

    def done(self, position: int) -> bool:
        """Say that a position is finished; say whether the watermark moved. Saying it twice does nothing."""
        if position < self._settled or position in self._beyond:
            return False
        if position != self._settled:
            self._beyond.add(position)
            return False
        self._settled += 1
        self._advance()
        return True

    def skip(self, start: int, end: int) -> None:
        """Say that nothing stands from `start` to before `end`. Not of positions that were taken, and of none twice."""
        self._gaps[start] = end
        self._advance()

    def _advance(self) -> None:
        while True:
            if self._settled in self._beyond:
                self._beyond.discard(self._settled)
                self._settled += 1
            elif self._settled in self._gaps:
                self._settled = self._gaps.pop(self._settled)
            else:
                return

    def is_done(self, position: int) -> bool:
        """Say whether a position is finished. One in a gap is once the mark has passed it."""
        return position < self._settled or position in self._beyond
