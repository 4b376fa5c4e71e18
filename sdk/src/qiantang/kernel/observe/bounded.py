"""Bounded log: a failure that repeats a million times fills a few lines, and none of its count is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from qiantang.kernel.observe import fork

OVERFLOW = "(other)"


class _Seen:
    """What is known of one key. `unsaid` failures were counted since the last line about them."""

    __slots__ = ("full", "level", "message", "since", "total", "touched", "unsaid")

    def __init__(self, now: float, full: int) -> None:
        self.full = full
        self.unsaid = 0
        self.total = 0
        self.since = now
        self.touched = now
        self.level = logging.ERROR
        self.message = ""


class BoundedLog:
    """Logs failures by key: the first few in full, then one line per period with the count; at most `keys` keys.

    A key that was quiet for a whole period begins anew. Keys beyond the bound share one. Safe from any thread.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        first: int = 3,
        period: float = 60.0,
        keys: int = 256,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._first = first
        self._period = period
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        fork.remember(self)

    def failure(
        self,
        key: str,
        message: str,
        *,
        level: int = logging.ERROR,
        error: BaseException | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Log a failure, or count it. `message` is constant; what varies goes in `extra`."""
        now = self._clock()
        with self._lock:
            lines = self._summaries(now)
            key, seen = self._find(key, now)
            seen.total += 1
            seen.touched, seen.level, seen.message = now, level, message
            in_full = seen.full > 0
            if in_full:
                seen.full -= 1
                seen.since = now
            else:
                seen.unsaid += 1
        self._say(lines)
        if in_full:
            self._logger.log(level, message, extra={"failure_key": key, **(extra or {})}, exc_info=error)

    def recovered(self, key: str, message: str, *, extra: dict[str, Any] | None = None) -> None:
        """Say that a failing thing works again, with the count of failures; nothing where it had not failed."""
        with self._lock:
            seen = self._seen.pop(key, None)
        if seen is not None:
            self._logger.info(message, extra={"failure_key": key, "failures": seen.total, **(extra or {})})

    def flush(self) -> None:
        """Say every count that was not said yet: at the end of a process, or from a timer."""
        now = self._clock()
        with self._lock:
            lines = [self._summary(key, seen, now) for key, seen in self._seen.items() if seen.unsaid]
        self._say(lines)

    def forget_locks(self) -> None:
        """Take a new lock, in a fork's child: another thread may have held the old one."""
        self._lock = threading.Lock()

    def _find(self, key: str, now: float) -> tuple[str, _Seen]:
        seen = self._seen.get(key)
        if seen is None and len(self._seen) >= self._keys:
            key = OVERFLOW
            seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(now, self._first)
        self._seen.move_to_end(key)
        return key, seen

    def _summaries(self, now: float) -> list[tuple[int, str, dict[str, Any]]]:
        """Take the lines that are due, and forget the keys that were quiet for a period (they are in order of use)."""
        lines: list[tuple[int, str, dict[str, Any]]] = []
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if now - seen.touched < self._period:
                break
            if seen.unsaid:
                lines.append(self._summary(key, seen, now))
            del self._seen[key]
        lines += [
            self._summary(key, seen, now)
            for key, seen in self._seen.items()
            if seen.unsaid and now - seen.since >= self._period
        ]
        return lines

    def _summary(self, key: str, seen: _Seen, now: float) -> tuple[int, str, dict[str, Any]]:
        fields = {"failure_key": key, "repeated": seen.unsaid, "seconds": round(now - seen.since, 1)}
        seen.unsaid = 0
        seen.since = now
        return seen.level, seen.message, fields

    def _say(self, lines: list[tuple[int, str, dict[str, Any]]]) -> None:
        for level, message, fields in lines:
            self._logger.log(level, message, extra=fields)
