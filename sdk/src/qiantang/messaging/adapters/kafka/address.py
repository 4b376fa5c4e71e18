"""Address: how a Kafka cluster is written in an estate, and what librdkafka is told of it.

`kafka://host:9092,other:9092`, with a name and a password where it asks for them (`kafka://name:password@host:9092`), and any
setting of librdkafka as a parameter: `?security.protocol=SASL_SSL&ssl.ca.location=/etc/ca.pem`. What order and durability stand
on cannot be set.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote

from qiantang.kernel import errors

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


class Address:
    """An address that was read.

    Raises, when made:
        MisconfiguredError: it is none, or sets what must not be set.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        place, _, query = rest.partition("?")
        credentials, at, hosts = place.rpartition("@")
        if scheme != "kafka" or not hosts.strip("/"):
            raise errors.MisconfiguredError(
                f"no Kafka cluster is at {_shown(url)!r}: write kafka://host:9092,other:9092"
            )
        self.settings: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True))
        refused = sorted(OURS.intersection(self.settings))
        if refused:
            raise errors.MisconfiguredError(f"{refused[0]!r} cannot be set in the address of Kafka: the adapter does")
        self.hosts = ",".join(one if ":" in one else f"{one}:9092" for one in hosts.strip("/").split(","))
        if at:
            name, _, password = credentials.partition(":")
            self.settings |= {"sasl.username": unquote(name), "sasl.password": unquote(password)}
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


def _shown(url: str) -> str:
    """Give an address without what is secret in it."""
    head, at, tail = url.partition("?")[0].rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url.partition("?")[0]
