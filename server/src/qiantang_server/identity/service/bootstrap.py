"""Bootstrap: brings an estate into being, and changes nothing where it is there already. For demos and set-ups."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from qiantang.identity import model
from qiantang.identity.errors import ExistsError
from qiantang.kernel import scope
from qiantang_server.identity.service.credentials import Credentials
from qiantang_server.identity.service.estate import Estate
from qiantang_server.kernel.access import Principal


class Bootstrap:
    """Idempotent set-up as the platform itself."""

    def __init__(self, estate: Estate, credentials: Credentials, system: Principal) -> None:
        self._estate = estate
        self._credentials = credentials
        self._system = system

    async def ensure_application(self, place: scope.Scope, title: str = "") -> None:
        """Have tenant, environment, center and application of a scope."""
        system, estate = self._system, self._estate
        await _unless_there(estate.create_tenant(system, model.NewTenant(name=place.tenant)))
        environment = model.NewEnvironment(name=place.environment)
        await _unless_there(estate.create_environment(system, place.tenant, environment))
        await _unless_there(estate.create_center(system, place.tenant, model.NewCenter(name=place.center)))
        application = model.NewApplication(name=place.application, title=title)
        await _unless_there(estate.create_application(system, place.tenant, place.center, application))

    async def ensure_credential(
        self, place: scope.Scope, title: str, known: tuple[str, str] | None = None
    ) -> model.IssuedCredential:
        """Have a credential: the known one (id and secret) while it is good, else a new one.

        Credentials of the same title that are active make room for the new one.
        """
        if known is not None and await self._credentials.secret_fits(place, *known):
            return model.IssuedCredential(id=known[0], secret=known[1], scope=place, expires_at=0)
        for credential in await self._credentials.list_credentials(place):
            if credential.active and credential.title == title:
                await self._credentials.revoke_credential(self._system, place, credential.id)
        return await self._credentials.create_credential(self._system, place, model.NewCredential(title=title))


async def _unless_there(creating: Awaitable[Any]) -> None:
    try:
        await creating
    except ExistsError:
        return
