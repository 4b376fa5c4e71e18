"""Transactions: what is sent in a transaction of the application's shares its fate, over every kind of connection."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging import testing
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Cluster, Context, Estate, Message, Resource, Store, Topic
from qiantang.messaging.testing import PLACE, Taker

until = functools.partial(testing.until, seconds=10.0)

Work = Callable[[MessageBus, bool], Awaitable[Any]]


class Bench:
    """A bus with an outbox, and what its topic's group has taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.broker = f"memory://{ids.ordered_id()}"
        self.space = space_of(self.broker)
        self.buses: list[MessageBus] = []
        self.taker = Taker()

    def made(self) -> MessageBus:
        estate = Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=self.broker)])],
            topics=[Topic(name="orders", clusters=["main"]), Topic(name="bills", clusters=["main"])],
            outbox=Store(url=self.url),
        )
        self.buses.append(MessageBus(estate, PLACE))
        return self.buses[-1]

    async def open(self) -> MessageBus:
        bus = self.made()
        await bus.open()
        bus.subscribe("orders", group="taking", order="key")(self.taker)
        await until(lambda: bus.consumers("orders", "taking")[0].joined)
        await until(lambda: bus._parts._relay is not None and bus._parts._relay._opened)
        return bus


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path / 'application.sqlite3'}")
    yield made
    for bus in made.buses:
        await bus.close()


async def sqlite(bus: MessageBus, commits: bool) -> None:
    connection = sqlite3.connect(path_of(bus))
    connection.execute("CREATE TABLE IF NOT EXISTS own (n INTEGER)")
    connection.execute("INSERT INTO own VALUES (1)")
    bus.tx(connection).send("orders", f"{commits}", key="k")
    connection.commit() if commits else connection.rollback()
    connection.close()


async def asynchronous_sqlite(bus: MessageBus, commits: bool) -> None:
    async with aiosqlite.connect(path_of(bus)) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS own (n INTEGER)")
        await bus.tx(connection).send("orders", f"{commits}", key="k")
        await (connection.commit() if commits else connection.rollback())


async def sqlalchemy(bus: MessageBus, commits: bool) -> None:
    engine = sa.create_engine(f"sqlite:///{path_of(bus)}")
    with engine.connect() as connection:
        bus.tx(connection).send("orders", f"{commits}", key="k")
        connection.commit() if commits else connection.rollback()
    engine.dispose()


async def sqlalchemy_session(bus: MessageBus, commits: bool) -> None:
    engine = sa.create_engine(f"sqlite:///{path_of(bus)}")
    with Session(engine) as session:
        bus.tx(session).send("orders", f"{commits}", key="k")
        session.commit() if commits else session.rollback()
    engine.dispose()


async def asynchronous_sqlalchemy(bus: MessageBus, commits: bool) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path_of(bus)}")
    async with AsyncSession(engine) as session:
        await bus.tx(session).send("orders", f"{commits}", key="k")
        await (session.commit() if commits else session.rollback())
    await engine.dispose()


def path_of(bus: MessageBus) -> str:
    return bus._parts.outbox._database._url.database  # type: ignore[union-attr, return-value]


KINDS = [sqlite, asynchronous_sqlite, sqlalchemy, sqlalchemy_session, asynchronous_sqlalchemy]


@pytest.mark.parametrize("work", KINDS)
async def test_a_message_goes_out_when_its_transaction_commits_and_never_when_it_does_not(
    bench: Bench, work: Work
) -> None:
    bus = await bench.open()
    await work(bus, False)
    await work(bus, True)
    await until(lambda: bool(bench.taker.bodies))
    await asyncio.sleep(0.1)
    assert bench.taker.bodies == ["True"]
    outbox = bus._parts.outbox
    assert outbox is not None
    for _ in range(100):
        if not (await outbox.waiting()).messages:
            break
        await asyncio.sleep(0.01)
    assert (await outbox.waiting()).messages == 0


async def test_many_of_several_topics_share_one_commit_and_keys_keep_their_order(bench: Bench) -> None:
    bus = await bench.open()
    bills = Taker()
    bus.subscribe("bills", group="taking")(bills)
    await until(lambda: bus.consumers("bills", "taking")[0].joined)
    for start in range(0, 200, 20):
        connection = sqlite3.connect(path_of(bus))
        some = [Message(topic="orders", body=number, key=f"k{number % 3}") for number in range(start, start + 20)]
        found = bus.tx(connection).send_many([*some, Message(topic="bills", body=start)])
        assert found == [*(one.id for one in some), found[-1]]
        connection.commit()
        connection.close()
    await until(lambda: len(bench.taker.bodies) == 200 and len(bills.bodies) == 10)
    for rest in range(3):
        assert [one for one in bench.taker.bodies if one % 3 == rest] == [one for one in range(200) if one % 3 == rest]


async def test_what_was_committed_while_the_broker_was_away_goes_out_once_it_is_back(bench: Bench) -> None:
    bus = await bench.open()
    bench.space.away = True
    await sqlite(bus, True)
    await asyncio.sleep(0.4)
    assert bench.taker.bodies == []
    bench.space.away = False
    await until(lambda: bench.taker.bodies == ["True"])


async def test_what_one_process_left_another_sends(bench: Bench) -> None:
    bus = await bench.open()
    bench.space.away = True
    await sqlite(bus, True)
    await asyncio.sleep(0.2)
    await bus.close()
    bench.space.away = False
    await bench.open()
    await until(lambda: bench.taker.bodies == ["True"])


async def test_a_connection_that_commits_alone_is_refused(bench: Bench) -> None:
    bus = await bench.open()
    connection = sqlite3.connect(path_of(bus), isolation_level=None)
    with pytest.raises(errors.MisconfiguredError, match="no transaction open"):
        bus.tx(connection).send("orders", 1)
    connection.execute("BEGIN")
    bus.tx(connection).send("orders", 2)
    connection.execute("COMMIT")
    connection.close()
    await until(lambda: bench.taker.bodies == [2])
    with pytest.raises(errors.MisconfiguredError, match="no database connection"):
        bus.tx(object()).send("orders", 1)


async def test_a_wrong_message_fails_where_it_is_sent(bench: Bench) -> None:
    bus = await bench.open()
    connection = sqlite3.connect(path_of(bus))
    with pytest.raises(messaging_errors.InvalidMessageError):
        bus.tx(connection).send("orders", 1, tag="t" * 65)
    with pytest.raises(messaging_errors.UnknownTopicError):
        bus.tx(connection).send("nowhere", 1)
    connection.close()


async def test_without_an_outbox_it_says_what_is_missing() -> None:
    estate = Estate(
        clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="one", url="memory://none")])]
    )
    async with MessageBus(estate, PLACE) as bus:
        with pytest.raises(messaging_errors.FeatureMissingError, match="outbox"):
            bus.tx(object())


async def test_what_a_handler_commits_is_committed_once(bench: Bench) -> None:
    bus = await bench.open()
    context = Context(id="id-1", topic="orders", group="taking")
    first = sqlite3.connect(path_of(bus))
    assert bus.once(first, context) is True
    first.rollback()
    assert bus.once(first, context) is True
    first.commit()
    assert bus.once(first, context) is False
    first.close()
    async with aiosqlite.connect(path_of(bus)) as connection:
        assert await bus.once(connection, context) is False
        assert await bus.once(connection, msgspec.structs.replace(context, group="other")) is True
        await connection.rollback()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path_of(bus)}")
    async with AsyncSession(engine) as session:
        assert await bus.once(session, context) is False
        assert await bus.once(session, msgspec.structs.replace(context, id="id-2")) is True
        await session.commit()
    await engine.dispose()
    sync = sa.create_engine(f"sqlite:///{path_of(bus)}")
    with sync.connect() as connection:
        assert bus.once(connection, msgspec.structs.replace(context, id="id-2")) is False
    sync.dispose()
