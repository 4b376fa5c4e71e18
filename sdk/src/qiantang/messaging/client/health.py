"""Health: how well a broker takes what this process sends to it, and whether it is left out for a while.

Pure: time comes in, in seconds. What is measured is the time until a batch is answered, as a mean that forgets (exponentially
weighted), and the share of answers that say the broker is away. A broker that fails is isolated: nothing that another can
take is given to it, for a pause that doubles with each failure. After the pause one batch tries it (the half-open state of a
circuit breaker, Nygard, "Release It!", 2007); the others follow once that was taken.
"""

from __future__ import annotations

from typing import Final

PAUSE_FIRST, PAUSE_LONGEST = 0.5, 30.0
STUCK_SECONDS: Final = 2.0
"""A batch that has no answer by then isolates its broker until it has one."""
HALF_SECONDS: Final = 0.010
"""A broker that answers in this time takes half of its weight."""
LEAST: Final = 0.01
"""What a broker takes of its weight, however slow: without anything nobody would see that it is faster again."""
FORGET: Final = 0.1
"""What the newest batch counts in the mean."""


class Health:
    """Of one broker. It is well until something says otherwise."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._failed = 0.0
        self._pause = PAUSE_FIRST
        self._until = 0.0
        self._is_isolated = False
        self._under_way: list[float] = []

    @property
    def share(self) -> float:
        """What of its weight the broker should take, from 0.01 to 1."""
        return max(LEAST, (1 - self._failed) / (1 + self._seconds / HALF_SECONDS))

    def begin(self, now: float) -> None:
        """A batch is handed to the broker; `end` follows."""
        self._under_way.append(now)

    def end(self, began: float, now: float, away: float) -> None:
        """A batch was answered; `away` is the share of its messages whose answer says that the broker is away."""
        self._under_way.remove(began)
        self._seconds += (now - began - self._seconds) * FORGET
        self._failed += (away - self._failed) * FORGET
        if away:
            self.fail(now)
        else:
            self._is_isolated = False
            self._pause = PAUSE_FIRST

    def fail(self, now: float) -> None:
        """The broker could not be reached. Within its pause, this says nothing new."""
        if self._is_isolated and now < self._until:
            return
        self._is_isolated = True
        self._until = now + self._pause
        self._pause = min(PAUSE_LONGEST, 2 * self._pause)

    def is_isolated(self, now: float) -> bool:
        """Say whether another broker should be asked first."""
        return self.is_stuck(now) or (self._is_isolated and now < self._until)

    def is_stuck(self, now: float) -> bool:
        """Say whether it has given no answer for so long that what waits for it should not."""
        return bool(self._under_way) and now - self._under_way[0] > STUCK_SECONDS

    def admit(self, now: float) -> None:
        """Something is sent to it: while that tries an isolated broker, the others wait for another pause."""
        if self._is_isolated and now >= self._until:
            self._until = now + self._pause
