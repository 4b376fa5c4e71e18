"""Listing: published services of an application or of a whole tenant, with who may call them and who does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa

from qiantang.catalog.model.answers import OfferView
from qiantang.catalog.model.kinds import CAPABILITY, SERVICE_KIND, ServiceBody
from qiantang.kernel import errors, release, resource, scope, wire
from qiantang_server.catalog import store
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.resources import Ground
from qiantang_server.kernel.resources import store as kernel_store
from qiantang_server.kernel.resources.state import State

READ: Final = "catalog.service:read"
MAX_WORDS: Final = 200
MAX_DESCRIPTION: Final = 4000
States = Literal["", "registered", "online", "offline"]
_bundle = kernel_store.bundles.c
_COLUMNS: Final = access.Columns(_bundle.tenant, _bundle.environment, _bundle.center, _bundle.application)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which services are asked for; what is empty asks for all. `words` are looked for in names, methods and descriptions."""

    environment: str = ""
    words: str = ""
    state: States = ""
    after: str = ""
    limit: int = 100


class Listing:
    """Reads what is published; one page in a bounded number of queries."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def of_tenant(self, principal: access.Principal, tenant: str, wanted: Wanted) -> release.Page[OfferView]:
        """Give a page of the services of a tenant that the principal may see.

        Raises:
            InvalidRequestError: `after` is not what a page gave.
        """
        allowed = sa.and_(_bundle.tenant == tenant, access.visible(principal, READ, _COLUMNS))
        if wanted.environment:
            allowed = sa.and_(allowed, _bundle.environment == wanted.environment)
        return await self._page(tenant, allowed, wanted)

    async def of_application(self, bundle: resource.Bundle, wanted: Wanted) -> release.Page[OfferView]:
        """Give a page of an application's services.

        Raises:
            InvalidRequestError: `after` is not what a page gave.
        """
        place = bundle.scope
        allowed = sa.and_(
            _bundle.tenant == place.tenant,
            _bundle.environment == place.environment,
            _bundle.center == place.center,
            _bundle.application == place.application,
        )
        return await self._page(place.tenant, allowed, wanted)

    async def _page(self, tenant: str, allowed: sa.ColumnElement[bool], wanted: Wanted) -> release.Page[OfferView]:
        after = _place_after(wanted.after) if wanted.after else ()
        words = wanted.words.strip()[:MAX_WORDS]
        async with self._parts.database.reading() as session:
            rows = await store.list_services(
                session, allowed, words=words, state=wanted.state, after=after, limit=wanted.limit + 1
            )
            items = await _views(session, tenant, rows[: wanted.limit])
        following = "/".join(_key(rows[wanted.limit - 1])) if len(rows) > wanted.limit else ""
        return release.Page(items=items, next=following)


async def _views(session: storage.Session, tenant: str, rows: Sequence[store.Row]) -> list[OfferView]:
    states = await store.read_states(session, {row.id: row.revision for row in rows})
    items = {
        (key, item.name): item
        for key, state in states.items()
        for item in wire.decode(state, State).items
        if item.kind == SERVICE_KIND
    }
    shown = [(row, items[row.id, row.name]) for row in rows if (row.id, row.name) in items]
    bodies = await store.read_bodies(session, [(row.id, item.digest) for row, item in shown])
    places = [((row.environment, row.center, row.application), row.name) for row, _ in shown]
    consumers = await store.list_consumers(session, tenant, places)
    return [
        _view(row, wire.decode(bodies[row.id, item.digest], ServiceBody), consumers.get(place, []), item.revision)
        for (row, item), place in zip(shown, places, strict=True)
    ]


def _view(row: Any, body: ServiceBody, consumers: list[str], revision: int) -> OfferView:
    return OfferView(
        environment=row.environment,
        center=row.center,
        application=row.application,
        service=row.name,
        state=body.state,
        version=body.version,
        group=body.group,
        digest=body.digest,
        access=body.access,
        methods=len(body.document.methods),
        subscribers=body.subscribers,
        consumers=consumers,
        revision=revision,
        description=body.description or body.document.description[:MAX_DESCRIPTION],
    )


def _key(row: store.Row) -> tuple[str, str, str, str]:
    return (row.environment, row.center, row.application, row.name)


def _place_after(after: str) -> Sequence[str]:
    place, _, service = after.rpartition("/")
    try:
        where = resource.Bundle(scope=scope.Scope.parse(f"any/{place}"), capability=CAPABILITY).scope
    except errors.InvalidRequestError as error:
        raise errors.InvalidRequestError("`after` is not what an earlier page gave as `next`") from error
    return (where.environment, where.center, where.application, service)
