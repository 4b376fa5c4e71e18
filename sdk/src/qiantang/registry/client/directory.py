"""Directory: the nodes of one microservice as a caller uses them: always there, never emptied by a registry in trouble."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final, Self

from qiantang.kernel import backoff, runtime
from qiantang.registry.client.copies import Copies
from qiantang.registry.client.protection import KEEP_SECONDS, Protection
from qiantang.registry.model import Node, Snapshot
from qiantang.registry.port import Registry
from qiantang.registry.port.bounds import check_microservice

log = logging.getLogger(__name__)

OPEN_SECONDS: Final = 5.0
SAVE_SECONDS: Final = 1.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0

Listener = Callable[[Snapshot], None]


class Directory:
    """Follows a microservice in a registry; an async context manager, used on the loop that opened it.

    Entering waits until the registry told the nodes, at most `open_within` seconds; where it is away, the copy on disk is
    used, if one is kept. While the registry is away all goes on with what is known, and `snapshot.is_stale` says so.
    `snapshot` may be read, and `on_change` and `suspect_failed` called, from any thread.
    """

    def __init__(
        self,
        registry: Registry,
        microservice: str,
        *,
        copies: Copies | None = None,
        keep: float = KEEP_SECONDS,
        open_within: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.microservice = check_microservice(microservice)
        self._registry = registry
        self._copies = copies
        self._protection = Protection(keep)
        self._open_within = open_within
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._snapshot = Snapshot(is_stale=True)
        self._changed = asyncio.Event()
        self._told = asyncio.Event()
        self._said = ""
        self._listeners: list[Listener] = []
        self._unsaved = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to follow."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._follow(), name=f"directory: {self.microservice}")]
        try:
            await self._begin()
        except BaseException:  # given up while it waits
            await self.__aexit__()
            raise
        return self

    async def _begin(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._open_within):
                await self._told.wait()
        if self._copies is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._open_within):
                    await self._start_from(self._copies)
            self._tasks.append(asyncio.create_task(self._save(self._copies), name=f"copy: {self.microservice}"))

    async def __aexit__(self, *exception: object) -> None:
        """Stop following; what was known stays readable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

    @property
    def snapshot(self) -> Snapshot:
        """The nodes to use now; waits for nothing."""
        return self._snapshot

    @property
    def suspects(self) -> frozenset[str]:
        """The nodes among them that the registry does not list any more; see `suspect_failed`."""
        return self._protection.suspects

    def suspect_failed(self, name: str) -> None:
        """Say that a connection to a node failed: a suspect is given up for that, and nothing else happens."""
        loop = self._loop
        if loop is None or _is_here(loop):
            self._give_up(name)
            return
        with contextlib.suppress(RuntimeError):  # that loop was closed: nobody is told anything any more
            loop.call_soon_threadsafe(self._give_up, name)

    def _give_up(self, name: str) -> None:
        if self._protection.suspect_failed(name):
            self._publish(is_stale=self._snapshot.is_stale)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called with each new snapshot, on the loop; give what ends that. It must not wait."""
        self._listeners.append(listener)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    async def changed(self, after: int) -> Snapshot:
        """Wait for a snapshot with a higher revision than this."""
        while self._snapshot.revision <= after:
            await self._changed.wait()
        return self._snapshot

    async def _follow(self) -> None:
        """Take what the registry tells. A watch that fails is begun again."""
        pauses = backoff.Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                async for snapshot in self._registry.watch(self.microservice):
                    pauses.reset()
                    self._take(snapshot)
            except Exception as error:  # a fault of an adapter must not end it either
                self._tell_failed(error)
            self._take(Snapshot(is_stale=True))
            await asyncio.sleep(pauses.next())

    def _tell_failed(self, error: Exception) -> None:
        """Log what keeps it from being watched, once for each reason."""
        if repr(error) != self._said:
            self._said = repr(error)
            log.warning("a microservice is not watched", extra=self._extra(reason=self._said))

    def _take(self, snapshot: Snapshot) -> None:
        if snapshot.is_stale:
            if not self._snapshot.is_stale:
                log.warning("the registry is away; the nodes known last are used", extra=self._extra())
                self._publish(is_stale=True)
            self._told.set()
            return
        had = self._protection.suspects
        self._protection.take(snapshot.nodes, self._clock())
        self._tell_of_suspects(had)
        self._publish(is_stale=False)
        self._unsaved.set()
        self._told.set()

    def _tell_of_suspects(self, had: frozenset[str]) -> None:
        if self._protection.suspects and not had:
            log.warning(
                "most nodes vanished at once; they are kept until a connection to them fails",
                extra=self._extra(suspects=len(self._protection.suspects)),
            )

    def _publish(self, *, is_stale: bool, nodes: tuple[Node, ...] | None = None) -> None:
        found = self._protection.nodes if nodes is None else nodes
        before = self._snapshot
        self._rearm()
        if before.revision and (before.nodes, before.is_stale) == (found, is_stale):
            return
        self._snapshot = Snapshot(nodes=found, revision=before.revision + 1, is_stale=is_stale)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for listener in list(self._listeners):
            self._tell(listener)

    def _tell(self, listener: Listener) -> None:
        try:
            listener(self._snapshot)
        except Exception:
            log.exception("a listener of a directory failed", extra=self._extra())

    def _rearm(self) -> None:
        """Look again when the next suspect's time is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        expires_at = self._protection.expires_at
        if expires_at is not None:
            pause = max(0.0, expires_at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(pause, self._expire)

    def _expire(self) -> None:
        self._protection.expire(self._clock())
        self._publish(is_stale=self._snapshot.is_stale)

    async def _start_from(self, copies: Copies) -> None:
        """Use the copy on disk where the registry told nothing."""
        if self._snapshot.revision:
            return
        nodes = await runtime.offload(copies.load)
        if nodes and not self._snapshot.revision:
            log.warning(
                "the registry is away; started from the nodes kept on disk", extra=self._extra(nodes=len(nodes))
            )
            self._protection.take(nodes, self._clock())
            self._publish(is_stale=True)

    async def _save(self, copies: Copies) -> None:
        """Keep what is known on disk, at most once a second."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            nodes = self._snapshot.nodes
            if nodes:  # of an empty list there is nothing to start from
                await runtime.offload(copies.save, nodes)
            await asyncio.sleep(SAVE_SECONDS)

    def _extra(self, **more: object) -> dict[str, object]:
        return {"microservice": self.microservice, **more}


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # a thread without one
        return False
