"""Joining on real databases: messages share the fate of a transaction over the drivers that people use with them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import asyncmy
import asyncpg
import psycopg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from qiantang.kernel import errors, ids
from qiantang.messaging import testing
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Cluster, Context, Estate, Message, Resource, Store, Topic
from qiantang.messaging.testing import PLACE, Taker

until = functools.partial(testing.until, seconds=10.0)

Make = Callable[[str], Awaitable[tuple[MessageBus, Taker]]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    buses: list[MessageBus] = []

    async def made(url: str) -> tuple[MessageBus, Taker]:
        broker = Resource(name="one", url=f"memory://{ids.ordered_id()}")
        estate = Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=[broker])],
            topics=[Topic(name="orders", clusters=["main"])],
            outbox=Store(url=url),
        )
        bus, taker = MessageBus(estate, PLACE), Taker()
        buses.append(bus)
        await bus.open()
        bus.subscribe("orders", order="key")(taker)
        await until(lambda: bus.consumers("orders")[0].joined)
        await until(lambda: bus._parts._relay is not None and bus._parts._relay._opened)
        return bus, taker

    yield made
    for bus in buses:
        await bus.close()


async def by_asyncpg(bus: MessageBus, url: str, commits: bool) -> None:
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    await bus.tx(connection).send("orders", commits, key="k")
    await (transaction.commit() if commits else transaction.rollback())
    await connection.close()


async def by_psycopg(bus: MessageBus, url: str, commits: bool) -> None:
    with psycopg.connect(url) as connection:
        bus.tx(connection).send("orders", commits, key="k")
        connection.commit() if commits else connection.rollback()


async def by_asynchronous_psycopg(bus: MessageBus, url: str, commits: bool) -> None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await bus.tx(connection).send_many([Message(topic="orders", body=commits, key="k")])
        await (connection.commit() if commits else connection.rollback())


async def by_sqlalchemy(bus: MessageBus, url: str, commits: bool) -> None:
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://").replace("mysql://", "mysql+asyncmy://")
    )
    async with engine.connect() as connection:
        await bus.tx(connection).send("orders", commits, key="k")
        await (connection.commit() if commits else connection.rollback())
    await engine.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("work", [by_asyncpg, by_psycopg, by_asynchronous_psycopg, by_sqlalchemy])
async def test_postgresql(make: Make, postgresql_url: str, work: Any) -> None:
    url = postgresql_url.replace("+asyncpg", "")
    bus, taker = await make(url)
    await work(bus, url, False)
    await work(bus, url, True)
    await until(lambda: bool(taker.bodies))
    await asyncio.sleep(0.2)
    assert taker.bodies == [True]


@pytest.mark.postgresql
async def test_connections_that_commit_alone_are_refused(make: Make, postgresql_url: str) -> None:
    url = postgresql_url.replace("+asyncpg", "")
    bus, taker = await make(url)
    with psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(errors.MisconfiguredError, match="no transaction open"):
            bus.tx(connection).send("orders", 1)
        with connection.transaction():
            bus.tx(connection).send("orders", 2)
    other = await asyncpg.connect(url)
    with pytest.raises(errors.MisconfiguredError, match="no transaction open"):
        bus.tx(other).send("orders", 1)
    await other.close()
    await until(lambda: taker.bodies == [2])


@pytest.mark.postgresql
async def test_what_commits_late_is_not_lost(make: Make, postgresql_url: str) -> None:
    url = postgresql_url.replace("+asyncpg", "")
    bus, taker = await make(url)
    with psycopg.connect(url) as early, psycopg.connect(url) as late:
        bus.tx(late).send("orders", "late", key="a")
        bus.tx(early).send("orders", "early", key="a")
        early.commit()
        await until(lambda: taker.bodies == ["early"])
        late.commit()
        await until(lambda: taker.bodies == ["early", "late"])


@pytest.mark.postgresql
async def test_two_transactions_that_handle_one_message_wait_for_each_other(make: Make, postgresql_url: str) -> None:
    url = postgresql_url.replace("+asyncpg", "")
    bus, _ = await make(url)
    context = Context(id="id-1", topic="orders", group="order")
    one, other = await asyncpg.connect(url), await asyncpg.connect(url)
    first, second = one.transaction(), other.transaction()
    await first.start()
    await second.start()
    assert await bus.once(one, context) is True
    waiting = asyncio.create_task(bus.once(other, context))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await first.commit()
    assert await waiting is False
    await second.rollback()
    await one.close()
    await other.close()
    with psycopg.connect(url) as connection:
        assert bus.once(connection, context) is False


async def by_asyncmy(bus: MessageBus, url: str, commits: bool) -> None:
    said = urlsplit(url)
    connection = await asyncmy.connect(
        host=said.hostname, port=said.port, user=said.username, password=said.password or "", db=said.path[1:]
    )
    context = Context(id="id-1", topic="orders", group="order")
    assert await bus.once(connection, context) is True
    assert await bus.once(connection, context) is False
    await bus.tx(connection).send("orders", commits, key="k")
    await (connection.commit() if commits else connection.rollback())
    connection.close()


@pytest.mark.mariadb
@pytest.mark.parametrize("work", [by_asyncmy, by_sqlalchemy])
async def test_mariadb(make: Make, mariadb_url: str, work: Any) -> None:
    url = mariadb_url.replace("+asyncmy", "")
    bus, taker = await make(url)
    await work(bus, url, False)
    await work(bus, url, True)
    await until(lambda: bool(taker.bodies))
    await asyncio.sleep(0.2)
    assert taker.bodies == [True]
