"""Denials: records what was refused, without letting whoever is refused fill the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import NotPermittedError, NotVisibleError, Principal
from qiantang_server.kernel.audit.addresses import network
from qiantang_server.kernel.audit.coalescer import Coalescer
from qiantang_server.kernel.audit.event import AuditEvent
from qiantang_server.kernel.audit.trail import record

log = logging.getLogger(__name__)
_LOG_EVERY = 60_000


def _steady_clock() -> int:
    return time.monotonic_ns() // 1_000_000


class Denials:
    """Writes refusals in transactions of their own, since what was refused has none.

    A record that cannot be written never turns a refusal into something else: it is logged, at most once a
    minute.
    """

    def __init__(
        self,
        database: storage.Database,
        *,
        coalescer: Coalescer | None = None,
        clock: Callable[[], int] = _steady_clock,
    ) -> None:
        self._database = database
        self._coalescer = coalescer or Coalescer()
        self._clock = clock
        self._logged_at: int | None = None

    async def refused(self, principal: Principal, error: BaseException) -> None:
        """Record what the guard refused, once however often it is told; pass over every other error."""
        if (
            not isinstance(error, NotPermittedError | NotVisibleError)
            or error.refused is None
            or error.refused.recorded
        ):
            return
        error.refused.recorded = True
        event = AuditEvent.refused(principal, error.refused.permission, error.refused.target, error.detail)
        await self.record(event)

    async def record(self, event: AuditEvent) -> None:
        """Record a refusal, or count it with others of its principal or, where none is known, its address."""
        source = f"{event.actor_kind}:{event.actor_id}" if event.actor_id else network(event.address)
        await self._write(self._coalescer.offer(source, event, self._clock()))

    async def flush(self, *, all_: bool = False) -> None:
        """Write the counts of windows that are over; with `all_` of every window, before the server stops."""
        await self._write(self._coalescer.due(self._clock(), all_=all_))

    async def _write(self, ready: list[AuditEvent]) -> None:
        if not ready:
            return

        async def work(session: storage.Session) -> None:
            for event in sorted(ready, key=lambda event: event.chain or event.target.tenant):
                await record(session, event)

        try:
            await self._database.write(work)
        except errors.QiantangError as error:
            now = self._clock()
            if self._logged_at is None or now - self._logged_at >= _LOG_EVERY:
                self._logged_at = now
                log.error(  # noqa: TRY400  # the cause is the database, its trace says nothing more
                    "refusals could not be recorded", extra={"lost": len(ready), "reason": str(error)}
                )
