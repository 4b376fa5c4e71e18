"""Granting: roles of tenants, and who holds which role where."""

from __future__ import annotations

from typing import Any

import msgspec

from qiantang.identity import model
from qiantang.identity.errors import ExistsError, LastAdminError, NotEmptyError
from qiantang.kernel import errors, ids
from qiantang_server.identity.rules import granting, roles
from qiantang_server.identity.rules.wanted import WantedGrants
from qiantang_server.identity.service.ground import Ground, changes, missing, page_limit
from qiantang_server.identity.service.rights import place_of, role_lines
from qiantang_server.identity.store import estate, people
from qiantang_server.identity.store import wanted as grants_wanted
from qiantang_server.identity.store.people import Row
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Principal, Target

MAX_ROLES = 200
MAX_GRANTS = 500
EVERY_GRANT = WantedGrants()


def shown_role(row: Row) -> model.Role:
    """Give a tenant's own role as it is shown."""
    return model.Role(name=row.name, tenant=row.tenant, title=row.title, permissions=list(role_lines(row.permissions)))


def shown_grant(row: Row, user_name: str) -> model.RoleGrant:
    """Give a grant as it is shown."""
    return model.RoleGrant(
        id=row.id,
        user=row.user_id,
        user_name=user_name,
        role=row.role,
        pattern=str(place_of(row)),
        not_before=row.not_before,
        expires=row.expires,
        granted_by=row.granted_by,
        reason=row.reason,
        created_at=row.created_at,
    )


class Granting:
    """Use cases of roles and grants."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    # roles

    def list_permissions(self) -> list[model.Permission]:
        """List every permission that is declared, in order of name."""
        return [model.Permission(name=name, meaning=meaning) for name, meaning in self._ground.permissions.items()]

    async def list_roles(self, tenant: str) -> list[model.Role]:
        """List the built-in roles, then the tenant's own; for the platform (`""`) the built-in ones alone."""
        built_in = [
            model.Role(name=role.name, tenant="", title=role.title, permissions=list(role.permissions))
            for role in roles.BUILT_IN.values()
        ]
        if not tenant:
            return built_in
        async with self._ground.database.reading() as session:
            return [*built_in, *(shown_role(row) for row in await people.list_roles(session, tenant))]

    async def create_role(self, principal: Principal, tenant: str, command: model.NewRole) -> model.Role:
        """Make a role.

        Raises:
            ExistsError: the name is taken, or one of a built-in role.
            BeyondOwnRightsError: it would hold what the principal does not hold in the whole tenant.
        """
        self._ground.permissions.check(command.permissions)
        wanted = self._ground.permissions.expand(command.permissions)
        granting.require_held(principal, wanted, Target(tenant), f"role {command.name}")

        async def work(session: storage.Session) -> model.Role:
            if await estate.find(session, "tenant", tenant) is None:
                raise missing("tenant", tenant)
            if command.name in roles.BUILT_IN or await people.find_role(session, tenant, command.name) is not None:
                raise ExistsError(f"there is a role {command.name!r} already")
            if await people.count_roles(session, tenant) >= MAX_ROLES:
                raise errors.RejectedError(f"tenant {tenant} has {MAX_ROLES} roles, which is the most it may have")
            return await self._save_role(session, principal, None, _new_role(tenant, command))

        return await self._ground.change(work, tenant, "")

    async def change_role(self, principal: Principal, tenant: str, name: str, command: model.RoleChange) -> model.Role:
        """Change a role, and with it the rights of everybody who holds it.

        Raises:
            BeyondOwnRightsError: it would gain what the principal does not hold in the whole tenant.
        """
        if command.permissions is not None:
            self._ground.permissions.check(command.permissions)

        async def work(session: storage.Session) -> model.Role:
            row = await people.find_role(session, tenant, name)
            if row is None:
                raise missing("role", name)
            old = shown_role(row)
            lines = old.permissions if command.permissions is None else command.permissions
            gained = self._ground.permissions.expand(lines) - self._ground.permissions.expand(old.permissions)
            granting.require_held(principal, gained, Target(tenant), f"role {name}")
            title = old.title if command.title is None else command.title
            new = model.Role(name=name, tenant=tenant, title=title, permissions=lines)
            return await self._save_role(session, principal, old, new)

        return await self._ground.change(work, tenant, "")

    async def delete_role(self, principal: Principal, tenant: str, name: str) -> None:
        """Delete a role.

        Raises:
            NotEmptyError: somebody holds it.
        """

        async def work(session: storage.Session) -> None:
            row = await people.find_role(session, tenant, name)
            if row is None:
                raise missing("role", name)
            if await people.role_in_use(session, tenant, name):
                raise NotEmptyError(f"somebody holds role {name}: take it back from them first")
            await people.delete_role(session, tenant, name)
            await self._record(
                session, principal, "role:delete", Target(tenant), resource=f"role/{name}", old=shown_role(row)
            )

        await self._ground.change(work, tenant, "")

    async def _save_role(
        self, session: storage.Session, principal: Principal, old: model.Role | None, new: model.Role
    ) -> model.Role:
        await people.save_role(
            session,
            {
                "tenant": new.tenant,
                "name": new.name,
                "title": new.title,
                "permissions": msgspec.json.encode(new.permissions).decode(),
            },
        )
        verb = "role:update" if old else "role:create"
        await self._record(session, principal, verb, Target(new.tenant), resource=f"role/{new.name}", old=old, new=new)
        return new

    # grants

    async def list_grants(
        self,
        principal: Principal,
        tenant: str | None = None,
        after: str = "",
        limit: int = 100,
        *,
        wanted: WantedGrants = EVERY_GRANT,
    ) -> model.Page[model.RoleGrant]:
        """List the grants that the principal may see, of those that are wanted: in one tenant, or everywhere."""
        conditions = [access.visible(principal, "identity.grant:list", people.GRANT_COLUMNS)]
        conditions += grants_wanted.conditions(wanted, self._ground.now())
        limit = page_limit(limit)
        async with self._ground.database.reading() as session:
            rows = await people.page_grants(session, conditions, tenant, after, limit + 1)
        items = [shown_grant(row, row.user_name) for row in rows[:limit]]
        return model.Page(items=items, next=items[-1].id if len(rows) > limit else "")

    async def grant(self, principal: Principal, command: model.NewGrant) -> model.RoleGrant:
        """Give a user a role in a place.

        Raises:
            NotPermittedError: the principal may not grant there.
            BeyondOwnRightsError: the role holds what the principal does not hold there.
            InvalidRequestError: user, role and place do not fit together.
        """
        pattern = Target.parse(command.pattern)
        await self._ground.require(principal, "identity.grant:grant", pattern)
        now = self._ground.now()
        require_time(command, now)
        key = ids.ordered_id()
        row = {
            "id": key,
            "user_id": command.user,
            "role": command.role,
            **pattern._asdict(),
            "not_before": command.not_before,
            "expires": command.expires,
            "granted_by": principal.name[:64],
            "reason": command.reason,
            "created_at": now,
        }

        async def work(session: storage.Session) -> model.RoleGrant:
            user = await grantee(session, command.user, pattern)
            lines = await lines_of(session, command.role, pattern)
            await require_place(session, pattern)
            wanted = self._ground.permissions.expand(lines)
            granting.require_held(principal, wanted, pattern, f"role {command.role}")
            if await people.count_grants(session, command.user) >= MAX_GRANTS:
                raise errors.RejectedError(f"{user.name} holds {MAX_GRANTS} grants, which is the most one may hold")
            await people.insert_grant(session, row)
            made = shown_grant(await found_grant(session, key), user.name)
            await self._record(session, principal, "grant:grant", pattern, resource=f"user/{command.user}", new=made)
            return made

        return await self._ground.change(work, pattern.tenant, "")

    async def take_back(self, principal: Principal, grant: str) -> None:
        """Take a grant back; needs all the rights that it gives.

        Raises:
            NotFoundError: there is none, or it lies in a tenant that the principal may not know.
            NotPermittedError: the principal may not take back there.
            BeyondOwnRightsError: it gives what the principal does not hold.
            LastAdminError: nobody would be left to administer the platform.
        """
        pattern = await known_place(self._ground, principal, grant, "identity.grant:delete")
        await self._ground.require(principal, "identity.grant:delete", pattern)

        async def work(session: storage.Session) -> None:
            row = await found_grant(session, grant)
            lines = await lines_of(session, row.role, pattern)
            wanted = self._ground.permissions.expand(lines)
            granting.require_held(principal, wanted, pattern, f"taking back role {row.role}")
            if row.role == roles.PLATFORM_ADMIN and not await people.other_platform_admins(
                session, roles.PLATFORM_ADMIN, without_grant=grant
            ):
                raise LastAdminError("this is the last administrator of the platform: make another one first")
            await people.delete_grant(session, grant)
            await self._record(
                session,
                principal,
                "grant:delete",
                pattern,
                resource=f"user/{row.user_id}",
                old=shown_grant(row, ""),
            )

        await self._ground.change(work, pattern.tenant, "")

    async def _record(
        self,
        session: storage.Session,
        principal: Principal,
        action: str,
        place: Target,
        *,
        resource: str,
        old: Any = None,
        new: Any = None,
    ) -> None:
        event = audit.AuditEvent.by(
            principal, f"identity.{action}", place, resource=f"identity/{resource}", changes=changes(old, new)
        )
        await audit.record(session, event)


def _new_role(tenant: str, command: model.NewRole) -> model.Role:
    return model.Role(name=command.name, tenant=tenant, title=command.title, permissions=command.permissions)


def require_time(command: model.NewGrant, now: int) -> None:
    """Pass where a grant has some time to be good.

    Raises:
        InvalidRequestError: it would be over before it begins.
    """
    if command.expires and command.expires <= max(now, command.not_before):
        raise errors.InvalidRequestError("the grant would be over before it begins")


async def known_place(ground: Ground, principal: Principal, grant: str, wanted: str) -> Target:
    """Give the place of a grant to whoever may know of its tenant; `wanted` is what he wants there.

    Raises:
        NotFoundError: there is none, or it lies in a tenant that the principal may not know.
    """
    async with ground.database.reading() as session:
        pattern = place_of(await found_grant(session, grant))
    if pattern.tenant != "*" and not principal.knows(pattern.tenant):
        await ground.denials.record(audit.AuditEvent.refused(principal, wanted, pattern, "not visible"))
        raise missing("grant", grant)
    return pattern


async def grantee(session: storage.Session, user: str, pattern: Target) -> Row:
    """Give the account that a grant is for.

    Raises:
        InvalidRequestError: there is none that could hold anything in such a place.
    """
    row = await people.find_user(session, user)
    if row is None or (row.tenant and row.tenant != pattern.tenant):
        raise errors.InvalidRequestError(f"there is no user {user[:40]!r} who could hold anything on {pattern}")
    return row


async def lines_of(session: storage.Session, role: str, pattern: Target) -> tuple[str, ...]:
    """Give a role's permission lines, as it stands where a grant is for.

    Raises:
        InvalidRequestError: there is no such role, or it is for the platform as a whole.
    """
    if roles.only_for_platform(role) and any(part != "*" for part in pattern):
        raise errors.InvalidRequestError(f"role {role} is for the platform as a whole: its scope is '*'")
    built_in = roles.BUILT_IN.get(role)
    if built_in is not None:
        return built_in.permissions
    row = await people.find_role(session, pattern.tenant, role)
    if row is None:
        raise errors.InvalidRequestError(f"there is no role {role!r} in tenant {pattern.tenant}")
    return role_lines(row.permissions)


async def found_grant(session: storage.Session, grant: str) -> Row:
    """Give a grant.

    Raises:
        NotFoundError: there is none.
    """
    row = await people.find_grant(session, grant)
    if row is None:
        raise missing("grant", grant)
    return row


async def require_place(session: storage.Session, pattern: Target) -> None:
    """Pass where every name in a pattern is one: a grant for a misspelt name would come true by itself later.

    Raises:
        InvalidRequestError: one is not, or the pattern leaves out what a name in it is of.
    """
    if pattern.tenant == "*":
        if any(part != "*" for part in pattern):
            raise errors.InvalidRequestError(
                f"{pattern}: name the tenant that environment, center and application are of"
            )
        return
    wanted: list[tuple[estate.What, tuple[str, ...]]] = [("tenant", (pattern.tenant,))]
    if pattern.environment != "*":
        wanted.append(("environment", (pattern.tenant, pattern.environment)))
    if pattern.center != "*":
        wanted.append(("center", (pattern.tenant, pattern.center)))
    if pattern.application != "*":
        if pattern.center == "*":
            raise errors.InvalidRequestError(f"{pattern}: name the center that the application is of")
        wanted.append(("application", (pattern.tenant, pattern.center, pattern.application)))
    for what, key in wanted:
        if await estate.find(session, what, *key) is None:
            raise errors.InvalidRequestError(f"there is no {what} {key[-1]!r} for the grant")
