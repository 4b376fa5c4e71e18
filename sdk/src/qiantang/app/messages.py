"""Messages: the bus of an App. Its estate is what the control plane delivers, and changes with each release."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from qiantang.kernel import errors, mirror, resource, runtime, scope
from qiantang.kernel.uplink import Uplink
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import kinds

logger = logging.getLogger(__name__)


class Messages:
    """Of one App. All of it but `bus` is used on the runtime's loop; the bus lives on the loop that it was opened on."""

    capability: Final = kinds.CAPABILITY

    def __init__(self, place: scope.Scope) -> None:
        self.bus = MessageBus(None, place)
        self.problem = ""
        self._bundle = resource.Bundle(scope=place, capability=kinds.CAPABILITY)
        self._coming: kinds.Assembled | None = None
        self._taken: kinds.Assembled | None = None
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, loop: asyncio.AbstractEventLoop, _uplink: Uplink) -> None:
        """Open the bus on a loop, with the estate that is known, if any is.

        Raises:
            MisconfiguredError: that cannot work.
        """
        async with self._turn:
            self._loop = loop
            if self._coming is not None:
                await self._change(self._coming)
            await runtime.on(self._loop, self.bus.open())

    async def close(self) -> None:
        """Close the bus; what waits is sent first."""
        async with self._turn:
            if self._loop is not None:
                await runtime.on(self._loop, self.bus.close())

    def prepare(self, _before: mirror.MirrorView, after: mirror.MirrorView) -> mirror.Outcome | None:
        """Read what is proposed; what cannot be read is rejected, and what was in use stays."""
        snapshots = after.of(kinds.CAPABILITY)
        own = snapshots.pop(self._bundle, None)
        if own is None:
            return None
        try:
            self._coming = kinds.assemble(own, snapshots.values())
        except errors.QiantangError as error:
            self.problem = f"a release of messaging is rejected: {error.detail}"
            logger.error(  # noqa: TRY400 -- it is the release that is wrong: a trace would tell nothing
                "a release of messaging is rejected: what was in use stays",
                extra={"scope": str(self._bundle.scope), "position": str(own.position), "error": error.detail},
            )
            return mirror.Outcome(status="rejected", error=error.detail)
        return None

    async def tell(self, _before: mirror.MirrorView, _after: mirror.MirrorView) -> mirror.Outcome:
        """Have the bus take in what was prepared, and say how that went."""
        async with self._turn:
            if self._loop is None or self._coming is None:
                return mirror.APPLIED  # it is taken in when the bus opens
            try:
                problems = await self._change(self._coming)
            except errors.QiantangError as error:
                self.problem = f"messaging cannot be changed: {error.detail}"
                return mirror.Outcome(status="failed", error=error.detail)
        self.problem = "; ".join(problems)
        return mirror.Outcome(status="failed", error=self.problem) if problems else mirror.APPLIED

    async def _change(self, coming: kinds.Assembled) -> list[str]:
        if coming is self._taken:
            return []
        problems = await runtime.on(self._loop, self.bus.change(coming.estate, coming.keys))
        self._taken = coming
        return problems
