"""Addresses of Kafka clusters: what librdkafka is told, and what is refused, without saying a password."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.kafka.address import OURS, Address
from qiantang.messaging.adapters.kafka.broker import KafkaBroker


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka://one:9092", {"bootstrap.servers": "one:9092"}),
        ("kafka://one,two:9093/", {"bootstrap.servers": "one:9092,two:9093"}),
        ("kafka://one?linger.ms=5&ssl.ca.location=/a/b", {"linger.ms": "5", "ssl.ca.location": "/a/b"}),
        ("kafka://one?reconnect.backoff.ms=7", {"reconnect.backoff.ms": "7"}),
        (
            "kafka://ann:p%40ss%2Fw@one",
            {
                "bootstrap.servers": "one:9092",
                "sasl.username": "ann",
                "sasl.password": "p@ss/w",
                "sasl.mechanism": "SCRAM-SHA-512",
                "security.protocol": "SASL_SSL",
            },
        ),
        (
            "kafka://ann:x@one?sasl.mechanism=PLAIN&security.protocol=SASL_PLAINTEXT",
            {"sasl.mechanism": "PLAIN", "security.protocol": "SASL_PLAINTEXT"},
        ),
    ],
)
def test_what_it_says(url: str, said: dict[str, object]) -> None:
    common = Address(url).common("me")
    assert {name: common[name] for name in said} == said
    assert common["client.id"] == "me"


@pytest.mark.parametrize("url", ["", "kafka://", "kafka:///", "http://one", "one:9092", "kafka://ann:secret@"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(errors.MisconfiguredError) as caught:
        Address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_order_and_durability_stand_on_cannot_be_set(name: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match=name):
        Address(f"kafka://one?{name}=x")


@pytest.mark.parametrize("setting", ["no.such.setting=1", "linger.ms=long", "security.protocol=loud"])
async def test_what_librdkafka_does_not_take_is_said_at_once(setting: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match="does not take the address"):
        await KafkaBroker(Address(f"kafka://127.0.0.1:9?{setting}")).open()


def test_a_partitioner_is_one_that_goes_by_the_key_alone() -> None:
    assert Address("kafka://one?partitioner=murmur2").partitioner == "murmur2"
    assert Address("kafka://one").partitioner == ""
    assert "partitioner" not in Address("kafka://one?partitioner=murmur2").common("c")
    with pytest.raises(errors.MisconfiguredError, match="consistent, fnv1a, murmur2"):
        Address("kafka://one?partitioner=random")
