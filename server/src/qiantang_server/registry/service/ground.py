"""Ground: what every part of the registry stands on, and the one way in which a list of nodes changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from qiantang.kernel import errors, scope
from qiantang.registry.errors import NameTakenError, SessionOverError
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import ApplicationDirectory
from qiantang_server.registry.settings import RegistrySettings
from qiantang_server.registry.store import moving, sessions
from qiantang_server.registry.store.tables import Place

T = TypeVar("T")
Moved = Callable[[Place, int], None]


@dataclass(kw_only=True)
class Ground:
    """Of one server. `directory` knows which applications there are; `moved` are told, after the commit, of each change made
    here.
    """

    database: storage.Database
    directory: Callable[[], ApplicationDirectory]
    settings: RegistrySettings
    moved: list[Moved] = field(default_factory=list[Moved])

    @property
    def lease_ms(self) -> int:
        """How long a session lives that is not renewed."""
        return int(self.settings.lease.total_seconds() * 1000)

    async def change(self, place: Place, work: Callable[[storage.Session, int], Awaitable[T]]) -> T:
        """Run `work` in a transaction that has the place to itself, with the revision that its changes have."""

        async def whole(session: storage.Session) -> T:
            revision = await moving.count_up(session, place)
            result = await work(session, revision)
            session.after_commit(lambda: self._tell(place, revision))
            return result

        return await self.database.write(whole)

    async def own(self, session: storage.Session, caller: scope.Scope) -> None:
        """Pass where the microservice of the caller's name is the caller's, or nobody's any more.

        Raises:
            NameTakenError: it is that of the application of this name in another center.
        """
        center = await moving.center_of(session, Place.of(caller), caller.application)
        if center is None or center == caller.center or not await self._exists(session, caller, center):
            return
        raise NameTakenError(
            f"the microservice {caller.application} of {caller.tenant}/{caller.environment} is the application of that name "
            f"in the center {center}, and not of {caller.center}: give one of the two another name"
        )

    async def _exists(self, session: storage.Session, caller: scope.Scope, center: str) -> bool:
        owner = scope.Scope(
            tenant=caller.tenant, environment=caller.environment, center=center, application=caller.application
        )
        try:
            await self.directory().require_application(session, owner)
        except (errors.NotFoundError, errors.GoneError):
            return False
        return True

    def _tell(self, place: Place, revision: int) -> None:
        for call in self.moved:
            call(place, revision)


async def require_session(session: storage.Session, key: str) -> None:
    """Pass where a session is there.

    Raises:
        SessionOverError: it is not, or no longer.
    """
    if not await sessions.is_there(session, key):
        raise SessionOverError("the session is over, or was never opened: open another one and register anew")
