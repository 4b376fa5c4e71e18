"""Applications that provide and call services, over a database, as the catalog's use cases see them."""

from __future__ import annotations

from typing import Any

import msgspec

from qiantang.catalog.model import kinds
from qiantang.catalog.model.answers import AccessRequest, AskCommand
from qiantang.kernel import release, resource, scope
from qiantang.rpc.model.definition import ServiceDocument, definition_of, document_of, service
from qiantang_server.catalog.capability import CATALOG
from qiantang_server.catalog.service import AccessRequests, Listing
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.resources import Ground, Kinds, Resources
from server.tests.kernel.resources.notes import Directory, Keeper

KINDS = Kinds(CATALOG.kinds)
EVERY = access.Permissions({**KINDS.permissions(), **CATALOG.permissions})


class Line(msgspec.Struct):
    article: str
    count: int = 1


class Orders:
    """Orders of the shop."""

    async def price(self, line: Line) -> float: ...


class FewerOrders:
    async def pay(self, line: Line) -> float: ...


def document(name: str = "shop.Orders", version: str = "1.0.0", of: type = Orders) -> ServiceDocument:
    """Export a class, as often as wanted under other names."""
    copy = type(of.__name__, (of,), {})
    return document_of(definition_of(service(name, version=version)(copy)))


def body(name: str = "shop.Orders", version: str = "1.0.0", of: type = Orders, **more: Any) -> dict[str, Any]:
    """Give the body of a service."""
    return {**kinds.body_of(name, document(name, version, of)), **more}


def bundle(place: str) -> resource.Bundle:
    return resource.Bundle(scope=scope.Scope.parse(place), capability=kinds.CAPABILITY)


def user(name: str, *patterns: str, lines: tuple[str, ...] = ("*:*",)) -> access.Principal:
    """Make somebody who holds these lines in these places, everywhere if none are named."""
    targets = [access.Target.parse(one) for one in patterns] or [access.PLATFORM]
    grants = access.CompiledGrants([access.Grant(lines, target, role="some") for target in targets], EVERY)
    return access.Principal(kind="user", id=name, name=name, grants=grants)


SHOP, TILL = bundle("acme/prod/trade/shop"), bundle("acme/prod/trade/till")


class Market:
    """The use cases, with a clock that goes on by itself."""

    def __init__(self, database: storage.Database) -> None:
        self.directory = Directory()
        self.now = 1_000_000
        self.parts = Ground(database=database, kinds=KINDS, keeper=Keeper(), directory=self.directory, clock=self._tick)
        self.resources = Resources(self.parts)
        self.requests = AccessRequests(self.resources)
        self.listing = Listing(self.parts)

    def _tick(self) -> int:
        self.now += 1
        return self.now

    async def draft(self, who: access.Principal, at: resource.Bundle, kind: str, name: str, made: Any) -> None:
        await self.resources.drafts.save(who, at, kind, name, made, expected="*")

    async def publish(self, who: access.Principal, at: resource.Bundle) -> release.PublishOutcome:
        revision = (await self.resources.history.status(at)).position.revision
        command = release.PublishCommand(expected_revision=revision)
        return await self.resources.publishing.publish(who, at, command)

    async def put(self, at: resource.Bundle, name: str = "shop.Orders", **more: Any) -> None:
        """Publish a service."""
        chief = user("chief")
        await self.draft(chief, at, "service", name, body(name, **more))
        await self.publish(chief, at)

    async def subscribe(self, at: resource.Bundle, provider: str, *services: str) -> None:
        """Publish a subscription."""
        chief = user("chief")
        center, _, application = provider.partition("/")
        made = {"center": center, "application": application, "services": list(services)}
        await self.draft(chief, at, "subscription", provider.replace("/", "."), made)
        await self.publish(chief, at)

    async def ask(
        self, at: resource.Bundle = TILL, service: str = "shop.Orders", reason: str = "to sell"
    ) -> AccessRequest:
        command = AskCommand(center="trade", application="shop", service=service, reason=reason)
        return await self.requests.ask(user("ann"), at, command)

    async def published(self, at: resource.Bundle = SHOP, name: str = "shop.Orders") -> Any:
        return (await self.resources.drafts.read(at, "service", name)).published
