"""Address: how a Kafka cluster is written in an estate, and what librdkafka is told of it.

`kafka://host:9092,other:9092`, with a name and a password where it asks for them (`kafka://name:password@host:9092`), and any
setting of librdkafka as a parameter: `?security.protocol=SASL_SSL&ssl.ca.location=/etc/ca.pem`. What order and durability stand
on cannot be set. With a `partitioner`, as the `murmur2` of Java clients, the key of a message chooses its partition as theirs do.
"""

from __future__ import annotations

from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing import addresses

OURS: Final = frozenset(
    {
        "acks",
        "bootstrap.servers",
        "client.id",
        "delivery.timeout.ms",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "auto.offset.reset",
        "isolation.level",
        "metadata.broker.list",
        "request.required.acks",
        "transactional.id",
    }
)
"""What the adapter sets itself."""
PARTITIONERS: Final = frozenset({"murmur2", "consistent", "fnv1a"})
"""How librdkafka knows a partition by a key alone."""


class Address:
    """An address that was read.

    Raises, when made:
        MisconfiguredError: it is none, or sets what must not be set.
    """

    def __init__(self, url: str) -> None:
        written = addresses.of_hosts(url, {"kafka"}, "Kafka cluster", "kafka://host:9092,other:9092")
        self.settings = written.said
        refused = sorted(OURS.intersection(self.settings))
        if refused:
            raise errors.MisconfiguredError(f"{refused[0]!r} cannot be set in the address of Kafka: the adapter does")
        self.partitioner = self.settings.pop("partitioner", "")
        if self.partitioner and self.partitioner not in PARTITIONERS:
            raise errors.MisconfiguredError(
                f"the partitioner {self.partitioner[:40]!r} in the address of Kafka is none of {', '.join(sorted(PARTITIONERS))}"
            )
        self.hosts = ",".join(one if ":" in one else f"{one}:9092" for one in written.hosts.split(","))
        if written.user is not None:
            self.settings |= {"sasl.username": written.user, "sasl.password": written.password}
            self.settings.setdefault("sasl.mechanism", "SCRAM-SHA-512")
            self.settings.setdefault("security.protocol", "SASL_SSL")

    def common(self, client: str) -> dict[str, str | int | float | bool]:
        """Give what producers, consumers and admins are all told."""
        return {
            "bootstrap.servers": self.hosts,
            "client.id": client,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 2000,
            "socket.keepalive.enable": True,
            "socket.timeout.ms": 10_000,  # a minute is long for one who ends while Kafka stands still
            **self.settings,
        }
