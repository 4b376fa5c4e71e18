"""Two servers on one database are equals: neither loses what the other published, and clients move between them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.servers.platform import Api, Platform
from tests.servers.product import Application, Client, eventually, opened_platforms


class Pair:
    """Two servers, and the applications of the tests on them."""

    def __init__(self, first: Platform, second: Platform) -> None:
        self.first = first
        self.second = second
        self.servers = (first, second)
        self.made: list[Application] = []

    def application(self) -> Application:
        """Make an application."""
        self.made.append(Application(self.first))
        return self.made[-1]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", marks=pytest.mark.process),
        pytest.param("postgresql", marks=[pytest.mark.process, pytest.mark.postgresql]),
    ],
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    flags = ["--set=watch.heartbeat=1s"]
    if request.param == "postgresql":
        flags.append(f"--database-url={request.getfixturevalue('postgresql_server').create_database('pair')}")
    with opened_platforms() as platforms:
        first = platforms(*flags)
        made = Pair(first, platforms(*flags, share=first))
        yield made
        for application in made.made:
            application.close()


def publish_at(api: Api, application: Application, expected: int, namespace: str) -> httpx.Response:
    """Publish one namespace over a revision."""
    body = {"expected_revision": expected, "only": [["namespace", namespace]]}
    return api.answer("POST", f"config/{application.scope}/releases", body)


def client_that_knows_both(pair: Pair, application: Application, folder: Path) -> Client:
    """Give a client that was told of the other server by the one that it is connected to."""
    client = application.client(pair.first, folder=folder, keep_copy=True)

    def known() -> set[str]:
        files = list(folder.rglob("servers.json"))
        return set(json.loads(files[0].read_bytes())["addresses"]) if files else set()

    eventually(lambda: known() == {server.address for server in pair.servers})
    client.wait_well()
    return client


def current_nodes(application: Application, api: Api) -> set[str]:
    """Name the servers that the instances are connected to, once all live and have the newest."""
    rows = application.instances(api).values()
    assert all(row["alive"] and row["current"] for row in rows)
    return {str(row["node"]) for row in rows}


def test_published_at_once_one_is_told_and_nothing_is_lost(pair: Pair) -> None:
    application = pair.application()
    apis = [server.administrator() for server in pair.servers]
    rounds = 8
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            expected = application.position()[1]
            for index, api in enumerate(apis):
                api.set(application.scope, {"number": number}, namespace=f"of-{index}")
            barrier = threading.Barrier(2)

            def publish(index: int, expected: int = expected, barrier: threading.Barrier = barrier) -> httpx.Response:
                barrier.wait(30)
                return publish_at(apis[index], application, expected, f"of-{index}")

            answers = list(pool.map(publish, range(2)))
            assert sorted(answer.status_code for answer in answers) == [200, 412], [one.text for one in answers]
            loser = next(index for index, answer in enumerate(answers) if answer.status_code == 412)
            problem = answers[loser].json()
            assert problem["code"] == "stale_revision"
            assert problem["facts"]["revision"] == expected + 1
            again = publish_at(apis[loser], application, problem["facts"]["revision"], f"of-{loser}")
            assert again.status_code == 200, again.text
    releases = application.releases()
    assert [one["revision"] for one in releases] == list(range(1, 2 * rounds + 1))
    last = application.api.call("GET", f"config/{application.scope}/releases/{2 * rounds}")
    values = {one["name"]: one["body"]["items"]["number"]["value"] for one in last["resources"]}
    assert values == {"of-0": str(rounds - 1), "of-1": str(rounds - 1)}
    assert application.audit_is_whole()


def test_streams_of_publishes_by_both(pair: Pair) -> None:
    application = pair.application()
    clients = [application.client(server) for server in pair.servers]
    each = 15

    def publish(index: int) -> int:
        api, refused = pair.servers[index].administrator(), 0
        for number in range(each):
            api.set(application.scope, {"number": number}, namespace=f"of-{index}")
            expected = application.position(api)[1]
            while (answer := publish_at(api, application, expected, f"of-{index}")).status_code != 200:
                assert answer.status_code == 412, answer.text
                expected = answer.json()["facts"]["revision"]
                refused += 1
        return refused

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(publish, range(2)))
    releases = application.releases()
    assert [one["revision"] for one in releases] == list(range(1, 2 * each + 1))
    for client in clients:
        client.wait_at((1, 2 * each))
        for index in range(2):
            assert int(client.app.config.get("number", namespace=f"of-{index}")) == each - 1


def test_a_client_of_one_hears_what_the_other_published(pair: Pair) -> None:
    application = pair.application()
    application.publish(1)
    here, there = (application.client(server) for server in pair.servers)
    for number in range(2, 8):
        application.publish(number, pair.servers[number % 2].administrator())
        here.wait(number)
        there.wait(number)
    nodes = {server.address.partition("//")[2] for server in pair.servers}
    eventually(lambda: current_nodes(application, pair.second.administrator()) == nodes)


def test_a_killed_servers_clients_move_to_the_other(pair: Pair, tmp_path: Path) -> None:
    application = pair.application()
    application.publish(1)
    clients = [client_that_knows_both(pair, application, tmp_path / str(number)) for number in range(5)]
    pair.first.kill()
    try:
        api = pair.second.administrator()
        application.publish(2, api)
        for client in clients:
            client.wait(2)
            eventually(lambda client=client: client.status.connected)
        eventually(lambda: current_nodes(application, api) == {pair.second.address.partition("//")[2]})
    finally:
        pair.first.start()
    application.publish(3)
    for client in clients:
        client.wait(3)


def test_a_frozen_servers_clients_move_to_the_other(pair: Pair, tmp_path: Path) -> None:
    application = pair.application()
    application.publish(1)
    client = client_that_knows_both(pair, application, tmp_path)
    pair.first.pause()
    try:
        application.publish(2, pair.second.administrator())
        client.wait(2)
    finally:
        pair.first.resume()


def test_a_server_joins_and_leaves_in_order(pair: Pair) -> None:
    application = pair.application()
    application.publish(1)
    with opened_platforms() as platforms:
        third = platforms(*pair.first.options, share=pair.first)
        client = application.client(third)
        client.wait_well()
        application.publish(2, third.administrator())
        client.wait(2)
        assert third.stop() == 0
        application.publish(3)
        client.wait(3)
        eventually(lambda: client.status.connected)
