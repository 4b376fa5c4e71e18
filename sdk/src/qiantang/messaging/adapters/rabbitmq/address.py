"""Address: how a RabbitMQ is written in an estate.

`amqp://name:password@host:5672/vhost`, or `amqps://` for TLS (with `cafile`, `capath`, `certfile`, `keyfile`, `no_verify_ssl`).
Further parameters: `queue_type` (classic or quorum, of queues that are made), `prefetch` (how many messages of each queue a member
has at most, read ahead or in hand), `heartbeat` (seconds), `max_message_size` (bytes, where the server's is not its default).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from yarl import URL

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing import addresses

PORTS: Final = {"amqp": 5672, "amqps": 5671}
OURS: Final = frozenset({"queue_type", "prefetch", "heartbeat", "max_message_size"})
QUEUE_TYPES: Final = ("classic", "quorum")
PREFETCH: Final = 200
HEARTBEAT: Final = 10


class Address:
    """An address that was read.

    Raises, when made:
        MisconfiguredError: it is none, or has a parameter that is not known or makes no sense.
    """

    def __init__(self, url: str) -> None:
        found = addresses.of_host(url, PORTS, "RabbitMQ", "amqp://name:password@host:5672/vhost")
        said = found.said
        self.queue_type = said.pop("queue_type", "classic")
        if self.queue_type not in QUEUE_TYPES:
            raise errors.MisconfiguredError(f"RabbitMQ's queue_type is classic or quorum, not {self.queue_type!r}")
        self.prefetch = addresses.number(said, "RabbitMQ", "prefetch", PREFETCH, (1, 65535))
        self.heartbeat = addresses.number(said, "RabbitMQ", "heartbeat", HEARTBEAT, (1, 600))
        self.max_message_size = addresses.number(said, "RabbitMQ", "max_message_size", 0, (0, 512 * 1024 * 1024))
        addresses.refuse_unknown(said, addresses.TLS | OURS, "RabbitMQ")
        self.host = f"{found.host}:{found.port}"
        self.vhost = unquote(found.path[1:]) or "/"
        self._scheme, self._tls = found.scheme, said
        self._place = (found.host, found.port)
        self._user = found.user if found.user is not None else "guest"
        self._password = found.password if found.password is not None else "guest"

    def __repr__(self) -> str:
        return f"{self._scheme}://…@{self.host}/{quote(self.vhost, safe='')}"

    def client_url(self, name: str) -> URL:
        """Give the address as aiormq reads it; `name` is what the server shows of the connection."""
        host, port = self._place
        built = URL.build(scheme=self._scheme, user=self._user, password=self._password, host=host, port=port)
        query = {**self._tls, "heartbeat": str(self.heartbeat), "name": name}
        return built.joinpath(quote(self.vhost, safe=""), encoded=True).with_query(query)
