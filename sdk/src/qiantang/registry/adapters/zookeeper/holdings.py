"""Holdings: the ephemeral nodes that this process wants to be there, made again whenever they are not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from qiantang.kernel import backoff, errors, wire
from qiantang.registry.adapters.zookeeper.line import AbsentError, Entry, Line, PresentError, VersionError
from qiantang.registry.errors import RegistryAwayError, RegistryFullError

log = logging.getLogger(__name__)

MAX_HELD: Final = 20_000
_ATTEMPTS: Final = 8
_CHUNK: Final = 100
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0


class _Started(wire.Wire, frozen=True):
    started_at: float = 0.0


@dataclass(slots=True)
class _Held:
    """What is to be at a path; `data` None: nothing.

    Which of two processes with one name is the later is told by `since`, when it started, and by `session`, the one in which
    the node was this process's last: who took it within that did so on purpose.
    """

    data: bytes | None
    last: bytes
    since: float = 0.0
    session: int = 0
    yielded: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Holdings:
    """Keeps them. What is to be there is noted first and told then, so that an outage only delays it."""

    def __init__(self, line: Line, check_seconds: float) -> None:
        self._line = line
        self._check_seconds = check_seconds
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()
        self._said = ""

    async def hold(self, path: str, data: bytes, since: float = 0.0, *, gently: bool = False) -> bool:
        """Have an ephemeral node of this session there, in place of whatever is; `gently`: but of a later process's.

        Give whether it is there.

        Raises:
            RegistryAwayError: it will be there once the registry is back.
        """
        held = self._held.get(path)
        if held is None:
            if len(self._held) >= MAX_HELD:
                raise RegistryFullError(f"this process holds {MAX_HELD} nodes and votes already")
            held = self._held[path] = _Held(data, data)
        held.data = held.last = data
        held.since = since
        try:
            await self._see_to(path, held, gently=gently)
        except RegistryAwayError:
            self._wake.set()
            raise
        except errors.QiantangError:  # refused: it would be refused each time
            self._forget(path, held)
            raise
        return not held.yielded

    def holds(self, path: str) -> bool:
        """Say whether something is to be there."""
        return path in self._held

    async def drop(self, path: str) -> None:
        """Have nothing of this process there.

        Raises:
            RegistryAwayError: it will be gone once the registry is back.
        """
        held = self._held.get(path)
        if held is None:
            return
        held.data = None
        try:
            await self._see_to(path, held)
        except RegistryAwayError:
            self._wake.set()
            raise

    async def keep(self) -> None:
        """See to all of them, until cancelled: after each connection, in steady steps, and soon again where that failed."""
        pauses, pause = backoff.Backoff(_FIRST_PAUSE, _LONGEST_PAUSE), self._check_seconds
        self._line.wakes.add(self._wake)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            if not self._line.connected:
                continue
            if await self._see_to_all():
                pauses.reset()
                pause = self._check_seconds
            else:
                pause = pauses.next()

    async def _see_to_all(self) -> bool:
        """Give whether all are as they should be."""
        rest = iter(list(self._held.items()))
        while chunk := list(islice(rest, _CHUNK)):
            seeing = (self._see_to(path, held, gently=True) for path, held in chunk)
            for outcome in await asyncio.gather(*seeing, return_exceptions=True):
                if isinstance(outcome, Exception):
                    return self._failed(outcome)
        self._said = ""
        return True

    def _failed(self, error: Exception) -> bool:
        """Log what keeps it from seeing to them, once for each reason; a fault of its own must not end it either."""
        if self._line.connected and repr(error) != self._said:
            self._said = repr(error)
            log.warning("what this process registered is not there; trying again", extra={"reason": self._said})
        return False

    async def _see_to(self, path: str, held: _Held, *, gently: bool = False) -> None:
        async with held.turn:
            for _ in range(_ATTEMPTS):
                with contextlib.suppress(AbsentError, PresentError, VersionError):
                    await self._step(path, held, gently=gently)
                    return
        raise RegistryAwayError(f"others change {path} all the time; it is tried again")

    async def _step(self, path: str, held: _Held, *, gently: bool) -> None:
        there = await self._there(path)
        if not self._line.session:  # whose the entry is cannot be said now
            raise RegistryAwayError(f"the connection was lost while {path} was looked at; it is tried again")
        if held.data is None:
            await self._remove(path, held, there)
        elif there is None:
            await self._line.create(path, held.data, ephemeral=True)
            self._own(held)
        elif there.owner == self._line.session:
            if there.data != held.data:
                await self._line.set(path, held.data, there.version)
            self._own(held)
        elif not (gently and self._is_later(path, held, there)):
            # of this process's session before the last, or of an earlier process of the same name
            await self._line.supplant(path, held.data, there.version)
            self._own(held)

    async def _remove(self, path: str, held: _Held, there: Entry | None) -> None:
        if there is not None and (there.owner == self._line.session or there.data == held.last):
            await self._line.delete(path, there.version)
        if held.data is None:  # it may be wanted again meanwhile
            self._forget(path, held)

    def _own(self, held: _Held) -> None:
        held.session, held.yielded = self._line.session, False

    def _forget(self, path: str, held: _Held) -> None:
        if self._held.get(path) is held:
            del self._held[path]

    def _is_later(self, path: str, held: _Held, there: Entry) -> bool:
        """Whether a later process has this name now; said once."""
        later = 0 != held.session == self._line.session or _started(there.data) > held.since
        if later and not held.yielded:
            log.error("another process registered under a name of this one; it is left to it", extra={"path": path})
        held.yielded = later
        return later

    async def _there(self, path: str) -> Entry | None:
        try:
            return await self._line.get(path)
        except AbsentError:
            return None


def _started(data: bytes) -> float:
    """Give when the process started whose node this is; 0 where it is none."""
    try:
        return wire.decode(data, _Started).started_at
    except errors.InvalidRequestError:
        return 0.0
