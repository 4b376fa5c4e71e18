"""Rows of people: users, their own roles per tenant, and their grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.identity.store import tables
from qiantang_server.kernel.access import PLATFORM, Columns, Target
from qiantang_server.kernel.storage import Session
from qiantang_server.kernel.storage.paging import By, Order, Sorting
from qiantang_server.kernel.storage.words import holding

Row = sa.Row[Any]
Condition = sa.ColumnElement[bool]
users, roles, grants = tables.users, tables.roles, tables.grants

# an account of the platform has no tenant: it stands where the grants say `*`
USER_COLUMNS = Columns(sa.case((users.c.tenant == "", "*"), else_=users.c.tenant))
GRANT_COLUMNS = Columns(grants.c.tenant, grants.c.environment, grants.c.center, grants.c.application)
"""Where rows say what they belong to, for `access.visible`."""

SORTING = Sorting(
    {
        "name": By(users.c.name),
        "title": By(users.c.title, folded=True),
        "tenant": By(users.c.tenant),
        "created_at": By(users.c.created_at),
        "signed_in_at": By(users.c.signed_in_at),
    },
    key=(users.c.id,),
)
"""What accounts can be sorted by; by their key they are in the order in which they were made."""


async def any_platform_user(session: Session) -> bool:
    """Say whether the platform itself has any account; those of tenants do not count."""
    return await session.first(sa.select(users.c.id).where(users.c.tenant == "").limit(1)) is not None


async def find_user(session: Session, user: str) -> Row | None:
    """Give an account."""
    return await session.first(sa.select(users).where(users.c.id == user))


async def find_user_by_name(session: Session, tenant: str, name: str) -> Row | None:
    """Give an account by what its owner types, with whether its tenant is disabled."""
    disabled = sa.func.coalesce(tables.tenants.c.disabled, sa.false()).label("tenant_disabled")
    return await session.first(
        sa.select(users, disabled)
        .select_from(users.outerjoin(tables.tenants, tables.tenants.c.name == users.c.tenant))
        .where(users.c.tenant == tenant, users.c.name == name)
    )


async def insert_user(session: Session, values: Mapping[str, Any]) -> None:
    """Write a new account."""
    await session.execute(sa.insert(users).values(**values))


async def update_user(session: Session, user: str, values: Mapping[str, Any]) -> None:
    """Change an account; nothing to change is well."""
    if values:
        await session.execute(sa.update(users).where(users.c.id == user).values(**values))


async def delete_user(session: Session, user: str) -> None:
    """Remove an account with its grants, sessions and tokens."""
    for table in (grants, tables.sessions, tables.access_tokens, tables.sources):
        await session.execute(sa.delete(table).where(table.c.user_id == user))
    await session.execute(sa.delete(users).where(users.c.id == user))


async def page_users(
    session: Session, wanted: Sequence[Condition], tenant: str | None, order: Order, limit: int
) -> Sequence[Row]:
    """Give accounts that fulfil all that is wanted, of one tenant or of all, in an order of `SORTING`."""
    conditions = [*wanted] if tenant is None else [*wanted, users.c.tenant == tenant]
    return await session.all(order.page(sa.select(users).where(*conditions), limit))


def titled(words: str) -> Condition:
    """Give the condition under which an account's name or title holds some words."""
    return holding(words, users.c.name, users.c.title)


async def find_role(session: Session, tenant: str, name: str) -> Row | None:
    """Give a tenant's own role."""
    return await session.first(sa.select(roles).where(roles.c.tenant == tenant, roles.c.name == name))


async def own_roles(session: Session, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Give the permission lines, as JSON text, of tenants' own roles by tenant and name."""
    if not pairs:
        return {}
    wanted = sa.or_(*(sa.and_(roles.c.tenant == tenant, roles.c.name == name) for tenant, name in pairs))
    rows = await session.all(sa.select(roles).where(wanted))
    return {(row.tenant, row.name): row.permissions for row in rows}


async def list_roles(session: Session, tenant: str) -> Sequence[Row]:
    """Give a tenant's own roles in order of name; their number is bounded."""
    return await session.all(sa.select(roles).where(roles.c.tenant == tenant).order_by(roles.c.name).limit(1000))


async def count_roles(session: Session, tenant: str) -> int:
    """Count a tenant's own roles."""
    return int(await session.scalar(sa.select(sa.func.count()).select_from(roles).where(roles.c.tenant == tenant)))


async def save_role(session: Session, values: Mapping[str, Any]) -> None:
    """Write a role, new or changed."""
    await session.upsert(roles, [values], ["title", "permissions"])


async def delete_role(session: Session, tenant: str, name: str) -> None:
    """Remove a role."""
    await session.execute(sa.delete(roles).where(roles.c.tenant == tenant, roles.c.name == name))


async def role_in_use(session: Session, tenant: str, name: str) -> bool:
    """Say whether anybody holds a role of a tenant."""
    found = sa.select(grants.c.id).where(grants.c.tenant == tenant, grants.c.role == name).limit(1)
    return await session.first(found) is not None


async def grants_of(session: Session, user: str) -> Sequence[Row]:
    """Give all grants of a user, those to come and those over included; their number is bounded."""
    return await session.all(sa.select(grants).where(grants.c.user_id == user).order_by(grants.c.id))


async def grants_by_id(session: Session, ids: Sequence[str]) -> dict[str, Row]:
    """Give the grants of some ids that are there."""
    if not ids:
        return {}
    return {row.id: row for row in await session.all(sa.select(grants).where(grants.c.id.in_(sorted(ids))))}


async def count_grants(session: Session, user: str) -> int:
    """Count a user's grants."""
    return int(await session.scalar(sa.select(sa.func.count()).select_from(grants).where(grants.c.user_id == user)))


async def find_grant(session: Session, grant: str) -> Row | None:
    """Give a grant."""
    return await session.first(sa.select(grants).where(grants.c.id == grant))


async def insert_grant(session: Session, values: Mapping[str, Any]) -> None:
    """Write a grant."""
    await session.execute(sa.insert(grants).values(**values))


async def delete_grant(session: Session, grant: str) -> None:
    """Remove a grant."""
    await session.execute(sa.delete(grants).where(grants.c.id == grant))


async def delete_grants_in(session: Session, place: Target) -> None:
    """Remove the grants that name a place which is no more."""
    named = [grants.c[part] == value for part, value in place._asdict().items() if value != "*"]
    await session.execute(sa.delete(grants).where(*named))


async def page_grants(
    session: Session, wanted: Sequence[Condition], tenant: str | None, after: str, limit: int
) -> Sequence[Row]:
    """Give grants that fulfil all that is wanted, in one tenant or in all, with the names of their users, in order of id."""
    conditions = [*wanted] if tenant is None else [*wanted, grants.c.tenant == tenant]
    return await session.all(
        sa.select(grants, sa.func.coalesce(users.c.name, "").label("user_name"))
        .select_from(grants.outerjoin(users, users.c.id == grants.c.user_id))
        .where(*conditions, grants.c.id > after)
        .order_by(grants.c.id)
        .limit(limit)
    )


def _platform_grants(role: str) -> sa.Select[Any]:
    whole = [grants.c[part] == value for part, value in PLATFORM._asdict().items()]
    return sa.select(grants.c.id).where(grants.c.role == role, *whole).limit(1)


async def is_platform_admin(session: Session, role: str, user: str) -> bool:
    """Say whether a user holds the platform's role on the whole, for good or for a time."""
    return await session.first(_platform_grants(role).where(grants.c.user_id == user)) is not None


async def other_platform_admins(
    session: Session, role: str, *, without_user: str = "", without_grant: str = ""
) -> bool:
    """Say whether somebody administers the platform for good, if this user or this grant were away."""
    for_good = [grants.c.expires == 0, grants.c.not_before == 0, users.c.disabled.is_(False)]
    found = (
        _platform_grants(role)
        .select_from(grants.join(users, users.c.id == grants.c.user_id))
        .where(*for_good, users.c.id != without_user, grants.c.id != without_grant)
    )
    return await session.first(found) is not None
