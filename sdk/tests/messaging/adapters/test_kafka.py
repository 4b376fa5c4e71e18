"""Kafka as a broker: the conformance suite, with a store that does what Kafka does not, and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.model import Resource, Store
from qiantang.messaging.port import Feature
from qiantang.messaging.testing import BrokerConformance
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
