"""Redis may be emptied, wrong, dead or frozen: publishes go on, and every client has the last one soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.faults.conftest import Estate
from tests.servers.product import Application, eventually

pytestmark = [pytest.mark.process, pytest.mark.redis, pytest.mark.zookeeper, pytest.mark.postgresql]


@pytest.fixture
def application(estate: Estate) -> Iterator[Application]:
    """An application with a client at each server; Redis is there again after the test."""
    made = estate.application()
    yield made
    if estate.redis.running:
        estate.redis.resume()
    else:
        estate.redis.start()
    made.close()


def publish_and_converge(estate: Estate, application: Application, start: int) -> int:
    """Publish some numbers by either server in turn; give the last, which everybody has."""
    for number in range(start, start + 6):
        server = estate.first if number % 2 else estate.second
        application.publish(number, server.administrator())
    last = start + 5
    for client in application.clients:
        client.wait(last)
    return last


def head_key(application: Application) -> str:
    """Name the key under which Redis holds where the application is."""
    return f"qiantang:h:{{{application.scope}:config}}"


def wait_for_head(estate: Estate, application: Application) -> None:
    """Wait until Redis holds the position that the database has."""
    epoch, revision = application.position()
    with redis.Redis.from_url(estate.redis.url) as client:
        expected = f"{epoch}:{revision}".encode()
        eventually(lambda: client.get(head_key(application)) == expected, "Redis is brought up to date")


def test_flushed_between_publishes(estate: Estate, application: Application) -> None:
    last = 1
    for _ in range(3):
        estate.redis.flushall()
        last = publish_and_converge(estate, application, last + 1)
    wait_for_head(estate, application)


def test_an_old_head_written_by_hand_is_moved_on(estate: Estate, application: Application) -> None:
    last = publish_and_converge(estate, application, 2)
    with redis.Redis.from_url(estate.redis.url) as client:
        client.set(head_key(application), "1:1")
    last = publish_and_converge(estate, application, last + 1)
    wait_for_head(estate, application)


@pytest.mark.parametrize("head", ["9:9", "nonsense", "1:99999999999999999999"])
def test_a_head_that_never_was_misleads_nobody(estate: Estate, application: Application, head: str) -> None:
    last = publish_and_converge(estate, application, 2)
    with redis.Redis.from_url(estate.redis.url) as client:
        client.set(head_key(application), head)
        for key in client.scan_iter(f"qiantang:r:*{application.scope}*"):
            client.set(key, b"\0" * 40)
    last = publish_and_converge(estate, application, last + 1)
    late = application.client(estate.second)
    late.wait(last)
    late.wait_at(application.position())
    assert application.position()[0] == 1, "nobody took the history for cut"


def test_dead_and_back(estate: Estate, application: Application) -> None:
    estate.redis.kill()
    last = publish_and_converge(estate, application, 2)
    application.client(estate.first).wait(last)
    estate.redis.start()
    last = publish_and_converge(estate, application, last + 1)
    wait_for_head(estate, application)


def test_frozen_and_back(estate: Estate, application: Application) -> None:
    estate.redis.pause()
    last = publish_and_converge(estate, application, 2)
    application.client(estate.second).wait(last)
    estate.redis.resume()
    last = publish_and_converge(estate, application, last + 1)
    wait_for_head(estate, application)
