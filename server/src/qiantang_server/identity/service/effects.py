"""Effects: what a grant would change before it is given, and what before it is taken back. Nothing is written."""

from __future__ import annotations

from dataclasses import replace

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules.effects import Effect, Lines, effect
from qiantang_server.identity.service.granting import (
    found_grant,
    grantee,
    known_place,
    lines_of,
    require_place,
    require_time,
)
from qiantang_server.identity.service.ground import Ground, missing
from qiantang_server.identity.service.rights import place_of, rights_of
from qiantang_server.identity.store import people
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import CompiledGrants, Grant, Principal, Target

LIST = "identity.grant:list"


class Effects:
    """Previews of grants, told by the compiled grants that the guard checks."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def preview(self, principal: Principal, command: model.NewGrant, tenant: str = "") -> model.GrantEffect:
        """Say what a grant would give that its user does not hold now, as if it had begun; in `tenant` alone if given.

        Raises:
            NotFoundError: the principal may not know of the tenant.
            NotPermittedError: he may not see who holds what in the whole place.
            InvalidRequestError: user, role, place and time do not fit together.
        """
        pattern = Target.parse(command.pattern)
        if tenant and pattern.tenant != tenant:
            raise errors.InvalidRequestError(f"{pattern} is no place in tenant {tenant}")
        await self._ground.require_whole(principal, LIST, pattern)
        require_time(command, self._ground.now())
        async with self._ground.database.reading() as session:
            user = await grantee(session, command.user, pattern)
            lines = await lines_of(session, command.role, pattern)
            await require_place(session, pattern)
            rights = await rights_of(session, command.user, self._ground.now())
        found = self._effect(Grant(lines, pattern, command.role), rights.grants, user.tenant)
        return _shown(found, gained=found.only)

    async def preview_removal(self, principal: Principal, grant: str, tenant: str = "") -> model.GrantEffect:
        """Say what a grant's user would lose with it, and what of it he holds by other grants.

        One that has not begun yet counts as if it had; with one that is over nothing is lost.

        Raises:
            NotFoundError: there is none, not in `tenant` if given, or the principal may not know of its tenant.
            NotPermittedError: he may not see who holds what in the whole place.
        """
        pattern = await known_place(self._ground, principal, grant, LIST)
        if tenant and pattern.tenant != tenant:
            raise missing("grant", grant)
        await self._ground.require_whole(principal, LIST, pattern)
        now = self._ground.now()
        async with self._ground.database.reading() as session:
            row = await found_grant(session, grant)
            lines = await lines_of(session, row.role, pattern)
            home = await _home(session, row.user_id)
            rights = await rights_of(session, row.user_id, now)
        others = [one for one in rights.grants if one.id != grant]
        found = self._effect(Grant(lines, place_of(row), row.role, row.id), others, home)
        if row.expires and row.expires <= now:
            found = replace(found, only={})
        return _shown(found, lost=found.only)

    def _effect(self, grant: Grant, others: list[Grant] | tuple[Grant, ...], tenant: str) -> Effect:
        permissions = self._ground.permissions
        alone = CompiledGrants([grant], permissions, tenant)
        return effect(alone, CompiledGrants(others, permissions, tenant))


async def _home(session: storage.Session, user: str) -> str:
    row = await people.find_user(session, user)
    return row.tenant if row is not None else ""


def _shown(found: Effect, *, gained: Lines | None = None, lost: Lines | None = None) -> model.GrantEffect:
    return model.GrantEffect(
        gained=_lines(gained or {}),
        lost=_lines(lost or {}),
        already=_lines(found.also),
        replaces_nothing=not found.covers,
    )


def _lines(lines: Lines) -> list[model.EffectLine]:
    return [model.EffectLine(pattern=str(place), permissions=sorted(held)) for place, held in sorted(lines.items())]
