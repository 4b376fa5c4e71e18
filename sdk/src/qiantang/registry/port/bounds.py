"""Bounds: which names and sizes a registry takes, and the one form in which nodes and definitions are written.

What is read passes the same bounds as what is written: others may write there, too.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

from qiantang.kernel import errors, scope, wire
from qiantang.registry.model import SERVICE, Definition, Node, Vote, digest

MAX_NODE_BYTES: Final = 64 * 1024
MAX_DEFINITION_BYTES: Final = 256 * 1024
MAX_VOTE_BYTES: Final = 2048
MAX_NODES: Final = 10_000
MAX_SERVICES: Final = 1_000
MAX_VOTES: Final = 10_000

NODE_RULE: Final = "1 to 128 of A-Z, a-z, 0-9, '-', '_', '.', ':' and '@', beginning with a letter or digit"
_node = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}")
_service = re.compile(SERVICE)

T = TypeVar("T", Node, Definition, Vote)


def check_microservice(name: str) -> str:
    """Give the name back if it is one. Raises InvalidRequestError."""
    return scope.check_name(name, "the microservice")


def check_node_name(name: str, what: str = "the node") -> str:
    """Give the name back if it is one. Raises InvalidRequestError."""
    if not _node.fullmatch(name):
        raise errors.InvalidRequestError(f"{what} {name[:80]!r} is not a name: {NODE_RULE}")
    return name


def check_service(name: str) -> str:
    """Give the name back if it is one. Raises InvalidRequestError."""
    if not _service.fullmatch(name):
        raise errors.InvalidRequestError(
            f"the service {name[:80]!r} is not a name: a letter, then a-z, 0-9, '_', '.', '-'"
        )
    return name


def is_cluster(name: str) -> bool:
    """Say whether something found in a registry is the name of a cluster."""
    try:
        scope.check_name(name, "the cluster")
    except errors.InvalidRequestError:
        return False
    return True


def encode_node(node: Node) -> bytes:
    """Check a node and write it. Raises InvalidRequestError, TooLargeError."""
    check_node_name(node.name)
    return _written(node, MAX_NODE_BYTES, f"the node {node.name}")


def encode_definition(definition: Definition) -> bytes:
    """Check a definition and write it. Raises InvalidRequestError, TooLargeError."""
    check_service(definition.service)
    if definition.digest != digest(definition.document):
        raise errors.InvalidRequestError(f"the digest of {definition.service} is not that of its document")
    return _written(definition, MAX_DEFINITION_BYTES, f"the definition of {definition.service}")


def encode_vote(vote: Vote) -> bytes:
    """Check a vote and write it. Raises InvalidRequestError, TooLargeError."""
    check_service(vote.service)
    check_node_name(vote.node)
    check_node_name(vote.voter, "the voter")
    return _written(vote, MAX_VOTE_BYTES, f"the vote of {vote.voter}")


def decode_node(data: bytes, name: str, cluster: str) -> Node | None:
    """Read the node that is listed under a name in a cluster; None where it is not one, or says to be another."""
    node = _read(data, Node, MAX_NODE_BYTES)
    return node if node is not None and (node.name, node.cluster) == (name, cluster) and _node.fullmatch(name) else None


def decode_listed(data: bytes) -> Node | None:
    """Read a node that says itself how it is called; None where it is not one."""
    node = _read(data, Node, MAX_NODE_BYTES)
    return node if node is not None and _node.fullmatch(node.name) else None


def decode_definition(data: bytes, service: str) -> Definition | None:
    """Read the definition of a service; None where it is damaged."""
    found = _read(data, Definition, MAX_DEFINITION_BYTES)
    whole = found is not None and found.service == service and found.digest == digest(found.document)
    return found if whole else None


def decode_vote(data: bytes) -> Vote | None:
    """Read a vote; None where it is not one."""
    return _read(data, Vote, MAX_VOTE_BYTES)


def _written(value: Node | Definition | Vote, most: int, what: str) -> bytes:
    data = wire.encode(value)
    if len(data) > most:
        raise errors.TooLargeError(f"{what} takes {len(data)} bytes, and may take {most}")
    wire.decode(data, type(value))  # constructing a struct checks nothing: what others would pass over is refused here
    return data


def _read(data: bytes, model: type[T], most: int) -> T | None:
    try:
        return wire.decode(data, model) if len(data) <= most else None
    except (errors.InvalidRequestError, msgspec.MsgspecError):
        return None
