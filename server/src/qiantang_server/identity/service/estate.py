"""Estate: tenants, their environments and centers, and the applications in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from qiantang.identity import model
from qiantang.identity.errors import ApplicationGoneError, ExistsError, NotEmptyError
from qiantang.kernel import errors, scope
from qiantang_server.identity.service.ground import Ground, changes, missing, page_limit
from qiantang_server.identity.store import estate, people, proof, sign_in
from qiantang_server.identity.store.estate import Condition, Row, What
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal, Target, visible
from qiantang_server.kernel.coordination.port import RESERVED_TENANTS

RESERVED = RESERVED_TENANTS | {"search"}
"""Names that mean something else where tenants are named: in ZooKeeper, and in paths such as /config/search/{tenant}."""


def shown_tenant(row: Row) -> model.Tenant:
    """Give a tenant's row as it is shown."""
    return model.Tenant(name=row.name, title=row.title, disabled=bool(row.disabled), created_at=row.created_at)


def shown_environment(row: Row) -> model.Environment:
    """Give an environment's row as it is shown."""
    return model.Environment(
        tenant=row.tenant,
        name=row.name,
        title=row.title,
        protected=bool(row.protected),
        created_at=row.created_at,
    )


def shown_center(row: Row) -> model.Center:
    """Give a center's row as it is shown."""
    return model.Center(tenant=row.tenant, name=row.name, title=row.title, created_at=row.created_at)


def shown_application(row: Row) -> model.Application:
    """Give an application's row as it is shown."""
    return model.Application(
        tenant=row.tenant,
        center=row.center,
        name=row.name,
        title=row.title,
        owner=row.owner,
        created_at=row.created_at,
    )


_SHOWN: dict[What, Callable[[Row], Any]] = {
    "tenant": shown_tenant,
    "environment": shown_environment,
    "center": shown_center,
    "application": shown_application,
}


class _Subject(NamedTuple):
    """What a step is about: its kind, its row's key and its place."""

    what: What
    key: tuple[str, ...]
    place: Target


class _Part(NamedTuple):
    """Which part of a list is asked for."""

    after: str = ""
    limit: int = 100
    words: str = ""


class Estate:
    """Use cases of the estate. Every write is one transaction with its audit row."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    # tenants

    async def list_tenants(
        self, principal: Principal, after: str = "", limit: int = 100, *, words: str = ""
    ) -> model.Page[model.Tenant]:
        """List the tenants that the principal may see; with `words`, those that hold them in name or title."""
        return await self._page(principal, "tenant", _Part(after, limit, words))

    async def read_tenant(self, tenant: str) -> model.Tenant:
        """Read a tenant.

        Raises:
            NotFoundError: there is none.
        """
        async with self._ground.database.reading() as session:
            return shown_tenant(await _found(session, "tenant", tenant))

    async def create_tenant(self, principal: Principal, command: model.NewTenant) -> model.Tenant:
        """Make a tenant.

        Raises:
            ExistsError: the name is taken.
            InvalidRequestError: the name means something else where tenants are named.
        """
        if command.name in RESERVED:
            raise errors.InvalidRequestError(f"{command.name!r} cannot be a tenant's name: choose another")
        row = {"name": command.name, "title": command.title, "disabled": False}
        return await self._create(principal, _Subject("tenant", (command.name,), Target(command.name)), row)

    async def change_tenant(self, principal: Principal, tenant: str, command: model.TenantChange) -> model.Tenant:
        """Change a tenant; disabled, its people and applications are refused within seconds, and its sessions are over."""
        new = {"title": command.title, "disabled": command.disabled}

        async def before(session: storage.Session) -> None:
            if command.disabled:
                await sign_in.end_sessions_of(session, tenant)

        return await self._change(principal, _Subject("tenant", (tenant,), Target(tenant)), new, before)

    # environments

    async def list_environments(
        self, principal: Principal, tenant: str, after: str = "", limit: int = 100, *, words: str = ""
    ) -> model.Page[model.Environment]:
        """List the environments of a tenant that the principal may see; with `words`, those that hold them."""
        return await self._page(principal, "environment", _Part(after, limit, words), tenant=tenant)

    async def create_environment(
        self, principal: Principal, tenant: str, command: model.NewEnvironment
    ) -> model.Environment:
        """Make an environment; every application of the tenant exists in it from then on."""
        row = {"tenant": tenant, "name": command.name, "title": command.title, "protected": command.protected}
        place = Target(tenant, command.name)

        async def before(session: storage.Session) -> None:
            await _found(session, "tenant", tenant)
            await estate.unbury(session, place)

        return await self._create(principal, _Subject("environment", (tenant, command.name), place), row, before)

    async def change_environment(
        self, principal: Principal, tenant: str, environment: str, command: model.EnvironmentChange
    ) -> model.Environment:
        """Change an environment."""
        new = {"title": command.title, "protected": command.protected}
        return await self._change(
            principal, _Subject("environment", (tenant, environment), Target(tenant, environment)), new
        )

    async def delete_environment(self, principal: Principal, tenant: str, environment: str) -> None:
        """Delete an environment: ends its credentials and grants, and has its mirrors told that they are gone.

        Raises:
            NotEmptyError: it is protected.
        """
        place = Target(tenant, environment)

        async def work(session: storage.Session) -> None:
            row = await _found(session, "environment", tenant, environment)
            if row.protected:
                raise NotEmptyError(f"environment {environment} is protected: take the protection away first")
            await estate.delete(session, "environment", tenant, environment)
            await self._bury(session, principal, "environment", place, shown_environment(row))

        await self._ground.change(work, tenant, "")

    # centers

    async def list_centers(
        self, principal: Principal, tenant: str, after: str = "", limit: int = 100, *, words: str = ""
    ) -> model.Page[model.Center]:
        """List the centers of a tenant that the principal may see; with `words`, those that hold them."""
        return await self._page(principal, "center", _Part(after, limit, words), tenant=tenant)

    async def create_center(self, principal: Principal, tenant: str, command: model.NewCenter) -> model.Center:
        """Make a center."""
        row = {"tenant": tenant, "name": command.name, "title": command.title}

        async def before(session: storage.Session) -> None:
            await _found(session, "tenant", tenant)

        place = Target(tenant, center=command.name)
        return await self._create(principal, _Subject("center", (tenant, command.name), place), row, before)

    async def change_center(
        self, principal: Principal, tenant: str, center: str, command: model.CenterChange
    ) -> model.Center:
        """Change a center."""
        place = Target(tenant, center=center)
        return await self._change(principal, _Subject("center", (tenant, center), place), {"title": command.title})

    async def delete_center(self, principal: Principal, tenant: str, center: str) -> None:
        """Delete a center.

        Raises:
            NotEmptyError: applications belong to it.
        """
        place = Target(tenant, center=center)

        async def work(session: storage.Session) -> None:
            row = await _found(session, "center", tenant, center)
            if await estate.has_applications(session, tenant, center):
                raise NotEmptyError(f"applications belong to center {center}: delete them first")
            await estate.delete(session, "center", tenant, center)
            await people.delete_grants_in(session, place)
            await self._record(session, principal, "center:delete", place, changes(shown_center(row), None))

        await self._ground.change(work, tenant, "")

    # applications

    async def list_applications(
        self, principal: Principal, tenant: str, center: str, after: str = "", limit: int = 100
    ) -> model.Page[model.Application]:
        """List the applications of a center that the principal may see."""
        return await self._page(principal, "application", _Part(after, limit), tenant=tenant, center=center)

    async def find_applications(
        self,
        principal: Principal,
        tenant: str,
        after: str = "",
        limit: int = 100,
        *,
        center: str = "",
        words: str = "",
        sort: str = "",
    ) -> model.Page[model.Application]:
        """List the applications of all centers that the principal may see, in order of center and name unless sorted.

        With `words`, those that hold them in name or title.

        Raises:
            InvalidRequestError: they cannot be sorted so.
        """
        order = estate.SORTING.order(sort, after)
        part = _Part(after, page_limit(limit), words)
        wanted = _wanted(principal, "application", part)
        if center:
            wanted.append(estate.of_center(center))
        async with self._ground.database.reading() as session:
            rows = await estate.page_applications(session, wanted, tenant, order, part.limit + 1)
        items = [shown_application(row) for row in rows[: part.limit]]
        return model.Page(items=items, next=order.mark(rows[part.limit - 1]) if len(rows) > part.limit else "")

    async def read_application(self, tenant: str, center: str, application: str) -> model.Application:
        """Read an application.

        Raises:
            NotFoundError: there is none.
        """
        async with self._ground.database.reading() as session:
            return shown_application(await _found(session, "application", tenant, center, application))

    async def create_application(
        self, principal: Principal, tenant: str, center: str, command: model.NewApplication
    ) -> model.Application:
        """Make an application. The tombstone of an earlier one of that name goes; its credentials stay ended."""
        place = Target(tenant, center=center, application=command.name)
        row = {
            "tenant": tenant,
            "center": center,
            "name": command.name,
            "title": command.title,
            "owner": command.owner,
        }

        async def before(session: storage.Session) -> None:
            await _found(session, "center", tenant, center)
            await _require_owner(session, tenant, command.owner)
            await estate.unbury(session, place)

        return await self._create(
            principal, _Subject("application", (tenant, center, command.name), place), row, before
        )

    async def change_application(
        self, principal: Principal, tenant: str, center: str, application: str, command: model.ApplicationChange
    ) -> model.Application:
        """Change an application."""
        place = Target(tenant, center=center, application=application)
        new = {"title": command.title, "owner": command.owner}

        async def before(session: storage.Session) -> None:
            await _require_owner(session, tenant, command.owner or "")

        return await self._change(principal, _Subject("application", (tenant, center, application), place), new, before)

    async def delete_application(self, principal: Principal, tenant: str, center: str, application: str) -> None:
        """Delete an application: ends its credentials and grants, and has its mirrors told that they are gone."""
        place = Target(tenant, center=center, application=application)

        async def work(session: storage.Session) -> None:
            row = await _found(session, "application", tenant, center, application)
            await estate.delete(session, "application", tenant, center, application)
            await self._bury(session, principal, "application", place, shown_application(row))

        await self._ground.change(work, tenant, "")

    # what other rooms ask

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        """Pass where the application exists in the environment.

        Raises:
            NotFoundError: there is no such environment or application.
            ApplicationGoneError: it was deleted.
        """
        environment = await estate.find(session, "environment", place.tenant, place.environment)
        application = await estate.find(session, "application", place.tenant, place.center, place.application)
        if environment is not None and application is not None:
            return
        if await estate.is_buried(session, Target.of(place)):
            raise ApplicationGoneError(f"{place} was deleted")
        raise missing("application", str(place))

    async def needs_approval(self, session: storage.Session, place: scope.Scope) -> bool:
        """Say whether a publish waits for a second person: in a protected environment it does."""
        row = await estate.find(session, "environment", place.tenant, place.environment)
        return row is not None and bool(row.protected)

    async def is_gone(self, place: scope.Scope) -> bool:
        """Say whether an application or its environment was deleted."""
        async with self._ground.database.reading() as session:
            return await estate.is_buried(session, Target.of(place))

    # shared steps

    async def _page(self, principal: Principal, what: What, part: _Part, **within: str) -> model.Page[Any]:
        limit = page_limit(part.limit)
        wanted = _wanted(principal, what, part)
        async with self._ground.database.reading() as session:
            rows = await estate.page(session, what, wanted, part.after, limit + 1, **within)
        items = [_SHOWN[what](row) for row in rows[:limit]]
        return model.Page(items=items, next=items[-1].name if len(rows) > limit else "")

    async def _create(
        self,
        principal: Principal,
        subject: _Subject,
        row: Mapping[str, Any],
        before: Callable[[storage.Session], Awaitable[None]] | None = None,
    ) -> Any:
        shown = _SHOWN[subject.what]

        async def work(session: storage.Session) -> Any:
            if before is not None:
                await before(session)
            if await estate.find(session, subject.what, *subject.key) is not None:
                raise ExistsError(f"{subject.what} {subject.key[-1]!r} exists already")
            await estate.insert(session, subject.what, {**row, "created_at": self._ground.now()})
            made = shown(await _found(session, subject.what, *subject.key))
            await self._record(session, principal, f"{subject.what}:create", subject.place, changes(None, made))
            return made

        return await self._ground.change(work, subject.place.tenant)

    async def _change(
        self,
        principal: Principal,
        subject: _Subject,
        new: Mapping[str, Any],
        before: Callable[[storage.Session], Awaitable[None]] | None = None,
    ) -> Any:
        shown = _SHOWN[subject.what]
        values = {name: value for name, value in new.items() if value is not None}

        async def work(session: storage.Session) -> Any:
            old = shown(await _found(session, subject.what, *subject.key))
            if before is not None:
                await before(session)
            await estate.update(session, subject.what, subject.key, values)
            changed = shown(await _found(session, subject.what, *subject.key))
            await self._record(session, principal, f"{subject.what}:update", subject.place, changes(old, changed))
            return changed

        return await self._ground.change(work, subject.place.tenant)

    async def _bury(self, session: storage.Session, principal: Principal, what: What, place: Target, old: Any) -> None:
        now = self._ground.now()
        await estate.bury(session, place, now)
        await proof.revoke_credentials(session, place, now)
        await people.delete_grants_in(session, place)
        await self._record(session, principal, f"{what}:delete", place, changes(old, None))

    async def _record(
        self, session: storage.Session, principal: Principal, action: str, place: Target, changed: list[Any]
    ) -> None:
        await audit.record(
            session,
            audit.AuditEvent.by(
                principal,
                f"identity.{action}",
                place,
                resource=f"identity/{action.partition(':')[0]}/{_last(place)}",
                changes=changed,
            ),
        )


def _wanted(principal: Principal, what: What, part: _Part) -> list[Condition]:
    """Give what a row of a list fulfils: it may be seen, and it holds the words."""
    shown = visible(principal, f"identity.{what}:list", estate.COLUMNS[what])
    return [shown, estate.titled(what, part.words)] if part.words else [shown]


def _last(place: Target) -> str:
    return next(part for part in reversed(place) if part != "*")


async def _found(session: storage.Session, what: What, *key: str) -> Row:
    row = await estate.find(session, what, *key)
    if row is None:
        raise missing(what, key[-1])
    return row


async def _require_owner(session: storage.Session, tenant: str, owner: str) -> None:
    if not owner:
        return
    row = await people.find_user(session, owner)
    if row is None or row.tenant not in {"", tenant}:
        raise errors.InvalidRequestError(f"owner {owner!r} is no user of tenant {tenant}")
