"""Two equal servers on PostgreSQL, Redis and ZooKeeper, for a module of tests that break these one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.servers.fixtures import shared
from tests.servers.platform import Platform
from tests.servers.postgresql import PostgreSQL
from tests.servers.product import Application, Platforms, opened_platforms
from tests.servers.redis import Redis
from tests.servers.zookeeper import ZooKeeper

SESSION_SECONDS = 2

started = contextlib.contextmanager(shared)


@dataclass
class Estate:
    """The whole production set-up; each test mends what it broke."""

    database: PostgreSQL
    database_url: str
    redis: Redis
    zookeeper: ZooKeeper
    platforms: Platforms
    first: Platform
    second: Platform
    made: list[Application]

    def flags(self) -> list[str]:
        """Give the flags of a server of it."""
        return [
            f"--database-url={self.database_url}",
            f"--redis={self.redis.url}",
            f"--zookeeper={self.zookeeper.hosts}",
            f"--set=coordination.zookeeper_session_timeout={SESSION_SECONDS}s",
            "--set=watch.heartbeat=1s",
        ]

    def application(self) -> Application:
        """Make an application with one client at each server, which have the number 1."""
        made = Application(self.first)
        self.made.append(made)
        made.publish(1)
        for server in (self.first, self.second):
            made.client(server).wait(1)
        return made


@pytest.fixture(scope="module")
def estate(postgresql_server: PostgreSQL) -> Iterator[Estate]:
    """Start it all once per module."""
    url = postgresql_server.create_database("estate")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(started("redis", Redis, Redis.missing()))
        zookeeper = stack.enter_context(started("zookeeper", ZooKeeper, ZooKeeper.missing()))
        platforms = stack.enter_context(opened_platforms())
        made = Estate(postgresql_server, url, redis, zookeeper, platforms, None, None, [])  # type: ignore[arg-type]
        made.first = platforms(*made.flags())
        made.second = platforms(*made.flags(), share=made.first)
        yield made
        for application in made.made:
            application.close()
    postgresql_server.drop_database(url)
