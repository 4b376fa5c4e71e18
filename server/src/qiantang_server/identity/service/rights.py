"""Rights: what a user's grants come to at a moment, and until when that stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from qiantang_server.identity.rules.roles import BUILT_IN
from qiantang_server.identity.store import people
from qiantang_server.identity.store.people import Row
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import CompiledGrants, Grant, Permissions, Target

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Rights:
    """Grants that are good now. `until` is the moment at which one begins or ends."""

    grants: tuple[Grant, ...]
    until: int = FOREVER

    def compiled(self, permissions: Permissions, tenant: str) -> CompiledGrants:
        """Compile them, kept inside the user's tenant."""
        return CompiledGrants(self.grants, permissions, tenant)


async def rights_of(session: storage.Session, user: str, now: int) -> Rights:
    """Look up what a user holds."""
    rows = await people.grants_of(session, user)
    own = await people.own_roles(session, sorted({(row.tenant, row.role) for row in rows if row.role not in BUILT_IN}))
    found: list[Grant] = []
    until = FOREVER
    for row in rows:
        until = min(until, *(moment for moment in (row.not_before, row.expires, FOREVER) if moment > now))
        if row.not_before <= now and (row.expires == 0 or now < row.expires):
            found.append(Grant(_lines(row, own), place_of(row), row.role, row.id))
    return Rights(tuple(found), until)


def place_of(row: Row) -> Target:
    """Give the place that a row with four columns for it names."""
    return Target(row.tenant, row.environment, row.center, row.application)


def role_lines(permissions: str) -> tuple[str, ...]:
    """Read permission lines from their row."""
    return msgspec.json.decode(permissions, type=tuple[str, ...])


def _lines(row: Row, own: dict[tuple[str, str], str]) -> tuple[str, ...]:
    built_in = BUILT_IN.get(row.role)
    if built_in is not None:
        return built_in.permissions
    stored = own.get((row.tenant, row.role))
    return role_lines(stored) if stored is not None else ()


def held_roles(grants: Sequence[Grant]) -> list[tuple[str, str, list[str]]]:
    """List role, pattern and permissions of grants, in a steady order."""
    return sorted((grant.role, str(grant.pattern), sorted(grant.permissions)) for grant in grants)
