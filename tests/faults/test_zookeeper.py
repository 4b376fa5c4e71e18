"""ZooKeeper may forget a server's session, die or freeze: publishes go on, and both servers' clients follow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import httpx
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError, NotEmptyError

from tests.faults.conftest import SESSION_SECONDS, Estate
from tests.servers.platform import Platform
from tests.servers.product import Application, eventually

pytestmark = [pytest.mark.process, pytest.mark.redis, pytest.mark.zookeeper, pytest.mark.postgresql]


@pytest.fixture
def application(estate: Estate) -> Iterator[Application]:
    """An application with a client at each server; ZooKeeper is there again after the test, with both servers in it."""
    made = estate.application()
    yield made
    if estate.zookeeper.running:
        estate.zookeeper.resume()
    else:
        estate.zookeeper.start()
    wait_for_listing(estate)
    made.close()


def listed(estate: Estate) -> dict[str, int]:
    """Give the servers that ZooKeeper lists, each with the session that listed it."""
    client = KazooClient(hosts=estate.zookeeper.hosts)
    client.start(timeout=30)
    try:
        names = client.get_children("/qiantang/servers")
        found = {name: client.exists(f"/qiantang/servers/{name}") for name in names}
        return {name: stat.ephemeralOwner for name, stat in found.items() if stat is not None}
    finally:
        client.stop()
        client.close()


def node(platform: Platform) -> str:
    """Give the name of a server among its equals."""
    return platform.address.partition("//")[2]


def wait_for_listing(estate: Estate) -> dict[str, int]:
    """Wait until ZooKeeper lists both servers and them alone."""
    expected = {node(estate.first), node(estate.second)}

    def look() -> dict[str, int]:
        found = listed(estate)
        return found if found.keys() == expected else {}

    return eventually(look, "both servers are listed")


def publish_and_converge(estate: Estate, application: Application, start: int) -> int:
    """Publish by each server in turn; give the last number, which everybody has."""
    for number in range(start, start + 4):
        server = estate.first if number % 2 else estate.second
        application.publish(number, server.administrator())
    last = start + 3
    for client in application.clients:
        client.wait(last)
    return last


def ready(platform: Platform) -> bool:
    """Say whether a server calls itself ready."""
    return httpx.get(f"{platform.address}/readyz", timeout=10).status_code == 200


def test_a_session_that_expired_is_made_anew(estate: Estate, application: Application) -> None:
    before = wait_for_listing(estate)
    estate.first.pause()
    try:
        eventually(lambda: node(estate.first) not in listed(estate), "ZooKeeper forgot the frozen server")
        application.publish(2, estate.second.administrator())
        application.clients[1].wait(2)
    finally:
        estate.first.resume()
    for client in application.clients:
        client.wait(2)
    after = wait_for_listing(estate)
    assert after[node(estate.first)] != before[node(estate.first)]
    publish_and_converge(estate, application, 3)


def test_dead_and_back(estate: Estate, application: Application) -> None:
    estate.zookeeper.kill()
    last = publish_and_converge(estate, application, 2)
    assert ready(estate.first), "what can serve is not taken out of a balancer"
    time.sleep(2 * SESSION_SECONDS)  # its sessions would be over by now
    last = publish_and_converge(estate, application, last + 1)
    estate.zookeeper.start()
    wait_for_listing(estate)
    publish_and_converge(estate, application, last + 1)


def test_frozen_and_back(estate: Estate, application: Application) -> None:
    estate.zookeeper.pause()
    last = publish_and_converge(estate, application, 2)
    application.client(estate.second).wait(last)
    estate.zookeeper.resume()
    wait_for_listing(estate)
    publish_and_converge(estate, application, last + 1)


def test_a_server_starts_without_it(estate: Estate, application: Application) -> None:
    estate.zookeeper.kill()
    third = estate.platforms(*estate.flags(), share=estate.first)
    try:
        application.publish(2, third.administrator())
        application.client(third).wait(2)
        for client in application.clients:
            client.wait(2)
        estate.zookeeper.start()
        eventually(lambda: node(third) in listed(estate), "it lists itself once it can")
    finally:
        third.close()


def test_everything_in_it_was_deleted(estate: Estate, application: Application) -> None:
    client = KazooClient(hosts=estate.zookeeper.hosts)
    client.start(timeout=30)
    try:
        for _ in range(5):  # the servers put back what they miss meanwhile
            with contextlib.suppress(NotEmptyError, NoNodeError):
                client.delete("/qiantang", recursive=True)
    finally:
        client.stop()
        client.close()
    last = publish_and_converge(estate, application, 2)
    wait_for_listing(estate)
    publish_and_converge(estate, application, last + 1)
