"""Following: the one stream of all that a process follows, kept open on the runtime's loop and told on the registry's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Final

from qiantang.kernel import backoff, errors, protocol, runtime, wire
from qiantang.kernel.uplink import Event, Uplink
from qiantang.registry.model import Node
from qiantang.registry.model import protocol as spoken
from qiantang.registry.port.bounds import decode_listed

log = logging.getLogger(__name__)

GATHERED_SECONDS: Final = 0.02
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_REFUSED_PAUSE: Final = 10.0
_REFUSALS = (errors.UnauthenticatedError, errors.ForbiddenError, errors.GoneError, errors.NotFoundError)

Lists = dict[str, tuple[Node, ...]]
Told = Callable[[Lists, str | None], None]
"""Takes the newest lists, and why the registry is away: None where that did not change, empty where it is there."""


class _Handover:
    """Carries the newest of each to the registry's loop; what nobody has taken yet is replaced and never queued."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._lists: Lists = {}
        self._away: str | None = None
        self._is_due = False

    def give(self, lists: Lists, away: str | None = None) -> None:
        """Have it told; from any thread."""
        with self._lock:
            self._lists.update(lists)
            self._away = away if away is not None else self._away
            was_due, self._is_due = self._is_due, True
        if not was_due:
            with contextlib.suppress(RuntimeError):  # its loop is closed, nobody watches there
                self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        with self._lock:
            lists, away = self._lists, self._away
            self._lists, self._away, self._is_due = {}, None, False
        self._told(lists, away)


class Following:
    """Begun on the registry's loop; `follow` is called there, and `told` is.

    A break is told only where the next attempt fails as well, so that nobody hears of a server that was replaced by another.
    """

    def __init__(self, uplink: Uplink, told: Told, deadline: float) -> None:
        self._uplink = uplink
        self._deadline = deadline
        self._handover = _Handover(told)
        self._wanted: frozenset[str] = frozenset()
        self._changed: asyncio.Event | None = None
        self._newest = 0
        self._said = ""
        self._parts: dict[str, list[Node]] = {}
        self._running: concurrent.futures.Future[None] | None = None

    def begin(self) -> None:
        """Keep the stream open from now on."""
        self._running = runtime.submit(self._run())

    def follow(self, microservices: frozenset[str]) -> None:
        """Follow these and no others."""
        self._wanted = microservices
        if self._changed is not None:
            runtime.loop().call_soon_threadsafe(self._changed.set)

    def end(self) -> None:
        """Close the stream."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        self._changed = asyncio.Event()
        pauses = backoff.Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            if not self._wanted:
                await self._changed.wait()
            await asyncio.sleep(GATHERED_SECONDS)  # directories are opened one after the other
            self._changed.clear()
            if not self._wanted:
                continue
            opened, error = await self._once(self._wanted)
            if opened:
                pauses.reset()
            elif error is not None:
                self._away(error)
                refused = isinstance(error, _REFUSALS)
                await self._rest(_REFUSED_PAUSE if refused else pauses.next())

    async def _rest(self, seconds: float) -> None:
        assert self._changed is not None  # noqa: S101  # set where this runs
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _once(self, wanted: frozenset[str]) -> tuple[bool, errors.QiantangError | None]:
        """Listen until the stream ends or others are wanted; give whether it was opened, and why it ended."""
        assert self._changed is not None  # noqa: S101  # set where this runs
        listening = asyncio.ensure_future(self._listen(wanted))
        outgrown = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({listening, outgrown}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            outgrown.cancel()
            listening.cancel()
            await asyncio.gather(listening, outgrown, return_exceptions=True)
        return (True, None) if listening.cancelled() else listening.result()

    async def _listen(self, wanted: frozenset[str]) -> tuple[bool, errors.QiantangError | None]:
        opened = False
        self._parts.clear()
        body = spoken.Follow(microservices=sorted(wanted), at_least=self._newest)
        try:
            events = await self._uplink.stream(f"{spoken.PATH}/stream", body, deadline=self._deadline)
            async with events:
                async for event in events:
                    opened = opened or event.name == "nodes"
                    self._hear(event)
        except errors.QiantangError as error:
            return opened, error
        except Exception as error:  # a fault of ours must not end it for good
            log.exception("following the platform's registry failed; it is tried again")
            return False, errors.InternalError(f"it cannot be followed: {error!r}")
        return opened, errors.UnavailableError("the server ended the stream")

    def _hear(self, event: Event) -> None:
        if event.name == "nodes":
            self._take(wire.decode(event.data, spoken.Part))
        elif event.name == "gone":
            raise errors.GoneError(wire.decode(event.data, protocol.Gone).reason or "the application was removed")

    def _take(self, part: spoken.Part) -> None:
        """Take a part of a list; the whole is handed over with its last one."""
        listed = self._parts.setdefault(part.microservice, [])
        read = (decode_listed(bytes(raw)) for raw in part.nodes)
        known = [node for node in read if node is not None]
        if len(known) < len(part.nodes):
            extra = {"microservice": part.microservice, "nodes": len(part.nodes) - len(known)}
            log.warning("what is no node is passed over", extra=extra)
        listed += known
        if not part.more:
            del self._parts[part.microservice]
            self._newest = max(self._newest, part.revision)
            self._there()
            self._handover.give({part.microservice: tuple(listed)}, "")

    def _there(self) -> None:
        if self._said:
            log.info("the platform's registry is back")
        self._said = ""

    def _away(self, error: errors.QiantangError) -> None:
        if error.code != self._said:
            self._said = error.code
            log.warning("the platform's registry is away: what is known stays in use", extra={"reason": error.detail})
        self._handover.give({}, error.detail or type(error).__name__)
