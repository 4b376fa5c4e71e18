"""Kafka as a broker: the conformance suite, with a store that does what Kafka does not, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.model import Resource, Store
from qiantang.messaging.port import Feature
from qiantang.messaging.testing import BrokerConformance
from sdk.tests.messaging.adapters.secure import over_tls
from tests.servers import certificates
from tests.servers.kafka import Kafka


@pytest.mark.kafka
class TestKafka(BrokerConformance):
    chooses_queues = False
    adapter = "kafka"

    @pytest.fixture
    def resource(self, kafka_server: Kafka) -> Resource:
        return Resource(name="one", url=f"kafka://{kafka_server.hosts}")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store | None:
        return Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")


class TestKafkaWithoutStore(TestKafka):
    lacks = frozenset({Feature.DELAY, Feature.CANCEL})

    @pytest.fixture
    def store(self) -> Store | None:
        return None


@pytest.mark.kafka
async def test_tls(kafka_server: Kafka, tmp_path: Path) -> None:
    await over_tls(
        "kafka",
        lambda file: f"kafka://127.0.0.1:{kafka_server.tls_port}?security.protocol=SSL&ssl.ca.location={file}",
        certificates.of(kafka_server.folder).authority,
        tmp_path,
    )
