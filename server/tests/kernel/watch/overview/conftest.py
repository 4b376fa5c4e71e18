"""Two tenants with some bundles in them, and instances that hold them well or not."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import protocol, release, resource, scope
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.watch.instances import Instances
from server.tests.kernel.resources.notes import KINDS, Life

PERMISSIONS = access.Permissions({**KINDS.permissions(), "test.note:list": "see which notes there are"})


def bundle(place: str) -> resource.Bundle:
    return resource.Bundle(scope=scope.Scope.parse(place), capability="test")


def person(name: str, *grants: tuple[str, str]) -> access.Principal:
    """Make somebody who holds lines in places: ("*:*", "acme/dev")."""
    held = [access.Grant((lines,), access.Target.parse(place), role="r") for lines, place in grants]
    compiled = access.CompiledGrants(held, PERMISSIONS)
    return access.Principal(kind="user", id=f"id-{name}", name=name, tenant="acme", grants=compiled)


OWNER = person("owner", ("*:*", "acme"))
READER = person("reader", ("test.note:read", "acme/dev/trade"))
NOBODY = person("nobody", ("test.note:read", "other"))


class Estate:
    """Bundles and instances, made as the product makes them."""

    def __init__(self, database: storage.Database) -> None:
        self.life = Life(database)
        self.parts = self.life.parts
        self.instances = Instances(database, "n1", self.parts.clock)

    async def edit(self, who: access.Principal, place: str, name: str = "a", text: str = "hi") -> None:
        await self.life.resources.drafts.save(who, bundle(place), "note", name, {"text": text}, expected="*")

    async def publish(self, who: access.Principal, place: str, **more: Any) -> release.PublishOutcome:
        status = await self.life.resources.history.status(bundle(place))
        command = release.PublishCommand(expected_revision=status.position.revision, **more)
        return await self.life.resources.publishing.publish(who, bundle(place), command)

    async def released(self, who: access.Principal, *places: str) -> None:
        for place in places:
            await self.edit(who, place)
            await self.publish(who, place, message=f"first of {place}")

    async def arrive(self, place: str, name: str, revision: int | None = 1, of: str = "", **more: Any) -> str:
        """Have an instance that holds a revision (of its own bundle, or another's); nothing for None."""
        cluster = more.pop("cluster", "default")
        held = []
        if revision is not None:
            at = resource.Position(epoch=1, revision=revision)
            held = [protocol.Held(bundle=bundle(of or place), position=at, **more)]
        one = scope.Instance(name=name, host=f"h-{name}", process=1, cluster=cluster, labels={"zone": "a"})
        key = self.instances.arrive(scope.Scope.parse(place), one, held)
        await self.instances.flush()
        return key


@pytest.fixture
def estate(any_database: storage.Database) -> Estate:
    return Estate(any_database)
