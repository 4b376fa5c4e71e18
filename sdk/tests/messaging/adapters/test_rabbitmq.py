"""RabbitMQ as a broker: the conformance suite, with a store that does what RabbitMQ does not, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.errors import FeatureMissingError
from qiantang.messaging.model import Resource, Store
from qiantang.messaging.port import Feature
from qiantang.messaging.testing import BrokerConformance, Rig
from sdk.tests.messaging.adapters.secure import over_tls
from tests.servers import certificates
from tests.servers.rabbitmq import RabbitMQ


@pytest.mark.rabbitmq
class TestRabbitMQ(BrokerConformance):
    adapter = "rabbitmq"

    @pytest.fixture
    def resource(self, rabbitmq_url: str) -> Resource:
        return Resource(name="one", url=rabbitmq_url)

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store | None:
        return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


class TestRabbitMQWithoutStore(TestRabbitMQ):
    lacks = frozenset({Feature.DELAY, Feature.CANCEL})

    @pytest.fixture
    def store(self) -> Store | None:
        return None


class TestRabbitMQQuorum(TestRabbitMQ):
    """Quorum queues, which keep no priorities before 4.0, and no strict ones before 4.3."""

    @pytest.fixture
    def resource(self, rabbitmq_url: str) -> Resource:
        return Resource(name="one", url=f"{rabbitmq_url}?queue_type=quorum")

    async def test_priority(self, rig: Rig) -> None:
        bus, topic, taker = await rig.taking(rig.topic())
        with pytest.raises(FeatureMissingError):
            await bus.send(topic.name, "high", priority=9)
        await bus.send(topic.name, "key", priority=9, key="k")
        await rig.until(lambda: taker.bodies == ["key"])
        assert taker.contexts[0].priority == 9, "with a key its order counts, and it still says what it was"


@pytest.mark.rabbitmq
async def test_tls(rabbitmq_server: RabbitMQ, rabbitmq_url: str, tmp_path: Path) -> None:
    login, _, host = rabbitmq_url.removeprefix("amqp://").partition("@")
    vhost = host.partition("/")[2]
    await over_tls(
        "rabbitmq",
        lambda file: f"amqps://{login}@127.0.0.1:{rabbitmq_server.tls_port}/{vhost}?cafile={file}",
        certificates.of(rabbitmq_server.folder).authority,
        tmp_path,
    )
