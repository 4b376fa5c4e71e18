"""RocketMQ's own protocol, which its name server and its broker speak: one call with a connection of its own."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.messaging.adapters.rocketmq import wire
from tests.servers.process import HOST

SEND, PULL, CREATE_TOPIC, LAST_OFFSET, ROUTE, CLUSTER, CREATE_GROUP = 10, 11, 17, 30, 105, 106, 200
"""What can be asked; ROUTE and CLUSTER are for the name server, the others for the broker."""
_TIMEOUT = 30.0


class RemotingError(Exception):
    """A server of RocketMQ refused a call; the message holds its code and reason."""


def remoting(
    port: int, code: int, fields: Mapping[str, object] | None = None, body: bytes = b"", *, timeout: float = _TIMEOUT
) -> tuple[dict[str, Any], bytes]:
    """Call a name server or a broker by RocketMQ's own protocol, and give the answer's header and body.

    Raises:
        RemotingError: it refused.
        OSError: it is not there, or did not answer in time.
    """
    said = {name: str(value) for name, value in (fields or {}).items()}
    with socket.create_connection((HOST, port), timeout) as connection, connection.makefile("rb") as answers:
        connection.sendall(wire.written(code, said, body, number=1))
        begin = answers.read(4)
        if len(begin) < 4:
            raise ConnectionError(f"port {port} closed the connection without an answer")
        answer = wire.read(answers.read(wire.length_of(begin)))
    if answer.header.code != wire.Answer.DONE:
        raise RemotingError(f"{answer.header.code}: {answer.header.remark}")
    return msgspec.to_builtins(answer.header), answer.body
