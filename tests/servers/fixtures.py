"""Pytest plugin: the real servers as fixtures, one of each per run, and private ones for tests that break them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, Self, TypeVar

import pytest

from tests.servers.activemq import ActiveMQ
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.servers.rocketmq import RocketMQ
from tests.servers.zookeeper import ZooKeeper, ZooKeeperEnsemble

MARKERS = ("redis", "zookeeper", "postgresql", "mariadb", "kafka", "rabbitmq", "activemq", "rocketmq")


class Server(Protocol):
    """What a fixture needs of a server."""

    @staticmethod
    def missing() -> list[str]: ...
    def start(self) -> Self: ...
    def close(self) -> None: ...


S = TypeVar("S", bound=Server)


class Factory(Generic[S]):
    """Starts private servers for one test, which may do anything to them; they end with the test."""

    def __init__(self, make: Callable[..., S]) -> None:
        self._make = make
        self._made: list[S] = []

    def __call__(self, **options: Any) -> S:
        """Give a started server; the options are those of its class."""
        server = self._make(**options)
        self._made.append(server)
        return server.start()

    def close(self) -> None:
        """End all servers that were made."""
        for server in self._made:
            server.close()
        self._made.clear()


def require(name: str, missing: list[str]) -> None:
    """Skip the test, naming the server, when something is missing; fail it with QIANTANG_TEST_SERVERS=required."""
    if not missing:
        return
    message = f"{name} is not installed here ({', '.join(missing)}); tools/install_servers.sh installs it"
    if os.environ.get("QIANTANG_TEST_SERVERS") == "required":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def private(name: str, make: Callable[..., S], missing: list[str]) -> Iterator[Factory[S]]:
    """Give a factory whose servers end when the generator does."""
    require(name, missing)
    factory = Factory(make)
    try:
        yield factory
    finally:
        factory.close()


def shared(name: str, make: Callable[..., S], missing: list[str]) -> Iterator[S]:
    """Give one started server that ends when the generator does."""
    for factory in private(name, make, missing):
        yield factory()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """The run's Redis, shared: use own keys, or `redis_url`. Never stop it; take `redis_factory` for that."""
    yield from shared("redis", Redis, Redis.missing())


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The address of the shared Redis, emptied before the test."""
    redis_server.flushall()
    return redis_server.url


@pytest.fixture
def redis_factory() -> Iterator[Factory[Redis]]:
    """Start private Redis servers: `redis_factory(appendonly=True)`."""
    yield from private("redis", Redis, Redis.missing())


@pytest.fixture(scope="session")
def zookeeper_server() -> Iterator[ZooKeeper]:
    """The run's standalone ZooKeeper, shared: use own paths."""
    yield from shared("zookeeper", ZooKeeper, ZooKeeper.missing())


@pytest.fixture
def zookeeper_factory() -> Iterator[Factory[ZooKeeper]]:
    """Start private standalone ZooKeeper servers."""
    yield from private("zookeeper", ZooKeeper, ZooKeeper.missing())


@pytest.fixture
def zookeeper_ensemble() -> Iterator[ZooKeeperEnsemble]:
    """A private ensemble of three, all up."""
    yield from shared("zookeeper", ZooKeeperEnsemble, ZooKeeper.missing())


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """The run's PostgreSQL, shared: `create_database` gives each test its own."""
    yield from shared("postgresql", PostgreSQL, PostgreSQL.missing())


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The address of an empty database of the shared PostgreSQL, removed after the test."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def postgresql_factory() -> Iterator[Factory[PostgreSQL]]:
    """Start private PostgreSQL servers."""
    yield from private("postgresql", PostgreSQL, PostgreSQL.missing())


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    """The run's MariaDB, shared: `create_database` gives each test its own."""
    yield from shared("mariadb", MariaDB, MariaDB.missing())


@pytest.fixture
def mariadb_url(mariadb_server: MariaDB) -> Iterator[str]:
    """The address of an empty database of the shared MariaDB, removed after the test."""
    url = mariadb_server.create_database()
    yield url
    mariadb_server.drop_database(url)


@pytest.fixture
def mariadb_factory() -> Iterator[Factory[MariaDB]]:
    """Start private MariaDB servers."""
    yield from private("mariadb", MariaDB, MariaDB.missing())


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Kafka]:
    """The run's Kafka, shared: `create_topic` gives each test its own, and groups have names of their own."""
    yield from shared("kafka", Kafka, Kafka.missing())


@pytest.fixture
def kafka_factory() -> Iterator[Factory[Kafka]]:
    """Start private Kafka servers."""
    yield from private("kafka", Kafka, Kafka.missing())


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    """The run's RabbitMQ, shared: `create_vhost` gives each test its own virtual host."""
    yield from shared("rabbitmq", RabbitMQ, RabbitMQ.missing())


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """The address of an empty virtual host of the shared RabbitMQ, removed after the test."""
    url = rabbitmq_server.create_vhost()
    yield url
    rabbitmq_server.drop_vhost(url)


@pytest.fixture
def rabbitmq_factory() -> Iterator[Factory[RabbitMQ]]:
    """Start private RabbitMQ servers."""
    yield from private("rabbitmq", RabbitMQ, RabbitMQ.missing())


@pytest.fixture(scope="session")
def activemq_server() -> Iterator[ActiveMQ]:
    """The run's ActiveMQ, shared: `new_name` gives each test names of its own for queues and topics."""
    yield from shared("activemq", ActiveMQ, ActiveMQ.missing())


@pytest.fixture
def activemq_factory() -> Iterator[Factory[ActiveMQ]]:
    """Start private ActiveMQ servers."""
    yield from private("activemq", ActiveMQ, ActiveMQ.missing())


@pytest.fixture(scope="session")
def rocketmq_server() -> Iterator[RocketMQ]:
    """The run's RocketMQ, shared: `create_topic` and `create_group` give each test its own."""
    yield from shared("rocketmq", RocketMQ, RocketMQ.missing())


@pytest.fixture
def rocketmq_factory() -> Iterator[Factory[RocketMQ]]:
    """Start private RocketMQ servers, each of a name server, a broker and a proxy."""
    yield from private("rocketmq", RocketMQ, RocketMQ.missing())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a server's fixture: `-m "not redis"` holds where the marker was forgotten, too."""
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        for name in MARKERS:
            sources = {f"{name}_server", f"{name}_factory", f"{name}_ensemble"}
            if sources.intersection(fixtures) and item.get_closest_marker(name) is None:
                item.add_marker(name)
