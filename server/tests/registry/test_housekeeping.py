"""Housekeeping: overrides wait for their nodes for thirty days, definitions for ever, and what nobody uses is let go of."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from qiantang.registry.model import Definition, Vote, protocol
from qiantang.registry.model.answers import NodeChange
from qiantang_server.kernel import access, storage
from qiantang_server.registry.service.housekeeping import KEPT_MS
from qiantang_server.registry.store import tables
from server.tests.registry.town import ORDER, OTHER, STOCK, Town

ROOT = access.system(access.Permissions({"registry.node:update": "x"}))


@pytest.fixture
def town(any_database: storage.Database) -> Town:
    return Town(any_database)


async def test_what_is_laid_over_a_node_goes_thirty_days_after_it(town: Town) -> None:
    session = await town.session(ORDER)
    for name in ("there", "gone"):
        await town.register(ORDER, session, name)
        await town.overrides.change(ROOT, ORDER, name, NodeChange(state="offline"))
    await town.nodes.deregister(ORDER, protocol.Deregister(session=session, microservice="order", node="gone"))
    await town.run(sa.update(tables.overrides).values(seen_at=storage.now() - KEPT_MS + 60_000))
    await town.housekeeping.expire()
    assert {row.node for row in await town.rows(tables.overrides)} == {"there", "gone"}
    await town.run(sa.update(tables.overrides).values(seen_at=storage.now() - KEPT_MS - 60_000))
    await town.housekeeping.expire()
    assert {row.node for row in await town.rows(tables.overrides)} == {"there"}


async def test_definitions_stay_and_a_name_that_nobody_uses_is_free_again(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    definition = Definition.of("s.S", {})
    stock = await town.session(STOCK)
    await town.nodes.publish(STOCK, protocol.Publish(microservice="stock", definition=definition))
    for caller, one in ((ORDER, session), (STOCK, stock)):
        await town.sessions.close(caller, one)
    await town.run(sa.update(tables.microservices).values(changed_at=storage.now() - KEPT_MS - 60_000))
    await town.housekeeping.expire()
    assert [row.name for row in await town.rows(tables.microservices)] == ["stock"]
    assert len(await town.rows(tables.definitions)) == 1
    assert await town.register(OTHER, await town.session(OTHER), "a"), "no application has that name any more"


async def test_sessions_that_expired_and_votes_of_none_go(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    vote = Vote(service="s", node="n", voter="v", value="open")
    await town.nodes.vote(ORDER, protocol.Cast(session=session, microservice="stock", vote=vote))
    await town.run(sa.update(tables.votes).values(session="nobody"))
    assert (await town.nodes.votes(ORDER, "stock")).votes == ()
    await town.expire()
    await town.housekeeping.expire()
    for table in (tables.sessions, tables.nodes, tables.votes):
        assert await town.rows(table) == []
