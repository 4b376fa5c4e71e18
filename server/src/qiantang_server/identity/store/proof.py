"""Rows of proof: application credentials, nonces, and people's access tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.identity.store import tables
from qiantang_server.kernel.access import Target
from qiantang_server.kernel.storage import Session

Row = sa.Row[Any]
credentials, nonces, tokens = (
    tables.credentials,
    tables.nonces,
    tables.access_tokens,
)


def _at(place: Target) -> list[sa.ColumnElement[bool]]:
    return [credentials.c[part] == value for part, value in place._asdict().items() if value != "*"]


def _find_credential() -> sa.Select[Any]:
    gone, tenants = tables.gone, tables.tenants
    here = [sa.or_(gone.c[part] == credentials.c[part], gone.c[part] == "*") for part in Target._fields]
    buried = sa.exists().where(*here).correlate(credentials)
    disabled = sa.func.coalesce(tenants.c.disabled, sa.true())
    return (
        sa.select(credentials, disabled.label("tenant_disabled"), buried.label("buried"))
        .select_from(credentials.outerjoin(tenants, tenants.c.name == credentials.c.tenant))
        .where(credentials.c.id == sa.bindparam("credential"))
    )


_FIND_CREDENTIAL = _find_credential()  # made once: every instance that connects asks it twice


async def find_credential(session: Session, credential: str) -> Row | None:
    """Give a credential, with `tenant_disabled` and `buried`: whether its application or environment was deleted."""
    return await session.first(_FIND_CREDENTIAL, {"credential": credential})


async def list_credentials(session: Session, place: Target) -> Sequence[Row]:
    """Give the credentials of a place, newest first, those that ended included."""
    return await session.all(
        sa.select(credentials).where(*_at(place)).order_by(credentials.c.created_at.desc()).limit(200)
    )


async def count_active(session: Session, place: Target, now: int) -> int:
    """Count the credentials of a place that are good."""
    active = sa.and_(
        credentials.c.revoked_at == 0, sa.or_(credentials.c.expires_at == 0, credentials.c.expires_at > now)
    )
    return int(await session.scalar(sa.select(sa.func.count()).select_from(credentials).where(*_at(place), active)))


async def insert_credential(session: Session, values: Mapping[str, Any]) -> None:
    """Write a credential."""
    await session.execute(sa.insert(credentials).values(**values))


async def update_credential(session: Session, credential: str, values: Mapping[str, Any]) -> None:
    """Change a credential."""
    await session.execute(sa.update(credentials).where(credentials.c.id == credential).values(**values))


async def revoke_credentials(session: Session, place: Target, now: int) -> int:
    """End every credential of a place that is good; give the count."""
    return await session.execute(
        sa.update(credentials).where(*_at(place), credentials.c.revoked_at == 0).values(revoked_at=now)
    )


async def touch_credentials(session: Session, used: Mapping[str, int]) -> None:
    """Note when credentials were used last, by their id."""
    await _touch(session, credentials, used)


async def touch_tokens(session: Session, used: Mapping[str, int]) -> None:
    """Note when access tokens were used last, by their id."""
    await _touch(session, tokens, used)


async def _touch(session: Session, table: sa.Table, used: Mapping[str, int]) -> None:
    if used:
        statement = (
            sa.update(table).where(table.c.id == sa.bindparam("key")).values(last_used_at=sa.bindparam("moment"))
        )
        await session.execute(statement, [{"key": key, "moment": moment} for key, moment in sorted(used.items())])


async def known_nonces(session: Session, wanted: Collection[str]) -> set[str]:
    """Give those of the nonces that were used before."""
    rows = await session.all(sa.select(nonces.c.id).where(nonces.c.id.in_(sorted(wanted))))
    return {row.id for row in rows}


async def insert_nonces(session: Session, fresh: Mapping[str, int]) -> None:
    """Note nonces as used until a moment; the whole write fails where one is there already."""
    rows = [{"id": nonce, "expires_at": expires} for nonce, expires in sorted(fresh.items())]
    await session.execute(sa.insert(nonces), rows)


async def expire(session: Session, *, now: int, long_ago: int) -> int:
    """Remove nonces that ended, and credentials and tokens that ended long ago; give the count."""
    ended = sa.or_(
        sa.and_(credentials.c.revoked_at > 0, credentials.c.revoked_at <= long_ago),
        sa.and_(credentials.c.expires_at > 0, credentials.c.expires_at <= long_ago),
    )
    return sum(
        [
            await session.execute(sa.delete(nonces).where(nonces.c.expires_at <= now)),
            await session.execute(sa.delete(credentials).where(ended)),
            await session.execute(sa.delete(tokens).where(tokens.c.expires_at <= long_ago)),
        ]
    )


async def find_token(session: Session, token: str) -> Row | None:
    """Give an access token."""
    return await session.first(sa.select(tokens).where(tokens.c.id == token))


async def list_tokens(session: Session, user: str) -> Sequence[Row]:
    """Give a user's access tokens; their number is bounded."""
    return await session.all(sa.select(tokens).where(tokens.c.user_id == user).order_by(tokens.c.created_at.desc()))


async def insert_token(session: Session, values: Mapping[str, Any]) -> None:
    """Write an access token."""
    await session.execute(sa.insert(tokens).values(**values))


async def delete_token(session: Session, user: str, token: str) -> int:
    """Remove a user's access token; give how many there were."""
    return await session.execute(sa.delete(tokens).where(tokens.c.user_id == user, tokens.c.id == token))
