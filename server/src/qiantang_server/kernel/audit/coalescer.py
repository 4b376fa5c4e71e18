"""Coalescer: folds a flood of refusals into a few records that carry a count. Pure: time comes from
outside.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from qiantang_server.kernel.audit.event import AuditEvent


@dataclass(slots=True)
class _Entry:
    started: int
    written: int = 0
    folded: int = 0
    last: AuditEvent | None = None


class Coalescer:
    """Lets the first refusals of each source through and counts the rest, per window (milliseconds).

    Bounded in memory (`sources`) and in what it lets through in a window (`rows`), whatever the flood: what
    finds no room is counted in one record for all.
    """

    def __init__(self, *, window: int = 60_000, immediate: int = 3, sources: int = 10_000, rows: int = 300) -> None:
        self._window = window
        self._immediate = immediate
        self._sources = sources
        self._rows = rows
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._rest = _Entry(started=0)
        self._spent = 0
        self._spent_since = 0

    def offer(self, source: str, event: AuditEvent, now: int) -> list[AuditEvent]:
        """Take a refusal; give what is to be recorded at once."""
        ready: list[AuditEvent] = []
        entry = self._entries.get(source)
        if entry is not None and now - entry.started >= self._window:
            del self._entries[source]
            ready += self._closed(entry, now)
            entry = None
        if entry is None:
            if len(self._entries) >= self._sources:
                self._fold(self._entries.popitem(last=False)[1])
            entry = self._entries[source] = _Entry(started=now)
        if entry.written < self._immediate and self._spend(now):
            entry.written += 1
            return [*ready, event]
        entry.folded += event.count
        entry.last = event
        return ready

    def due(self, now: int, *, all_: bool = False) -> list[AuditEvent]:
        """Give the counts of the windows that are over, or at a stop of all."""
        ready: list[AuditEvent] = []
        while self._entries:
            source, entry = next(iter(self._entries.items()))
            if not all_ and now - entry.started < self._window:
                break
            del self._entries[source]
            ready += self._closed(entry, now)
        if self._rest.last is not None and (all_ or now - self._rest.started >= self._window):
            rest, self._rest = self._rest, _Entry(started=now)
            ready.append(_summary(rest, "from many sources"))
        return ready

    def _closed(self, entry: _Entry, now: int) -> list[AuditEvent]:
        if entry.last is None:
            return []
        if self._spend(now):
            return [_summary(entry, "from this source")]
        self._fold(entry)
        return []

    def _fold(self, entry: _Entry) -> None:
        if entry.last is not None:
            self._rest.folded += entry.folded
            self._rest.last = replace(
                entry.last, actor_kind="", actor_id="", actor_name="", session="", address="", chain="*"
            )

    def _spend(self, now: int) -> bool:
        if now - self._spent_since >= self._window:
            self._spent, self._spent_since = 0, now
        self._spent += 1
        return self._spent <= self._rows


def _summary(entry: _Entry, whence: str) -> AuditEvent:
    if entry.last is None:
        raise ValueError("nothing was folded")
    reason = f"{entry.folded} refusals {whence} in short time; the last: {entry.last.reason}"
    return replace(entry.last, count=entry.folded, reason=reason)
