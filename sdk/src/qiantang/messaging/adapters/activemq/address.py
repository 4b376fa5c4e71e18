"""Address: how an ActiveMQ Classic is written in an estate.

`stomp://name:password@host:61613`, or `stomp+ssl://` for TLS (with `cafile`, `capath`, `certfile`, `keyfile`, `no_verify_ssl`).
Further parameters: `prefetch` (how many messages of each queue a member has at most, read ahead or in hand), `heartbeat` (seconds),
`max_message_size` (bytes, where the server's `maxFrameSize` or `maxDataLength` is not its default), `priorities=true` where the
server's policy has `prioritizedMessages`, `scheduler=true` where it has `schedulerSupport`, and `jolokia`, the address of its HTTP
interface with a name and a password, percent-encoded: what a group has not finished is asked there.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from qiantang.kernel import errors, uplink
from qiantang.messaging.adapters.sharing import addresses

PORTS: Final = {"stomp": 61613, "stomp+ssl": 61614}
OURS: Final = frozenset({"prefetch", "heartbeat", "max_message_size", "priorities", "scheduler", "jolokia"})
PREFETCH: Final = 500
HEARTBEAT: Final = 10
_NAME: Final = "ActiveMQ"
_EXAMPLE: Final = "stomp://name:password@host:61613"


class Jolokia:
    """Where the HTTP interface is. `path` has no slash at its end.

    Raises, when made:
        MisconfiguredError: it is no address.
    """

    def __init__(self, url: str) -> None:
        try:
            found = urlsplit(url)
            port = f":{found.port}" if found.port else ""
            host = f"[{found.hostname}]" if found.hostname and ":" in found.hostname else found.hostname
            self.address = uplink.Address.parse(f"{found.scheme}://{host or ''}{port}")
        except (ValueError, errors.InvalidRequestError) as error:
            raise errors.MisconfiguredError(
                "jolokia in ActiveMQ's address is none: write http://name:password@host:8161/api/jolokia, percent-encoded"
            ) from error
        self.path = found.path.rstrip("/") or "/api/jolokia"
        self.user, self.password = unquote(found.username or ""), unquote(found.password or "")


class Address:
    """An address that was read.

    Raises, when made:
        MisconfiguredError: it is none, or has a parameter that is not known or makes no sense.
    """

    def __init__(self, url: str) -> None:
        found = addresses.of_host(url, PORTS, _NAME, _EXAMPLE)
        if found.path not in ("", "/"):
            raise errors.MisconfiguredError(f"no ActiveMQ is at {addresses.shown(url)!r}: write {_EXAMPLE}")
        said = found.said
        addresses.refuse_unknown(said, addresses.TLS | OURS, _NAME)
        self.prefetch = addresses.number(said, _NAME, "prefetch", PREFETCH, (1, 32766))
        self.heartbeat = addresses.number(said, _NAME, "heartbeat", HEARTBEAT, (1, 600))
        self.max_message_size = addresses.number(said, _NAME, "max_message_size", 0, (0, 1024 * 1024 * 1024))
        self.priorities = addresses.flag(said, _NAME, "priorities")
        self.scheduler = addresses.flag(said, _NAME, "scheduler")
        jolokia = said.pop("jolokia", "")
        self.jolokia = Jolokia(jolokia) if jolokia else None
        self.host, self.port = found.host, found.port
        self.user, self.password = found.user or "", found.password or ""
        self._scheme = found.scheme
        self.tls = addresses.tls_context(said, _NAME) if found.scheme == "stomp+ssl" else None
        if said and self.tls is None:
            raise errors.MisconfiguredError(f"{min(said)!r} is for TLS: the address begins with stomp+ssl:// then")

    def __repr__(self) -> str:
        return f"{self._scheme}://…@{self.host}:{self.port}"
