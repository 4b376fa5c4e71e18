"""What addresses of brokers have in common: they are shown without their secrets, and read alike."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing import addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://host:9092", "kafka://host:9092"),
        ("kafka://app:s3cret@host:9092?a=b", "kafka://…@host:9092"),
        ("app:s3cret@host:9092", "…@host:9092"),
        ("kafka://app:s3?cret@host", "kafka://…@host"),
        ("kafka://app:s3@cret@host", "kafka://…@host"),
        ("stomp://host?jolokia=http://app:s3cret@host:8161/api", "stomp://…@host:8161/api"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert addresses.shown(url) == shown


def test_the_servers_of_a_cluster_are_read_with_what_is_said_of_them() -> None:
    found = addresses.of_hosts("kafka://app:s%3Fcret@a:1,b?x=1&y=", {"kafka"}, "Kafka cluster", "kafka://host:9092")
    assert found == addresses.Written("kafka", "a:1,b", "app", "s?cret", {"x": "1", "y": ""})
    assert addresses.of_hosts("kafka://a/", {"kafka"}, "Kafka cluster", "").user is None


@pytest.mark.parametrize("url", ["amqp://a", "kafka://", "kafka:///", "a:1", ""])
def test_what_names_no_server_is_said_with_how_to_write_it(url: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"no Kafka cluster is at .*: write kafka://host:9092"):
        addresses.of_hosts(url, {"kafka"}, "Kafka cluster", "kafka://host:9092")


def test_a_single_server_is_read_with_its_port() -> None:
    ports = {"amqp": 5672, "amqps": 5671}
    found = addresses.of_host("amqps://app:s%2Fcret@host/v?x=1", ports, "RabbitMQ", "amqp://host:5672/vhost")
    assert (found.scheme, found.host, found.port, found.path) == ("amqps", "host", 5671, "/v")
    assert (found.user, found.password, found.said) == ("app", "s/cret", {"x": "1"})
    assert addresses.of_host("amqp://host:1", ports, "RabbitMQ", "").user is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://host:port/", "RabbitMQ's address has no port that is a number"),
        ("http://app:s3cret@host", "no RabbitMQ is at 'http://…@host': write amqp://host"),
        ("amqp:///v", "no RabbitMQ is at"),
    ],
)
def test_what_is_no_server_is_refused(url: str, said: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match=said):
        addresses.of_host(url, {"amqp": 5672}, "RabbitMQ", "amqp://host")
