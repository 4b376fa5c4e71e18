"""Sessions: who is there, by renewing a lease; written for all processes together, and over where nobody renews.

The rule for when the control plane itself was away: servers say once a second that they could have taken renewals (the pulse).
Where none said so for `GAP_MS`, or the clock jumped, every session gets a full lease from then on, before any is looked at. And a
session is over only when a server took it away: whoever renews before that lives on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from qiantang.kernel import errors, ids, scope
from qiantang.kernel.observe import BoundedLog
from qiantang.registry.errors import RegistryFullError, SessionOverError
from qiantang.registry.model import protocol
from qiantang_server.kernel import storage
from qiantang_server.registry.rules import owning
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.store import moving, sessions
from qiantang_server.registry.store.tables import Place

log = logging.getLogger(__name__)

GAP_MS: Final = 3_000
BEAT_MS: Final = 900
RENEWALS: Final = 3
"""How often a process renews in one lease."""
AT_ONCE: Final = 500


class Sessions:
    """Of all processes, as one server sees them; renewals that come to it are written together in `tick`."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._failures = BoundedLog(log, first=1)
        self._seconds = min(1.0, ground.settings.lease.total_seconds() / 15)

    async def open(self, caller: scope.Scope) -> protocol.Opened:
        """Open a session of an application.

        Raises:
            RegistryFullError: it has as many as it may.
        """
        session_id = ids.secret_token()[:43]
        most = self._ground.settings.max_sessions_per_application

        async def work(session: storage.Session) -> None:
            if await sessions.count(session, caller) >= most:
                raise RegistryFullError(f"{caller} has {most} sessions already (registry.max_sessions_per_application)")
            await self._keep_pulse(session)
            await sessions.open_one(session, owning.session_key(session_id, caller), caller, self._ground.lease_ms)

        await self._ground.database.write(work)
        lease = self._ground.settings.lease.total_seconds()
        return protocol.Opened(session=session_id, lease_seconds=lease, renew_seconds=lease / RENEWALS)

    async def renew(self, caller: scope.Scope, session_id: str) -> None:
        """Give a session a full lease with the next `tick`, and wait for it.

        Raises:
            SessionOverError: there is no such session of this application, or no longer.
            UnavailableError: the database is away.
        """
        key = owning.session_key(session_id, caller)
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        if not await asyncio.shield(waiting):
            raise SessionOverError("the session is over, or was never opened: open another one and register anew")

    async def close(self, caller: scope.Scope, session_id: str) -> None:
        """End a session; one that is over is over."""
        await self._take_away(Place.of(caller), [owning.session_key(session_id, caller)], expired=False)

    async def run(self) -> None:
        """Do what is to be done once a second, until cancelled."""
        while True:
            try:
                await self.tick()
            except errors.QiantangError as error:
                extra = {"reason": error.detail}
                self._failures.failure("renewals", "leases cannot be renewed", level=logging.WARNING, extra=extra)
            else:
                self._failures.recovered("renewals", "leases are renewed again")
            await asyncio.sleep(self._seconds)

    async def tick(self) -> None:
        """Write what was renewed, then take away what expired."""
        waiting, self._waiting = self._waiting, {}
        try:
            there = await self._write(sorted(waiting))
        except BaseException as error:
            told = error if isinstance(error, errors.QiantangError) else errors.UnavailableError("not renewed in time")
            for future in waiting.values():
                _fail(future, told)
            raise
        for key, future in waiting.items():
            if not future.done():
                future.set_result(key in there)
        await self.sweep()

    async def sweep(self) -> None:
        """Take away sessions that nobody renewed."""
        async with self._ground.database.reading() as session:
            found = await sessions.expired(session, AT_ONCE)
        for place, keys in found.items():
            await self._take_away(place, keys, expired=True)

    async def _write(self, keys: list[str]) -> set[str]:
        async with self._ground.database.reading() as session:
            read = await sessions.read_pulse(session)
        is_due = read["any"] and (read["at"] is None or abs(read["now"] - read["at"]) >= BEAT_MS)
        if not (keys or is_due):
            return set()

        async def work(session: storage.Session) -> set[str]:
            await self._keep_pulse(session)
            there: set[str] = set()
            for start in range(0, len(keys), AT_ONCE):
                there |= await sessions.renew(session, keys[start : start + AT_ONCE], self._ground.lease_ms)
            return there

        return await self._ground.database.write(work)

    async def _keep_pulse(self, session: storage.Session) -> None:
        """Say that this server is there, and spare everybody where none was."""
        read = await sessions.read_pulse(session)
        if read["any"] and (read["at"] is None or abs(read["now"] - read["at"]) > GAP_MS):
            spared = await sessions.spare(session, self._ground.lease_ms)
            log.warning("no server took renewals for a while: everybody gets a full lease", extra={"sessions": spared})
        await sessions.beat(session)

    async def _take_away(self, place: Place, keys: list[str], *, expired: bool) -> None:
        async def work(session: storage.Session, revision: int) -> None:
            names = await sessions.take_away(session, keys, expired=expired)
            await moving.note_again(session, place, names, revision)

        await self._ground.change(place, work)


def _fail(future: asyncio.Future[bool], error: errors.QiantangError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen by those who wait, if any still does
