"""The demo estate's messages go over a broker by one flag, with no change of code."""

from __future__ import annotations

import re

import pytest

from tests.servers.activemq import ActiveMQ
from tests.servers.demo import Demo
from tests.servers.kafka import Kafka
from tests.servers.product import eventually
from tests.servers.rocketmq import RocketMQ

pytestmark = pytest.mark.process

HEARD = (r"stock-\d \| .*; [1-9]\d* parcels packed", r"billing-\d \| .*; orders over [1-9]\d* yuan came in")
SECONDS = 90.0


def see(flag: str) -> None:
    """See that stock and billing of prod hear of orders, and that no file carries them."""
    with Demo(flag) as estate:
        eventually(lambda: all(re.search(one, estate.said) for one in HEARD), f"orders are heard of: {flag}", SECONDS)
        assert not (estate.data / "demo" / "messages-prod.sqlite3").exists()
        assert (estate.data / "demo" / "messages-dev.sqlite3").exists()


@pytest.mark.kafka
def test_over_kafka(kafka_server: Kafka) -> None:
    see(f"--kafka={kafka_server.hosts}")


@pytest.mark.rabbitmq
def test_over_rabbitmq(rabbitmq_url: str) -> None:
    see(f"--rabbitmq={rabbitmq_url}")


@pytest.mark.activemq
def test_over_activemq(activemq_server: ActiveMQ) -> None:
    see(f"--activemq={activemq_server.url}")


@pytest.mark.rocketmq
def test_over_rocketmq(rocketmq_server: RocketMQ) -> None:
    see(f"--rocketmq={rocketmq_server.names.hosts}")
