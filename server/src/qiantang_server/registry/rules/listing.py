"""Listing: how the list of a microservice's nodes is written for streams, and what an override makes of a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from qiantang.kernel import wire
from qiantang.registry.model import Node

PART_BYTES: Final = 128 * 1024
"""Bytes of nodes in one event: with one more node that is as large as one may be it is below what a reader takes."""
_nodes = msgspec.json.Decoder(Node)


def overridden(body: bytes, state: str, weight: int | None) -> bytes:
    """Give a node as callers see it."""
    if not state and weight is None:
        return body
    node = _nodes.decode(body)
    changes: dict[str, object] = {} if weight is None else {"weight": weight}
    if state:
        changes["state"] = state
    return wire.encode(msgspec.structs.replace(node, **changes))


def written(microservice: str, revision: int, nodes: Sequence[bytes]) -> bytes:
    """Write the events that tell a whole list of encoded nodes."""
    parts = list(_parts(nodes))
    head = wire.encode(microservice)
    return b"".join(
        b'event: nodes\ndata: {"microservice":%b,"revision":%d,"more":%b,"nodes":[%b]}\n\n'
        % (head, revision, b"true" if number < len(parts) else b"false", b",".join(part))
        for number, part in enumerate(parts, 1)
    )


def _parts(nodes: Iterable[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for node in nodes:
        if part and size + len(node) > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(node)
        size += len(node) + 1
    yield part
