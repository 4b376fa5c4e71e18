"""The directory of servers in a real ZooKeeper."""

import json
import sys
from typing import Any

import pytest
from kazoo.client import KazooClient

from qiantang.kernel import errors, runtime
from qiantang.kernel.uplink.adapters.zookeeper import SERVERS_PATH, ZooKeeperServers


@pytest.mark.zookeeper
async def test_lists_what_the_servers_wrote(zookeeper_server: Any) -> None:
    client = KazooClient(zookeeper_server.hosts)
    client.start(10)
    directory = ZooKeeperServers(zookeeper_server.hosts)
    try:
        client.delete(SERVERS_PATH, recursive=True)
        assert await runtime.bridge(directory.addresses()) == []
        client.create(f"{SERVERS_PATH}/b", json.dumps({"address": "http://b:1"}).encode(), makepath=True)
        client.create(f"{SERVERS_PATH}/a", json.dumps({"address": "http://a:1", "new": 1}).encode())
        client.create(f"{SERVERS_PATH}/c", b"not ours")
        client.create(f"{SERVERS_PATH}/d", b"x" * 10_000)
        assert await runtime.bridge(directory.addresses()) == ["http://a:1", "http://b:1"]
    finally:
        client.stop()
        client.close()


async def test_an_ensemble_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qiantang.kernel.uplink.adapters.zookeeper.CONNECT_SECONDS", 0.3)
    with pytest.raises(errors.UnavailableError, match=r"zookeeper 127\.0\.0\.1:9"):
        await runtime.bridge(ZooKeeperServers("127.0.0.1:9").addresses())


def test_a_missing_driver_is_told_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kazoo", None)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'qiantang\[zookeeper\]'"):
        ZooKeeperServers("127.0.0.1:2181")
