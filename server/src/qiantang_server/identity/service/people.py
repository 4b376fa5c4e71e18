"""People: accounts of users, of the platform and of tenants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.identity import model
from qiantang.identity.errors import ExistsError, LastAdminError
from qiantang.kernel import ids
from qiantang_server.identity.rules import granting, passwords, roles
from qiantang_server.identity.service.ground import Ground, changes, missing, page_limit
from qiantang_server.identity.service.hashing import PasswordHasher
from qiantang_server.identity.service.rights import rights_of
from qiantang_server.identity.store import estate, people, sign_in
from qiantang_server.identity.store.people import Row
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.access import Principal, Target


def home(tenant: str) -> Target:
    """Give the place that an account belongs to."""
    return Target(tenant or "*")


def shown_user(row: Row) -> model.User:
    """Give an account as it is shown: never its password's hash."""
    return model.User(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        title=row.title,
        disabled=bool(row.disabled),
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )


class People:
    """Use cases of accounts. `tenant` is empty for the platform's own."""

    def __init__(self, ground: Ground, hasher: PasswordHasher) -> None:
        self._ground = ground
        self._hasher = hasher

    async def list_users(
        self,
        principal: Principal,
        tenant: str | None = None,
        after: str = "",
        limit: int = 100,
        *,
        words: str = "",
        sort: str = "",
    ) -> model.Page[model.User]:
        """List the accounts that the principal may see: of one tenant, or of all; with `words`, those that hold them.

        Raises:
            InvalidRequestError: they cannot be sorted so.
        """
        order = people.SORTING.order(sort, after)
        wanted = [access.visible(principal, "identity.user:list", people.USER_COLUMNS)]
        if words:
            wanted.append(people.titled(words))
        limit = page_limit(limit)
        async with self._ground.database.reading() as session:
            rows = await people.page_users(session, wanted, tenant, order, limit + 1)
        items = [shown_user(row) for row in rows[:limit]]
        return model.Page(items=items, next=order.mark(rows[limit - 1]) if len(rows) > limit else "")

    async def read_user(self, tenant: str, user: str) -> model.User:
        """Read an account.

        Raises:
            NotFoundError: there is none in this tenant.
        """
        async with self._ground.database.reading() as session:
            return shown_user(await found_user(session, tenant, user))

    async def create_user(self, principal: Principal, tenant: str, command: model.NewUser) -> model.User:
        """Make an account, which holds nothing yet.

        Raises:
            WeakPasswordError: the password would be guessed.
            ExistsError: the name is taken.
        """
        passwords.require_strong(command.password, [command.name, tenant])
        password = await self._hasher.hash(command.password)
        row = new_user(tenant, command.name, command.title, password, self._ground.now())

        async def work(session: storage.Session) -> model.User:
            if tenant and await estate.find(session, "tenant", tenant) is None:
                raise missing("tenant", tenant)
            if await people.find_user_by_name(session, tenant, command.name) is not None:
                raise ExistsError(f"there is a user {command.name!r} already")
            await people.insert_user(session, row)
            made = shown_user(await found_user(session, tenant, row["id"]))
            await self._record(session, principal, "create", None, made)
            return made

        return await self._ground.change(work, tenant)

    async def change_user(self, principal: Principal, tenant: str, user: str, command: model.UserChange) -> model.User:
        """Change an account. A new password or disabling ends its sessions, and needs all the rights that it holds.

        Raises:
            BeyondOwnRightsError: the account holds more than the principal.
            LastAdminError: nobody would be left to administer the platform.
        """
        values: dict[str, Any] = {"title": command.title, "disabled": command.disabled}
        if command.password is not None:
            name = (await self.read_user(tenant, user)).name
            passwords.require_strong(command.password, [name, tenant])
            values["password"] = await self._hasher.hash(command.password)
        values = {name: value for name, value in values.items() if value is not None}

        async def work(session: storage.Session) -> model.User:
            old = await found_user(session, tenant, user)
            if command.password is not None or command.disabled is not None:
                await self._require_above(session, principal, old)
                await sign_in.end_sessions(session, user)
            if command.password is not None:
                await sign_in.forget_sources(session, user)
            await people.update_user(session, user, values)
            if command.disabled:
                await require_admin_left(session, user)
            changed = shown_user(await found_user(session, tenant, user))
            note = "password set" if command.password is not None else ""
            await self._record(session, principal, "update", shown_user(old), changed, note=note)
            return changed

        return await self._ground.change(work, tenant)

    async def delete_user(self, principal: Principal, tenant: str, user: str) -> None:
        """Delete an account with all that it holds; needs all its rights.

        Raises:
            BeyondOwnRightsError: the account holds more than the principal.
            LastAdminError: nobody would be left to administer the platform.
        """

        async def work(session: storage.Session) -> None:
            old = await found_user(session, tenant, user)
            await self._require_above(session, principal, old)
            await require_admin_left(session, user)
            await people.delete_user(session, user)
            await self._record(session, principal, "delete", shown_user(old), None)

        await self._ground.change(work, tenant)

    async def explain(self, tenant: str, user: str, question: model.AccessQuestion) -> model.AccessAnswer:
        """Say why a user may do something, or what he lacks."""
        async with self._ground.database.reading() as session:
            row = await found_user(session, tenant, user)
            rights = await rights_of(session, user, self._ground.now())
        grants = rights.compiled(self._ground.permissions, row.tenant)
        user_as_he_is = Principal(kind="user", id=row.id, name=row.name, tenant=row.tenant, grants=grants)
        return await self.answer(user_as_he_is, question)

    async def answer(self, principal: Principal, question: model.AccessQuestion) -> model.AccessAnswer:
        """Say why somebody may do something, or what he lacks, by the grants that he comes with."""
        found = access.explain(principal, question.permission, Target.parse(question.pattern))
        known = [found.grant] if found.grant is not None else [miss.grant for miss in found.misses]
        async with self._ground.database.reading() as session:
            rows = await people.grants_by_id(session, [one.id for one in known if one.id])
        return model.AccessAnswer(
            allowed=found.allowed,
            explanation=str(found),
            misses=[str(miss) for miss in found.misses],
            path=_path(found.grant, rows) if found.grant is not None else None,
            near=[msgspec.structs.replace(_path(miss.grant, rows), lacks=miss.lacks) for miss in found.misses],
        )

    async def _require_above(self, session: storage.Session, principal: Principal, row: Row) -> None:
        rights = await rights_of(session, row.id, self._ground.now())
        held = rights.compiled(self._ground.permissions, row.tenant)
        # of his own account as well: a token that holds less than its owner must not turn into a session of his
        granting.require_above(principal, held, f"to take over {row.name}")

    async def _record(
        self,
        session: storage.Session,
        principal: Principal,
        verb: str,
        old: model.User | None,
        new: model.User | None,
        *,
        note: str = "",
    ) -> None:
        user = new or old
        assert user is not None  # noqa: S101  # one of them is always given
        await audit.record(
            session,
            audit.AuditEvent.by(
                principal,
                f"identity.user:{verb}",
                home(user.tenant),
                resource=f"identity/user/{user.id}",
                reason=note,
                changes=changes(old, new),
            ),
        )


def _path(grant: access.Grant, rows: Mapping[str, Row]) -> model.AccessPath:
    row = rows.get(grant.id)
    return model.AccessPath(
        role=grant.role,
        pattern=str(grant.pattern),
        grant=grant.id,
        granted_by=row.granted_by if row is not None else "",
        expires=int(row.expires) if row is not None else 0,
    )


def new_user(tenant: str, name: str, title: str, password: str, now: int) -> dict[str, Any]:
    """Give the row of a new account."""
    return {
        "id": ids.ordered_id(),
        "tenant": tenant,
        "name": name,
        "title": title,
        "password": password,
        "disabled": False,
        "created_at": now,
        "signed_in_at": 0,
    }


async def found_user(session: storage.Session, tenant: str, user: str) -> Row:
    """Give an account of a tenant.

    Raises:
        NotFoundError: there is none.
    """
    row = await people.find_user(session, user)
    if row is None or row.tenant != tenant:
        raise missing("user", user)
    return row


async def require_admin_left(session: storage.Session, user: str) -> None:
    """Pass where the platform keeps an administrator without this user, or never had one in him.

    Raises:
        LastAdminError: nobody would be left.
    """
    if not await people.is_platform_admin(session, roles.PLATFORM_ADMIN, user):
        return
    if not await people.other_platform_admins(session, roles.PLATFORM_ADMIN, without_user=user):
        raise LastAdminError("this is the last administrator of the platform: make another one first")
