"""Window: what happened in the last seconds, in a ring of buckets that are emptied when their turn comes."""

from __future__ import annotations

from typing import Final

BUCKETS: Final = 10


class Window:
    """Counts over the last `seconds`, with sums that are always up to date as of the last time that came in.

    A call is counted in the bucket in which it began: `enter` gives the token of that bucket, `leave` takes it, and does
    nothing when that bucket is over. So slow answers do not make a quiet moment look bad, and what is under way is seen
    (go-zero counts at the end, zeromicro/go-zero#5011). `began` counts what was let in, `calls` what ended and counts,
    `failures` and `slow` are among these, `refused` what was not let in. A clock that goes back is taken to stand still.
    """

    __slots__ = (
        "_began",
        "_buckets",
        "_calls",
        "_failures",
        "_refused",
        "_scale",
        "_slow",
        "_tick",
        "began",
        "calls",
        "failures",
        "refused",
        "slow",
    )

    def __init__(self, seconds: float = 10.0, buckets: int = BUCKETS) -> None:
        self._buckets = buckets
        self._scale = buckets / seconds
        self._tick = -(1 << 62)
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self.began = self.calls = self.failures = self.slow = self.refused = 0
        zeros = [0] * self._buckets
        self._began, self._calls, self._failures = zeros, zeros.copy(), zeros.copy()
        self._slow, self._refused = zeros.copy(), zeros.copy()

    def token(self, begun: float) -> int:
        """Give the token of the bucket of this moment."""
        return int(begun * self._scale)

    def turn(self, now: float) -> int:
        """Bring the sums up to now. Gives the token of now."""
        tick = int(now * self._scale)
        if tick > self._tick:
            self._empty(tick)
        return self._tick

    def enter(self, now: float) -> int:
        """Count a call that begins now. Gives the token for `leave`."""
        tick = int(now * self._scale)
        if tick != self._tick:
            tick = self.turn(now)
        self.begin(tick)
        return tick

    def begin(self, token: int) -> None:
        """Count a call that begins now, by the token that `turn` gave."""
        self._began[token % self._buckets] += 1
        self.began += 1

    def undo(self, token: int) -> None:
        """Count a call that began no more: it is as if it had not been."""
        if self._tick - self._buckets < token <= self._tick:
            self._began[token % self._buckets] -= 1
            self.began -= 1

    def young(self) -> int:
        """Give how many calls of the newest two buckets have not ended."""
        new = self._tick % self._buckets
        old = new - 1  # below 0 it is the last one
        return self._began[new] - self._calls[new] + self._began[old] - self._calls[old]

    def refuse(self, now: float) -> None:
        """Count a call that was not let in."""
        place = self.turn(now) % self._buckets
        self._refused[place] += 1
        self.refused += 1

    def leave(self, token: int, is_failure: bool, is_slow: bool) -> None:
        """Count how a call ended, in the bucket in which it began."""
        if not self._tick - self._buckets < token <= self._tick:
            return
        place = token % self._buckets
        self._calls[place] += 1
        self.calls += 1
        if is_failure:
            self._failures[place] += 1
            self.failures += 1
        if is_slow:
            self._slow[place] += 1
            self.slow += 1

    def _empty(self, tick: int) -> None:
        over = min(tick - self._tick, self._buckets)
        for place in (one % self._buckets for one in range(tick - over + 1, tick + 1)):
            self.began -= self._began[place]
            self.calls -= self._calls[place]
            self.failures -= self._failures[place]
            self.slow -= self._slow[place]
            self.refused -= self._refused[place]
            self._began[place] = self._calls[place] = self._failures[place] = 0
            self._slow[place] = self._refused[place] = 0
        self._tick = tick
