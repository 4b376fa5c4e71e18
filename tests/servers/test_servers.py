"""Each real server does what tests rely on: starts, keeps data over kill -9, freezes and wakes, and stays apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
import sqlalchemy as sa
from kazoo.client import KazooClient
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.servers.fixtures import Factory, require
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis
from tests.servers.zookeeper import ZooKeeper, ZooKeeperEnsemble

PATIENCE = 60.0
TEXT = "钱塘"


def redis_client(url: str, timeout: float = PATIENCE) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0), decode_responses=True)


@contextmanager
def zookeeper_client(hosts: str) -> Iterator[KazooClient]:
    # A session longer than any restart, and no randomness in which member is tried first.
    client = KazooClient(hosts, timeout=40.0, randomize_hosts=False)
    client.start(PATIENCE)
    try:
        yield client
    finally:
        client.stop()
        client.close()


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a transaction on a connection of its own."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as opened:
            yield opened
    finally:
        await engine.dispose()


async def fill(url: str) -> None:
    async with connection(url) as opened:
        await opened.execute(sa.text("create table kept (id integer primary key, content varchar(20))"))
        for number in range(50):
            row = {"id": number, "content": f"{TEXT}{number}"}
            await opened.execute(sa.text("insert into kept values (:id, :content)"), row)


async def count(url: str) -> int:
    async with connection(url) as opened:
        query = sa.text("select count(*) from kept where content like :text")
        found = await opened.execute(query, {"text": TEXT + "%"})
        return int(found.scalar_one())


async def tables(url: str) -> list[str]:
    async with connection(url) as opened:
        return await opened.run_sync(lambda sync: sa.inspect(sync).get_table_names())


@pytest.mark.redis
def test_redis_is_shared_and_emptied_for_a_test_that_asks(redis_server: Redis, redis_url: str) -> None:
    with redis_client(redis_url) as client:
        client.set("greeting", TEXT)
        assert client.get("greeting") == TEXT
        redis_server.flushall()
        assert client.dbsize() == 0
    with redis.Redis(unix_socket_path=redis_server.socket_path) as client:
        assert client.ping()


@pytest.mark.redis
async def test_redis_serves_the_asyncio_client(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.incr("n") == 1


@pytest.mark.redis
def test_redis_with_appendonly_keeps_what_it_acknowledged_over_a_kill(redis_factory: Factory[Redis]) -> None:
    server = redis_factory(appendonly=True)
    with redis_client(server.url) as client:
        client.set("kept", TEXT)
    url = server.url
    server.kill()
    with redis_client(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    server.restart()
    assert server.url == url
    with redis_client(url) as client:
        assert client.get("kept") == TEXT


@pytest.mark.redis
def test_redis_without_persistence_is_empty_after_a_kill(redis_factory: Factory[Redis]) -> None:
    server = redis_factory()
    with redis_client(server.url) as client:
        client.set("gone", "1")
    server.kill()
    server.restart()
    with redis_client(server.url) as client:
        assert client.dbsize() == 0


@pytest.mark.redis
def test_redis_paused_times_out_and_resumed_answers(redis_factory: Factory[Redis]) -> None:
    server = redis_factory()
    with redis_client(server.url, timeout=0.3) as client:
        client.ping()
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
    with redis_client(server.url) as client:
        assert client.ping()


@pytest.mark.redis
def test_private_servers_are_apart(redis_factory: Factory[Redis], redis_server: Redis) -> None:
    servers = [redis_server, redis_factory(), redis_factory()]
    assert len({server.url for server in servers}) == 3
    assert len({server.pid for server in servers}) == 3


@pytest.mark.zookeeper
def test_zookeeper_is_shared(zookeeper_server: ZooKeeper) -> None:
    assert zookeeper_server.mode() == "standalone"
    with zookeeper_client(zookeeper_server.hosts) as client:
        client.create("/shared/one", TEXT.encode(), makepath=True)
        assert client.get("/shared/one")[0].decode() == TEXT
        client.delete("/shared", recursive=True)


@pytest.mark.zookeeper
def test_zookeeper_keeps_nodes_and_a_long_session_over_a_kill(zookeeper_factory: Factory[ZooKeeper]) -> None:
    server = zookeeper_factory()
    with zookeeper_client(server.hosts) as client:
        client.create("/kept", TEXT.encode())
        client.create("/own", ephemeral=True)
        session = client.client_id
        server.kill()
        server.restart()
        assert client.retry(client.get, "/kept")[0].decode() == TEXT
        assert client.retry(client.exists, "/own").ephemeralOwner == client.client_id[0]
        assert client.client_id == session


@pytest.mark.zookeeper
def test_zookeeper_paused_is_silent_and_resumed_answers(zookeeper_factory: Factory[ZooKeeper]) -> None:
    server = zookeeper_factory()
    server.pause()
    with pytest.raises(TimeoutError):
        server.mode()
    server.resume()
    server.wait_ready()


@pytest.mark.zookeeper
def test_zookeeper_ensemble_outlives_its_leader_and_takes_it_back(zookeeper_ensemble: ZooKeeperEnsemble) -> None:
    first = zookeeper_ensemble.leader()
    assert len(zookeeper_ensemble.followers()) == 2
    with zookeeper_client(zookeeper_ensemble.hosts) as client:
        client.create("/kept", b"1")
        first.kill()
        second = zookeeper_ensemble.leader()
        assert second is not first
        client.retry(client.set, "/kept", b"2")
    zookeeper_ensemble.start()
    assert len(zookeeper_ensemble.followers()) == 2
    with zookeeper_client(first.hosts) as client:
        client.sync("/kept")
        assert client.get("/kept")[0] == b"2"


SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


@pytest.fixture
def shared_database(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def private_database(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_factory")()


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.mark.parametrize("shared_database", SERVERS, indirect=True)
async def test_each_database_is_fresh_and_apart(shared_database: PostgreSQL | MariaDB) -> None:
    first, second = (shared_database.create_database("orders") for _ in range(2))
    await fill(first)
    assert await tables(first) == ["kept"]
    assert await tables(second) == []
    shared_database.drop_database(first)
    assert await tables(second) == []
    shared_database.drop_database(second)


@pytest.mark.parametrize("database_url", SERVERS, indirect=True)
@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_url_fixture_gives_an_empty_database_to_each_test(database_url: str, attempt: int) -> None:
    assert await tables(database_url) == []
    await fill(database_url)


@pytest.mark.parametrize("private_database", SERVERS, indirect=True)
async def test_committed_rows_outlive_a_kill(private_database: PostgreSQL | MariaDB) -> None:
    url = private_database.create_database("orders")
    await fill(url)
    private_database.kill()
    with pytest.raises((OSError, OperationalError)):
        await count(url)
    await asyncio.to_thread(private_database.restart)
    assert await count(url) == 50


@pytest.mark.parametrize("private_database", SERVERS, indirect=True)
async def test_rows_outlive_a_stop_with_an_open_session(private_database: PostgreSQL | MariaDB) -> None:
    url = private_database.create_database("orders")
    await fill(url)
    engine = create_async_engine(url)
    async with engine.connect() as opened:
        await opened.execute(sa.text("select 1"))
        assert await asyncio.to_thread(private_database.stop) == 0
        await opened.invalidate()
    await engine.dispose()
    await asyncio.to_thread(private_database.start)
    assert await count(url) == 50


@pytest.mark.parametrize("private_database", SERVERS, indirect=True)
async def test_open_sessions_freeze_with_the_server_and_go_on(private_database: PostgreSQL | MariaDB) -> None:
    async with connection(private_database.create_database()) as opened:
        await opened.execute(sa.text("select 1"))
        private_database.pause()
        question = asyncio.create_task(opened.execute(sa.text("select 2")))
        done, _ = await asyncio.wait([question], timeout=0.5)
        assert not done
        private_database.resume()
        assert (await question).scalar_one() == 2


@pytest.mark.postgresql
def test_postgresql_sees_a_commit_in_a_logical_slot_at_once(postgresql_factory: Factory[PostgreSQL]) -> None:
    server = postgresql_factory()
    server.execute("create table orders (id integer primary key)")
    server.execute("select pg_create_logical_replication_slot('orders', 'test_decoding')")
    server.execute("insert into orders values (7)")
    assert "id[integer]:7" in server.execute("select data from pg_logical_slot_get_changes('orders', null, null)")


@pytest.mark.mariadb
async def test_mariadb_compares_columns_by_code_point(mariadb_url: str) -> None:
    await fill(mariadb_url)
    async with connection(mariadb_url) as opened:
        await opened.execute(sa.text("insert into kept values (100, 'a')"))
        found = await opened.execute(sa.text("select count(*) from kept where content = 'A'"))
        assert found.scalar_one() == 0


def test_a_test_with_a_forgotten_marker_is_marked_by_its_fixture(
    redis_factory: Factory[Redis], request: pytest.FixtureRequest
) -> None:
    assert request.node.get_closest_marker("redis") is not None


def test_a_missing_server_skips_by_name_or_fails_where_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QIANTANG_TEST_SERVERS", raising=False)
    require("zookeeper", [])
    with pytest.raises(pytest.skip.Exception, match=r"zookeeper is not installed here \(java\)"):
        require("zookeeper", ["java"])
    monkeypatch.setenv("QIANTANG_TEST_SERVERS", "required")
    with pytest.raises(pytest.fail.Exception, match=r"zookeeper is not installed here \(java\)"):
        require("zookeeper", ["java"])
