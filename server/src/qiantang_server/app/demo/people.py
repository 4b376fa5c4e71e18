"""People: sets the shop up in the name of those who work there. What is there already is left as it is."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Any

from qiantang.identity import model
from qiantang.identity.errors import ExistsError
from qiantang.kernel import errors
from qiantang_server.app.demo import shop
from qiantang_server.app.demo.files import Files
from qiantang_server.app.process import Running, identity_of, system_of
from qiantang_server.identity.service.rights import rights_of
from qiantang_server.kernel.access import Permissions, Principal

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without those that are taken for another."""
MANY = 500


def password() -> str:
    """Make a password of 95 bits that can be typed."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(4))


class People:
    """The shop's estate, accounts and grants."""

    def __init__(self, running: Running, files: Files) -> None:
        self._kernel = running.kernel
        self._identity = identity_of(running)
        self._system = system_of(running)
        self._files = files

    async def there(self) -> bool:
        """Say whether the tenant is there."""
        try:
            await self._identity.estate.read_tenant(shop.TENANT)
        except errors.NotFoundError:
            return False
        return True

    async def settle(self) -> dict[str, Principal]:
        """Have the tenant, its people, and all that belongs to them; give those of them who are there, by name."""
        estate = self._identity.estate
        await _unless_there(estate.create_tenant(self._system, model.NewTenant(name=shop.TENANT, title=shop.TITLE)))
        await self._account(shop.ADA, self._system)
        ada = (await self.known())[shop.ADA.name]
        for name, title in shop.ENVIRONMENTS.items():
            environment = model.NewEnvironment(name=name, title=title, protected=name == shop.PROTECTED)
            await _unless_there(estate.create_environment(ada, shop.TENANT, environment))
        lines = list(shop.APPROVER_LINES)
        role = model.NewRole(name=shop.APPROVER, permissions=lines, title="read, and decide on what others ask for")
        await _unless_there(self._identity.granting.create_role(ada, shop.TENANT, role))
        for member in (shop.LIN, shop.MEI):
            await self._account(member, ada)
        people = await self.known()
        await self._applications(ada, people)
        return people

    async def known(self) -> dict[str, Principal]:
        """Give the shop's people as principals, with the rights that they hold now."""
        page = await self._identity.people.list_users(self._system, shop.TENANT, limit=MANY)
        return {user.name: await self._principal(user) for user in page.items}

    async def _principal(self, user: model.User) -> Principal:
        async with self._kernel.database.reading() as session:
            rights = await rights_of(session, user.id, self._identity.ground.now())
        grants = rights.compiled(Permissions(self._kernel.permissions), shop.TENANT)
        return Principal(kind="user", id=user.id, name=user.name, tenant=shop.TENANT, grants=grants)

    async def _account(self, member: shop.Member, by: Principal) -> None:
        """Make an account with a password of its own and its roles; one that is there keeps what it has."""
        fresh = password()
        command = model.NewUser(name=member.name, password=fresh, title=member.title)
        try:
            user = await self._identity.people.create_user(by, shop.TENANT, command)
        except ExistsError:
            return
        self._files.write_passwords({**self._files.read_passwords(), member.name: fresh})
        for role, pattern in member.roles:
            await self._identity.granting.grant(by, model.NewGrant(user=user.id, role=role, pattern=pattern))

    async def _applications(self, ada: Principal, people: dict[str, Principal]) -> None:
        estate = self._identity.estate
        for name, title in shop.CENTERS.items():
            await _unless_there(estate.create_center(ada, shop.TENANT, model.NewCenter(name=name, title=title)))
        owner = people[shop.LIN.name].id if shop.LIN.name in people else ""
        for service in shop.SERVICES:
            application = model.NewApplication(name=service.name, title=service.title, owner=owner)
            await _unless_there(estate.create_application(ada, shop.TENANT, service.center, application))


async def _unless_there(creating: Awaitable[Any]) -> None:
    try:
        await creating
    except ExistsError:
        return
