"""Clocks that are an hour off: clients learn the platform's, servers go by the database's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.processes import Instance, clock_off_by
from tests.servers.fixtures import Factory
from tests.servers.postgresql import PostgreSQL
from tests.servers.product import Application, Platforms, eventually
from tests.servers.redis import Redis

HOUR = 3600


@pytest.mark.process
@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_an_instance_with_a_wrong_clock(platforms: Platforms, applications: Callable[..., Any], shift: int) -> None:
    # short-lived tokens: it must be right more than once
    platform = platforms("--set=identity.token=2s")
    application: Application = applications(platform)
    application.publish(1)
    with Instance(application.options(instance="late"), clock_off_by(shift)) as instance:
        said = instance.wait(1)
        assert abs(said["clock"] - time.time() - shift) < HOUR / 2, "its clock is off"
        began = time.monotonic()
        number = 1
        while time.monotonic() - began < 4:
            number += 1
            application.publish(number)
            instance.wait(number)
        row = eventually(lambda: row if (row := application.instances().get("late", {})).get("alive") else None)
        assert abs(row["seen_at"] / 1000 - time.time()) < HOUR / 2, "the platform goes by its own clock"


@pytest.fixture
def pair(platforms: Platforms, postgresql_url: str) -> Iterator[Any]:
    """Two servers on one database, the second's clock an hour ahead."""
    flag = f"--database-url={postgresql_url}"
    first = platforms(flag)
    yield first, platforms(flag, share=first, variables=clock_off_by(HOUR))


@pytest.mark.process
@pytest.mark.postgresql
def test_servers_of_different_clocks(
    pair: Any, applications: Callable[..., Any], postgresql_server: PostgreSQL, postgresql_url: str
) -> None:
    first, second = pair
    application: Application = applications(first)
    application.publish(1)
    clients = [application.client(server) for server in pair]
    for number in range(2, 8):
        application.publish(number, pair[number % 2].administrator())
        for client in clients:
            client.wait(number)
    database = postgresql_url.rpartition("/")[2]
    ahead = "select max(expires) - extract(epoch from clock_timestamp()) * 1000 from lease"
    left = float(postgresql_server.execute(ahead, database))
    assert 0 < left < HOUR / 2 * 1000, "leases end by the database's clock, whoever took them"
    # tokens that one server gave are good at the other
    second.kill()
    application.publish(8)
    for client in clients:
        client.wait(8)
    second.start()
    application.publish(9, second.administrator())
    for client in clients:
        client.wait(9)
    assert application.audit_is_whole()


@pytest.mark.process
@pytest.mark.postgresql
def test_a_scheduled_publish_goes_by_the_databases_clock(
    platforms: Platforms, applications: Callable[..., Any], postgresql_url: str
) -> None:
    platform = platforms(f"--database-url={postgresql_url}", variables=clock_off_by(HOUR))
    application: Application = applications(platform)
    application.publish(1)
    application.api.set(application.scope, {"number": 2})
    later = application.publish_later(60)
    time.sleep(3)  # long enough for the server's job to have looked
    assert application.position() == (1, 1), "a server that is an hour ahead does not jump the gun"
    application.api.call("POST", f"config/{application.scope}/requests/{later}/cancel", {})
    soon = application.publish_later(2)
    eventually(lambda: application.position() == (1, 2))
    rows = application.api.call("GET", f"config/{application.scope}/requests?decided=true")
    assert {row["id"]: row["state"] for row in rows} == {later: "cancelled", soon: "published"}


@pytest.mark.process
@pytest.mark.postgresql
@pytest.mark.redis
def test_what_a_fast_server_left_undone_does_not_wait_for_its_clock(
    platforms: Platforms,
    applications: Callable[..., Any],
    postgresql_server: PostgreSQL,
    postgresql_url: str,
    redis_factory: Factory[Redis],
) -> None:
    redis = redis_factory()
    flags = [f"--database-url={postgresql_url}", f"--redis={redis.url}"]
    first = platforms(*flags)
    second = platforms(*flags, share=first, variables=clock_off_by(HOUR))
    application: Application = applications(first)
    application.publish(1)
    redis.pause()  # so the way out cannot be gone to its end
    application.publish(2, second.administrator())
    second.kill()
    redis.resume()
    database = postgresql_url.rpartition("/")[2]
    eventually(lambda: postgresql_server.execute("select count(*) from outbox", database).strip() == "0")
