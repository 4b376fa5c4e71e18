"""Rows of the catalog: requests to call a service, and what the kernel's tables say of services and subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from qiantang.catalog.model.kinds import CAPABILITY, SERVICE_KIND, SUBSCRIPTION_KIND
from qiantang.kernel import resource
from qiantang_server.catalog import rules
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import store as kernel_store
from qiantang_server.kernel.storage.words import holding

Row = sa.Row[Any]
Place = tuple[str, str, str]
"""Environment, center, application."""

access_requests = sa.Table(
    "catalog_request",
    storage.metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    storage.name_column("tenant"),
    storage.name_column("environment"),
    storage.name_column("center"),
    storage.name_column("application"),
    storage.name_column("consumer_center"),
    storage.name_column("consumer_application"),
    storage.name_column("service", 128),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", storage.Text, nullable=False),
    sa.Column("author", sa.String(128), nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
    sa.Column("answer", storage.Text, nullable=False),
    sa.Column("decided_by", sa.String(128), nullable=False),
    sa.Column("decided_at", storage.Millis, nullable=False),
    sa.Column("publishing", sa.String(32), nullable=False),
    sa.Index("ix_catalog_request_provider", "tenant", "environment", "center", "application", "state"),
    sa.Index(
        "ix_catalog_request_consumer", "tenant", "environment", "consumer_center", "consumer_application", "state"
    ),
)

MOST_CONSUMERS: Final = 5000
_request = access_requests.c
_bundle, _text = kernel_store.bundles.c, kernel_store.texts.c
_found = kernel_store.texts.alias("found")
ORDER: Final = (_bundle.environment, _bundle.center, _bundle.application, _text.name)


def of_provider(bundle: resource.Bundle) -> sa.ColumnElement[bool]:
    """Give the condition under which a request is to an application."""
    place = bundle.scope
    return sa.and_(
        _request.tenant == place.tenant,
        _request.environment == place.environment,
        _request.center == place.center,
        _request.application == place.application,
    )


def of_consumer(bundle: resource.Bundle) -> sa.ColumnElement[bool]:
    """Give the condition under which a request is one of an application's."""
    place = bundle.scope
    return sa.and_(
        _request.tenant == place.tenant,
        _request.environment == place.environment,
        _request.consumer_center == place.center,
        _request.consumer_application == place.application,
    )


async def add_request(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Write a request."""
    await session.execute(sa.insert(access_requests).values(**values))


async def count_waiting(session: storage.Session, condition: sa.ColumnElement[bool], service: str = "") -> int:
    """Count those that wait, of one service or of all."""
    statement = sa.select(sa.func.count()).select_from(access_requests).where(condition, _request.state == "waiting")
    if service:
        statement = statement.where(_request.service == service)
    return int(await session.scalar(statement) or 0)


async def list_requests(
    session: storage.Session, condition: sa.ColumnElement[bool], *, decided: bool, after: str, limit: int
) -> list[Row]:
    """Give requests below an id, newest first, each with what became of the publish that it waits for."""
    statement = _requests().where(condition).order_by(_request.id.desc()).limit(limit)
    if not decided:
        statement = statement.where(_request.state == "waiting")
    if after:
        statement = statement.where(_request.id < after)
    return list(await session.all(statement))


async def find_request(session: storage.Session, condition: sa.ColumnElement[bool], key: str) -> Row | None:
    """Read a request, if it is one of those meant."""
    return await session.first(_requests().where(condition, _request.id == key))


async def lock_request(session: storage.Session, key: str) -> Row | None:
    """Lock a request until the transaction ends."""
    return await session.first(sa.select(access_requests).where(_request.id == key).with_for_update())


async def change_request(session: storage.Session, key: str, values: Mapping[str, Any]) -> None:
    """Write what became of a request."""
    await session.execute(sa.update(access_requests).where(_request.id == key).values(**values))


def _requests() -> sa.Select[Any]:
    published = kernel_store.requests
    joined = sa.outerjoin(access_requests, published, published.c.id == _request.publishing)
    return sa.select(access_requests, published.c.state.label("publishing_state")).select_from(joined)


async def list_services(
    session: storage.Session,
    allowed: sa.ColumnElement[bool],
    *,
    words: str = "",
    state: str = "",
    after: Sequence[str] = (),
    limit: int,
) -> list[Row]:
    """Give published services in order of place and name: the bundle's row, `name` and `state` of each."""
    columns = (_text.name, _text.text.label("state"))
    statement = (
        sa.select(kernel_store.bundles, *columns)
        .join(kernel_store.texts, _text.bundle == _bundle.id)
        .where(_bundle.capability == CAPABILITY, _text.kind == SERVICE_KIND, _text.path == rules.STATE_PATH, allowed)
        .order_by(*ORDER)
        .limit(limit)
    )
    if state:
        statement = statement.where(_text.text == state)
    if words:
        statement = statement.where(
            sa.or_(holding(words, _text.name, _bundle.center, _bundle.application), _says(words))
        )
    if after:
        statement = statement.where(sa.tuple_(*ORDER) > sa.tuple_(*after))
    return list(await session.all(statement))


def _says(words: str) -> sa.ColumnElement[bool]:
    same = (_found.c.bundle == _text.bundle, _found.c.kind == _text.kind, _found.c.name == _text.name)
    said = holding(words, _found.c.path, _found.c.text)
    return sa.exists().where(*same, _found.c.path != rules.STATE_PATH, said)


async def read_states(session: storage.Session, heads: Mapping[int, int]) -> dict[int, bytes]:
    """Give the states that bundles are at, by their keys; `heads` says the revision of each."""
    if not heads:
        return {}
    release = kernel_store.releases.c
    wanted = sa.tuple_(release.bundle, release.revision).in_(list(heads.items()))
    rows = await session.all(sa.select(release.bundle, release.state).where(wanted))
    return {row.bundle: bytes(row.state) for row in rows}


async def read_bodies(session: storage.Session, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], bytes]:
    """Give contents by bundle and digest."""
    content = kernel_store.contents.c
    keys = sorted(set(wanted))
    if not keys:
        return {}
    statement = sa.select(content.bundle, content.digest, content.body)
    rows = await session.all(statement.where(sa.tuple_(content.bundle, content.digest).in_(keys)))
    return {(row.bundle, row.digest): bytes(row.body) for row in rows}


async def list_consumers(
    session: storage.Session, tenant: str, wanted: Sequence[tuple[Place, str]]
) -> dict[tuple[Place, str], list[str]]:
    """Give who subscribed to services, by where each is provided."""
    said = [(place[0], rules.service_path(name), f"{place[1]}/{place[2]}") for place, name in wanted]
    found: dict[tuple[Place, str], list[str]] = {}
    if not said:
        return found
    statement = (
        sa.select(_bundle.environment, _bundle.center, _bundle.application, _text.path, _text.text)
        .join(kernel_store.texts, _text.bundle == _bundle.id)
        .where(_bundle.tenant == tenant, _bundle.capability == CAPABILITY, _text.kind == SUBSCRIPTION_KIND)
        .where(sa.tuple_(_bundle.environment, _text.path, _text.text).in_(said))
        .order_by(_bundle.center, _bundle.application)
        .limit(MOST_CONSUMERS)
    )
    for row in await session.all(statement):
        center, _, application = row.text.partition("/")
        key = ((row.environment, center, application), row.path.removeprefix(rules.service_path("")))
        names = found.setdefault(key, [])
        if (name := f"{row.center}/{row.application}") not in names:
            names.append(name)
    return found
