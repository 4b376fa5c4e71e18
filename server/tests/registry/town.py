"""A registry's services over a database, and applications that use them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import errors, scope, wire
from qiantang.registry.model import Node, protocol
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources.directory import EveryApplication
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.service.housekeeping import Housekeeping
from qiantang_server.registry.service.listings import Listings, Seat
from qiantang_server.registry.service.nodes import Nodes
from qiantang_server.registry.service.overrides import Overrides
from qiantang_server.registry.service.sessions import Sessions
from qiantang_server.registry.settings import RegistrySettings
from qiantang_server.registry.store import tables

ORDER = scope.Scope(tenant="acme", environment="dev", center="trade", application="order")
STOCK = scope.Scope(tenant="acme", environment="dev", center="trade", application="stock")
OTHER = scope.Scope(tenant="acme", environment="dev", center="bank", application="order")
PROD = scope.Scope(tenant="acme", environment="prod", center="trade", application="order")
EVIL = scope.Scope(tenant="evil", environment="dev", center="trade", application="order")


class Directory(EveryApplication):
    """Every application there is, but those that were deleted."""

    def __init__(self) -> None:
        self.deleted: set[scope.Scope] = set()

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        if place in self.deleted:
            raise errors.GoneError("it was deleted")


class Town:
    """One server's registry; its loops are run by the test."""

    def __init__(self, database: storage.Database, **settings: Any) -> None:
        self.database = database
        self.directory = Directory()
        self.ground = Ground(database=database, directory=lambda: self.directory, settings=RegistrySettings(**settings))
        self.sessions = Sessions(self.ground)
        self.nodes = Nodes(self.ground)
        self.listings = Listings(self.ground)
        self.overrides = Overrides(self.ground)
        self.housekeeping = Housekeeping(self.ground, self.sessions)
        self.ground.moved.append(self.listings.moved)

    async def session(self, caller: scope.Scope) -> str:
        return (await self.sessions.open(caller)).session

    async def register(self, caller: scope.Scope, session: str, name: str, **more: Any) -> bool:
        how = {key: more.pop(key) for key in ("gently", "had") if key in more}
        node = Node(name=name, addresses={"csf1": "127.0.0.1:9"}, **more)
        command = protocol.Register(session=session, microservice=caller.application, node=node, **how)
        return (await self.nodes.register(caller, command)).held

    async def renew(self, caller: scope.Scope, session: str) -> None:
        renewing = asyncio.create_task(self.sessions.renew(caller, session))
        await asyncio.sleep(0)
        await self.sessions.tick()
        await renewing

    async def expire(self) -> None:
        """Let all leases be over, with a server there all the time."""
        await self.run(sa.update(tables.sessions).values(expires_at=1))
        await self.run(sa.update(tables.pulse).values(at=storage.now()))

    async def run(self, statement: sa.Executable) -> None:
        async def work(session: storage.Session) -> None:
            await session.execute(statement)

        await self.database.write(work)

    async def rows(self, table: sa.Table) -> list[Any]:
        async with self.database.reading() as session:
            return list(await session.all(sa.select(table)))


async def taken(seat: Seat, count: int = 1) -> list[tuple[str, list[Node]]]:
    """Take so many lists from a stream."""
    return [told(await asyncio.wait_for(seat.take(600), 60)) for _ in range(count)]


def told(events: bytes) -> tuple[str, list[Node]]:
    """Read the events of one list: its microservice and its nodes."""
    parts = [wire.decode(event.partition(b"\ndata: ")[2], protocol.Part) for event in events.split(b"\n\n") if event]
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len({(part.microservice, part.revision) for part in parts}) == 1
    nodes = [wire.decode(bytes(raw), Node) for part in parts for raw in part.nodes]
    return parts[0].microservice, nodes


@asynccontextmanager
async def followed(town: Town, caller: scope.Scope, *names: str) -> AsyncGenerator[Seat]:
    seat = Seat(caller, names)
    await town.listings.add(seat, 0)
    try:
        yield seat
    finally:
        town.listings.remove(seat)
