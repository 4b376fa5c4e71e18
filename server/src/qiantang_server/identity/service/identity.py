"""Identity, opened: all use cases on one ground."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from qiantang.kernel import errors, scope
from qiantang_server.identity.service.access_tokens import AccessTokens
from qiantang_server.identity.service.authentication import Authentication
from qiantang_server.identity.service.bootstrap import Bootstrap
from qiantang_server.identity.service.credentials import Credentials
from qiantang_server.identity.service.effects import Effects
from qiantang_server.identity.service.estate import Estate
from qiantang_server.identity.service.finding import Finding
from qiantang_server.identity.service.granting import Granting
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.service.hashing import PasswordHasher
from qiantang_server.identity.service.housekeeping import Housekeeping
from qiantang_server.identity.service.nonces import Nonces
from qiantang_server.identity.service.people import People
from qiantang_server.identity.service.pulse import Pulse
from qiantang_server.identity.service.sign_in import SigningIn
from qiantang_server.identity.service.signing import SigningKeys
from qiantang_server.identity.service.usage import Usage
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Presented, Principal, Target

log = logging.getLogger(__name__)
WRITE_EVERY = 15.0
"""Seconds between writings of what each server gathers in memory."""


class Identity:
    """The room's use cases, and what the kernel asks of it: it is the process's authenticator and directory.

    Open it as an async context manager. `secure` says whether browsers reach the platform over TLS.
    """

    def __init__(
        self,
        database: storage.Database,
        sealer: access.Sealer,
        permissions: access.Permissions,
        settings: IdentitySettings,
        *,
        secure: bool = False,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.secure = secure
        self._writing: asyncio.Task[None] | None = None
        self.settings = settings
        self.ground = Ground(
            database=database,
            sealer=sealer,
            permissions=permissions,
            settings=settings,
            pulse=Pulse(database, settings.recheck.total_seconds(), clock=clock),
            denials=audit.Denials(database),
        )
        self._hasher = PasswordHasher()
        self._keys = SigningKeys(self.ground)
        self._nonces = Nonces(database)
        self.usage = Usage(database)
        self.authentication = Authentication(self.ground, self._keys, self.usage)
        self.estate = Estate(self.ground)
        self.people = People(self.ground, self._hasher)
        self.granting = Granting(self.ground)
        self.effects = Effects(self.ground)
        self.finding = Finding(self.ground)
        self.signing_in = SigningIn(self.ground, self._hasher)
        self.credentials = Credentials(self.ground, self.estate, self._keys, self._nonces, self.usage)
        self.access_tokens = AccessTokens(self.ground)
        self.housekeeping = Housekeeping(self.ground, self._keys)
        self.bootstrap = Bootstrap(self.estate, self.credentials, access.system(permissions))

    async def __aenter__(self) -> Identity:
        """Read the clock, load the signing keys, make the first one.

        Raises:
            UnavailableError: the database is away.
        """
        await self.ground.pulse.beat()
        await self._hasher.open()
        await self._keys.open()
        self._writing = asyncio.create_task(self._keep_writing(), name="identity-writing")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what was gathered."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._nonces.close()
        await self.usage.flush()
        await self.ground.denials.flush(all_=True)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            try:
                await self.usage.flush()
                await self.ground.denials.flush()
            except errors.QiantangError as error:
                log.warning("uses of sessions and tokens wait for the database", extra={"reason": error.detail})

    async def authenticate(self, credentials: Presented) -> Principal:
        """Give the principal behind what was presented (see `Authentication`)."""
        return await self.authentication.authenticate(credentials)

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        """Pass where an application exists in its environment (see `Estate`)."""
        await self.estate.require_application(session, place)

    async def needs_approval(self, session: storage.Session, place: scope.Scope) -> bool:
        """Say whether a publish waits for a second person."""
        return await self.estate.needs_approval(session, place)

    async def may(self, session: storage.Session, user: str, permission: str, place: scope.Scope) -> bool:
        """Say whether a user may do something in an application now (see `Authentication`)."""
        return await self.authentication.may(session, user, permission, Target.of(place))

    async def is_gone(self, place: scope.Scope) -> bool:
        """Say whether an application or its environment was deleted."""
        return await self.estate.is_gone(place)

    async def first_start_token(self) -> str | None:
        """Give a new one-time token for the first administrator; None once the platform has any account."""
        return await self.signing_in.first_start_token()
