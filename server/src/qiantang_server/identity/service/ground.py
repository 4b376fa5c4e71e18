"""Ground: what every use case of identity stands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from qiantang.kernel import errors, resource, wire
from qiantang_server.identity.rules import granting
from qiantang_server.identity.service.pulse import Pulse
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.identity.store import revisions
from qiantang_server.kernel import access, audit, storage

T = TypeVar("T")
Guard = Callable[[access.Principal, str, access.Target], None]
MAX_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Parts that the use cases share."""

    database: storage.Database
    sealer: access.Sealer
    permissions: access.Permissions
    settings: IdentitySettings
    pulse: Pulse
    denials: audit.Denials

    def now(self) -> int:
        """Give the moment in milliseconds."""
        return self.pulse.millis()

    async def require(self, principal: access.Principal, permission: str, target: access.Target) -> None:
        """Let pass as the guard does, for places that stand in a body; a refusal is written down.

        Raises:
            NotFoundError: the principal may not know that the tenant exists.
            NotPermittedError: the permission is not granted there.
        """
        await self._let_pass(access.require, principal, permission, target)

    async def require_whole(self, principal: access.Principal, permission: str, target: access.Target) -> None:
        """Let pass who holds a permission on the whole of a place, for lists as well; a refusal is written down.

        Raises:
            NotFoundError: the principal may not know that the tenant exists.
            NotPermittedError: the permission is held on a part of the place at most.
        """
        await self._let_pass(granting.require_whole, principal, permission, target)

    async def _let_pass(
        self, guard: Guard, principal: access.Principal, permission: str, target: access.Target
    ) -> None:
        try:
            guard(principal, permission, target)
        except errors.QiantangError as error:
            await self.denials.refused(principal, error)
            raise

    async def change(self, work: Callable[[storage.Session], Awaitable[T]], *tenants: str) -> T:
        """Run `work` in one transaction that changes rights in these tenants ("" is the platform).

        Such transactions run one after the other on all servers, and every server hears of them.
        """

        async def counted(session: storage.Session) -> T:
            await revisions.bump(session, *tenants)
            session.after_commit(self.pulse.expire)
            return await work(session)

        return await self.database.write(counted)


def page_limit(limit: int) -> int:
    """Keep a page within bounds."""
    return max(1, min(limit, MAX_PAGE))


def changes(before: Any, after: Any) -> list[Any]:
    """Give what is different, for an audit row; wire models and plain values alike."""
    return [wire.builtins(one) for one in resource.differences(wire.builtins(before), wire.builtins(after))]


def missing(what: str, name: str) -> errors.NotFoundError:
    """Say that something is not there, in the words that also hide what may not be seen."""
    return errors.NotFoundError(f"there is no {what} {name[:80]!r}, or it is not visible to you")
