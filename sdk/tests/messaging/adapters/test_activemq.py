"""ActiveMQ as a broker: the conformance suite, with a store that does what ActiveMQ does not, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.errors import FeatureMissingError
from qiantang.messaging.model import Resource, Store
from qiantang.messaging.port import Feature
from qiantang.messaging.testing import BrokerConformance, Rig
from sdk.tests.messaging.adapters.secure import over_tls
from tests.servers import certificates
from tests.servers.activemq import ActiveMQ


@pytest.mark.activemq
class TestActiveMQ(BrokerConformance):
    adapter = "activemq"

    @pytest.fixture
    def resource(self, activemq_server: ActiveMQ) -> Resource:
        return Resource(name="one", url=activemq_server.address(priorities="true"))

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store | None:
        return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


class TestActiveMQWithoutStore(TestActiveMQ):
    lacks = frozenset({Feature.DELAY, Feature.CANCEL})

    @pytest.fixture
    def store(self) -> Store | None:
        return None


class TestActiveMQThatHoldsBack(TestActiveMQWithoutStore):
    """Without a store the server's scheduler holds messages back, and gives none back."""

    lacks = frozenset({Feature.CANCEL})

    @pytest.fixture
    def resource(self, activemq_server: ActiveMQ) -> Resource:
        return Resource(name="one", url=activemq_server.address(priorities="true", scheduler="true"))


class TestActiveMQThatCouldHoldBack(TestActiveMQ):
    """With a store it is the store that does, since it can give them back; and nothing is said of priorities here."""

    @pytest.fixture
    def resource(self, activemq_server: ActiveMQ) -> Resource:
        return Resource(name="one", url=activemq_server.address(scheduler="true"))

    async def test_priority(self, rig: Rig) -> None:
        bus, topic, _ = await rig.taking(rig.topic())
        with pytest.raises(FeatureMissingError):
            await bus.send(topic.name, "high", priority=9)


@pytest.mark.activemq
async def test_tls(activemq_server: ActiveMQ, tmp_path: Path) -> None:
    login, _, _ = activemq_server.url.removeprefix("stomp://").partition("@")
    await over_tls(
        "activemq",
        lambda file: f"stomp+ssl://{login}@127.0.0.1:{activemq_server.tls_port}?cafile={file}",
        certificates.of(activemq_server.folder).authority,
        tmp_path,
    )
