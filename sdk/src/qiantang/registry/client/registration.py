"""Registration: the own node in the registry from start to end, whatever the registry goes through meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, Self

from qiantang.kernel import backoff, errors
from qiantang.registry.errors import RegistrationOverError, RegistryAwayError, UnknownNodeError
from qiantang.registry.model import Change, Node, State
from qiantang.registry.port import Registry
from qiantang.registry.port.bounds import check_microservice, encode_node

log = logging.getLogger(__name__)

TELL_SECONDS: Final = 5.0
NOTICE_SECONDS: Final = 1.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0


class Registration:
    """One node of a microservice: starting, then ready, then draining, then gone. An async context manager.

    Entering registers it as it is given. Where the registry is away, entering succeeds all the same, after at most
    `tell_within` seconds, and the node is registered once the registry is back; so it is with each change. Leaving takes it
    out of the list within `tell_within` seconds, and where that fails the registry finds out by itself. A node that drains stays
    in the list for `notice` seconds at least: callers who read the list a little later have to see that it says goodbye, or take
    it for one that vanished.

    Raises, when entered:
        RegistryReadOnlyError: nobody registers in this registry.
        InvalidRequestError: the node has no such name or is too large.
        ForbiddenError, RegistryFullError: the registry refused it.
    """

    def __init__(
        self,
        registry: Registry,
        microservice: str,
        node: Node,
        *,
        tell_within: float = TELL_SECONDS,
        notice: float = NOTICE_SECONDS,
    ) -> None:
        encode_node(node)
        self.microservice = check_microservice(microservice)
        self._registry = registry
        self._wanted = node
        self._told: Node | None = None
        self._tell_within = tell_within
        self._notice = notice
        self._leaves_at = 0.0
        self._pauses = backoff.Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._late = asyncio.Event()
        self._turn = asyncio.Lock()
        self._said = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def node(self) -> Node:
        """The node as it is to be; the registry hears of it as soon as it can."""
        return self._wanted

    @property
    def is_told(self) -> bool:
        """Whether the registry took the node as it is now."""
        return self._told == self._wanted

    async def ready(self) -> None:
        """Take calls."""
        await self.change(Change(state="ready"))

    async def drain(self) -> None:
        """Take no more calls; there is no way back."""
        await self.change(Change(state="draining"))

    async def change(self, change: Change) -> None:
        """Change state, weight or tags; returns when the registry took it, or is away.

        Raises:
            RegistrationOverError: it drains, and another state is asked for.
            InvalidRequestError: the node would be too large, or is none any more.
        """
        if self._wanted.state == "draining" and change.state not in {None, "draining"}:
            raise RegistrationOverError(f"{self._wanted.name} drains and cannot be {_named(change.state)} again")
        changed = change.applied(self._wanted)
        encode_node(changed)
        self._wanted = changed
        await self._tell()
        if change.state == "draining" and not self._leaves_at:
            self._leaves_at = time.monotonic() + self._notice

    async def __aenter__(self) -> Self:
        """Register, or go on trying in the background."""
        await self._tell()
        self._task = asyncio.create_task(self._keep(), name=f"registration: {self.microservice}")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Take the node out of the list."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.is_told and (pause := self._leaves_at - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        try:
            async with asyncio.timeout(self._tell_within):
                await self._registry.deregister(self.microservice, self._wanted.name)
        except (errors.QiantangError, TimeoutError) as error:
            log.warning(
                "a node could not say that it leaves; the registry finds out by itself", extra=self._extra(error)
            )

    async def _tell(self) -> None:
        """Tell the registry within the deadline; where it is away, it is told later."""
        try:
            async with asyncio.timeout(self._tell_within):
                await self._tell_now()
        except (RegistryAwayError, TimeoutError) as error:
            if not self._late.is_set():
                log.warning("a node is not told to the registry; trying on", extra=self._extra(error))
            self._late.set()

    async def _tell_now(self) -> None:
        async with self._turn:
            wanted = self._wanted
            if self._told is None:
                await self._registry.register(self.microservice, wanted)
            elif self._told != wanted:
                await self._update(wanted)
            self._told = wanted

    async def _update(self, wanted: Node) -> None:
        change = Change(state=wanted.state, weight=wanted.weight, tags=wanted.tags)
        try:
            await self._registry.update(self.microservice, wanted.name, change)
        except UnknownNodeError as error:  # it is not this process's any more: nothing of it is to be changed
            log.warning("another process registered under the name of this one", extra=self._extra(error))

    async def _keep(self) -> None:
        """Try again what the registry was not told, until cancelled."""
        while True:
            await self._late.wait()
            await asyncio.sleep(self._pauses.next())
            try:
                await self._tell_now()
            except RegistryAwayError:
                continue
            except Exception as error:  # a fault of an adapter must not end it either
                self._tell_refused(error)
                continue
            self._late.clear()
            self._pauses.reset()

    def _tell_refused(self, error: Exception) -> None:
        """Log why it is refused, once for each reason."""
        if repr(error) != self._said:
            self._said = repr(error)
            log.error("the registry refuses a node; trying on", extra=self._extra(error))

    def _extra(self, error: BaseException) -> dict[str, object]:
        return {
            "microservice": self.microservice,
            "node": self._wanted.name,
            "reason": str(error) or type(error).__name__,
        }


def _named(state: State | None) -> str:
    return state or "the same"
