"""Overrides: what people see of the registry, and what they lay over nodes: taken offline, given another weight, and back."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from qiantang.kernel import release, scope
from qiantang.registry.errors import RegistryFullError, UnknownDefinitionError, UnknownNodeError
from qiantang.registry.model.answers import (
    DefinitionDetail,
    DefinitionView,
    MicroserviceView,
    NodeChange,
    NodeDetail,
    NodeView,
)
from qiantang.registry.port import MAX_NODES
from qiantang.registry.port.bounds import check_node_name, check_service, decode_definition
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Principal, Target
from qiantang_server.registry.service import shown
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.store import moving, nodes, views
from qiantang_server.registry.store.tables import Place

LIST: Final = "registry.node:list"
READ: Final = "registry.node:read"
UPDATE: Final = "registry.node:update"
LIST_DEFINITIONS: Final = "registry.definition:list"
READ_DEFINITIONS: Final = "registry.definition:read"
PERMISSIONS: Final = {
    LIST: "see which microservices there are, and their nodes",
    READ: "see all that a node says of itself",
    UPDATE: "take nodes offline, give them another weight, and take that back",
    LIST_DEFINITIONS: "see which services microservices offer",
    READ_DEFINITIONS: "see what a service offers",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is asked for; `after` is what a page gave as `next`."""

    words: str = ""
    after: str = ""
    limit: int = 100


class Overrides:
    """What people see and change; each change is in the trail."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def microservices(
        self, principal: Principal, tenant: str, environment: str, asked: Asked
    ) -> release.Page[MicroserviceView]:
        """List the microservices that a principal may see, in order of name."""
        place = Place(tenant, environment)
        visible = access.visible(principal, LIST, views.COLUMNS)
        async with self._ground.database.reading() as session:
            rows = await views.list_microservices(
                session, place, visible, words=asked.words, after=asked.after, limit=asked.limit + 1
            )
            page = rows[: asked.limit]
            names = [row.name for row in page]
            counted = await views.count_nodes(session, place, names)
            offered = await views.count_definitions(session, place, names)
        items = [shown.microservice(row, counted, offered) for row in page]
        return release.Page(items=items, next=page[-1].name if len(rows) > asked.limit else "")

    async def nodes(self, place: scope.Scope, asked: Asked) -> release.Page[NodeView]:
        """List the nodes of an application's microservice, and what is laid over nodes that are not there."""
        async with self._ground.database.reading() as session:
            rows = await self._rows(session, place, after=asked.after, limit=asked.limit + 1)
        items = [shown.view(row) for row in rows[: asked.limit]]
        return release.Page(items=items, next=items[-1].name if len(rows) > asked.limit else "")

    async def node(self, place: scope.Scope, name: str) -> NodeDetail:
        """Give a node.

        Raises:
            UnknownNodeError: there is none, and nothing is laid over one of that name.
        """
        async with self._ground.database.reading() as session:
            rows = await self._rows(session, place, name=check_node_name(name), limit=1)
        if not rows:
            raise UnknownNodeError(f"{place} has no node {name[:80]!r}")
        return NodeDetail(view=shown.view(rows[0]), node=shown.node(rows[0]))

    async def change(self, principal: Principal, place: scope.Scope, name: str, change: NodeChange) -> NodeDetail:
        """Lay something over a node, or take it back; callers see it at once.

        Raises:
            UnknownNodeError: there is none, and nothing is laid over one of that name.
            RegistryFullError: something is laid over too many nodes of the microservice.
        """
        check_node_name(name)
        where = Place.of(place)

        async def work(session: storage.Session, revision: int) -> None:
            rows = await self._rows(session, place, name=name, limit=1)
            if not rows:
                raise UnknownNodeError(f"{place} has no node {name[:80]!r}")
            laid = _changed(rows[0], change)
            said = {"reason": change.reason, "set_by": principal.name or principal.id}
            await self._lay(session, place, rows[0], {**laid, **said})
            await moving.note_again(session, where, [place.application], revision)
            event = audit.AuditEvent.by(
                principal,
                UPDATE,
                Target.of(place),
                resource=f"nodes/{name}",
                reason=change.reason,
                changes=[laid],
            )
            await audit.record(session, event)

        await self._ground.change(where, work)
        return await self.node_or_gone(place, name)

    async def node_or_gone(self, place: scope.Scope, name: str) -> NodeDetail:
        """Give a node after a change, which may have been the last that was known of it."""
        try:
            return await self.node(place, name)
        except UnknownNodeError:
            return NodeDetail(view=shown.absent(name, place), node=None)

    async def definitions(self, place: scope.Scope, asked: Asked) -> release.Page[DefinitionView]:
        """List what the services of an application's microservice offer."""
        async with self._ground.database.reading() as session:
            if not await self._is_its(session, place):
                return release.Page(items=[])
            rows = await views.list_definitions(
                session, Place.of(place), place.application, asked.after, asked.limit + 1
            )
        items = [shown.definition(row) for row in rows[: asked.limit]]
        return release.Page(items=items, next=items[-1].service if len(rows) > asked.limit else "")

    async def definition(self, place: scope.Scope, service: str) -> DefinitionDetail:
        """Give what a service offers.

        Raises:
            UnknownDefinitionError: it was not published.
        """
        async with self._ground.database.reading() as session:
            row, found = None, None
            if await self._is_its(session, place):
                row = await nodes.find_definition(session, Place.of(place), place.application, check_service(service))
        if row is not None:
            found = decode_definition(bytes(row.body), service)
        if row is None or found is None:
            raise UnknownDefinitionError(f"{place} has published no definition of {service[:80]!r}")
        return DefinitionDetail(view=shown.definition(row), definition=found)

    async def _is_its(self, session: storage.Session, place: scope.Scope) -> bool:
        """Say whether the microservice of that name is this application, and not that of another center."""
        return await moving.center_of(session, Place.of(place), place.application) == place.center

    async def _rows(self, session: storage.Session, place: scope.Scope, **asked: Any) -> list[views.Row]:
        if not await self._is_its(session, place):
            return []
        return list(await views.list_nodes(session, Place.of(place), place.application, **asked))

    async def _lay(self, session: storage.Session, place: scope.Scope, row: views.Row, laid: dict[str, Any]) -> None:
        where = Place.of(place)
        if not laid["state"] and laid["weight"] is None:
            await views.remove_override(session, where, place.application, row.name)
            return
        if row.laid_state is None and await views.count_overrides(session, where, place.application) >= MAX_NODES:
            raise RegistryFullError(f"something is laid over {MAX_NODES} nodes of {place} already")
        now = await session.now()
        of = {"tenant": place.tenant, "environment": place.environment, "microservice": place.application}
        await views.save_override(session, {**of, "node": row.name, **laid, "set_at": now, "seen_at": now})


def _changed(row: views.Row, change: NodeChange) -> dict[str, Any]:
    """Give what is laid over a node after a change."""
    state = row.laid_state or "" if change.state is UNSET else change.state or ""
    weight = row.laid_weight if change.weight is UNSET else change.weight
    return {"state": state, "weight": weight}
