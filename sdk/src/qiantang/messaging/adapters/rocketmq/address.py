"""Address: how a RocketMQ is written in an estate.

`rocketmq://host:9876,other:9876`: its name servers, or the remoting port of its proxies (8080 there). With keys where it asks for
them: `rocketmq://accesskey:secretkey@host:9876`. Further parameters: `namesrv` (name servers, several parted by commas, that know
the brokers' own addresses, where the address is a proxy's and topics and groups are to be made) and `cluster` (the one whose
brokers get the topics; all where none is named). `rocketmq+ssl://` for TLS to all of them (with `cafile`, `capath`, `certfile`,
`keyfile`, `no_verify_ssl`, and `tls_name`: what their certificates call them, since name servers give brokers by their numbers).
"""

from __future__ import annotations

from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing import addresses

PORT: Final = 9876
OPTIONS: Final = frozenset({"cluster", "namesrv"})
OF_TLS: Final = addresses.TLS | {"tls_name"}
SECURE: Final = "rocketmq+ssl"

Host = tuple[str, int]


class Address:
    """An address that was read.

    Raises, when made:
        MisconfiguredError: it is none, or has a parameter that is not known or makes no sense.
    """

    def __init__(self, url: str) -> None:
        written = addresses.of_hosts(url, {"rocketmq", SECURE}, "RocketMQ", "rocketmq://host:9876,other:9876")
        said = written.said
        secure = written.scheme == SECURE
        addresses.refuse_unknown(said, OPTIONS | OF_TLS if secure else OPTIONS, "RocketMQ")
        self.tls_name = said.pop("tls_name", None)
        self.tls = addresses.tls_context(said, "RocketMQ") if secure else None
        self._scheme = written.scheme
        self.hosts = _hosts(written.hosts)
        self.admin = _hosts(said["namesrv"]) if said.get("namesrv") else self.hosts
        self.cluster = said.get("cluster", "")
        self.access_key, self.secret_key = written.user or "", written.password
        if written.user is not None and not (self.access_key and self.secret_key):
            raise errors.MisconfiguredError(
                f"RocketMQ's address {self!r} has half of its keys: write rocketmq://accesskey:secretkey@host:9876"
            )

    def __repr__(self) -> str:
        keys = "…@" if self.access_key else ""
        return f"{self._scheme}://{keys}{','.join(f'{host}:{port}' for host, port in self.hosts)}"


def read_host(text: str) -> Host:
    """Read "host:port"; the port of a name server where none is said.

    Raises:
        MisconfiguredError: it is none.
    """
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(PORT)
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise errors.MisconfiguredError(f"{text[:100]!r} is no address of a RocketMQ server: write host:{PORT}")
    return host.strip("[]"), int(port)


def _hosts(text: str) -> tuple[Host, ...]:
    return tuple(read_host(one.strip()) for one in text.replace(";", ",").split(","))
