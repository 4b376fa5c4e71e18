"""RocketMQ as a broker: the conformance suite, with a store that does what RocketMQ does not, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.model import Resource, Store
from qiantang.messaging.testing import BrokerConformance
from sdk.tests.messaging.adapters.secure import over_tls
from tests.servers import certificates
from tests.servers.rocketmq import RocketMQ


@pytest.mark.rocketmq
class TestRocketMQ(BrokerConformance):
    adapter = "rocketmq"

    @pytest.fixture
    def resource(self, rocketmq_server: RocketMQ) -> Resource:
        return Resource(name="one", url=f"rocketmq://{rocketmq_server.names.hosts}")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store | None:
        return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


class TestRocketMQWithoutStore(TestRocketMQ):
    """Messages are held back by RocketMQ itself, and what is tried again waits in the process's memory."""

    @pytest.fixture
    def store(self) -> Store | None:
        return None


@pytest.mark.rocketmq
@pytest.mark.parametrize("name", ["", certificates.NAME])
async def test_tls(rocketmq_server: RocketMQ, tmp_path: Path, name: str) -> None:
    called = f"&tls_name={name}" if name else ""
    await over_tls(
        "rocketmq",
        lambda file: f"rocketmq+ssl://{rocketmq_server.names.hosts}?cafile={file}{called}",
        certificates.of(rocketmq_server.names.folder).authority,
        tmp_path,
    )
