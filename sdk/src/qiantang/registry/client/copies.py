"""Copies: the last known nodes of a microservice on disk, for a start while the registry is away.

A file is one line `qiantang-nodes 1 <SHA-256 of the rest>` and the nodes as JSON. It is whole or not there; one that is damaged
is not used. The folder and its files are for this user alone.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Final

from qiantang.kernel import errors, files, scope, wire
from qiantang.registry.model import Node
from qiantang.registry.port.bounds import MAX_NODES, check_microservice

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 32 << 20
_MAGIC: Final = b"qiantang-nodes 1 "
_HEAD_BYTES: Final = len(_MAGIC) + 64 + 1


class _Copy(wire.Wire, frozen=True):
    microservice: str
    nodes: tuple[Node, ...]


class Copies:
    """The copy of one microservice. Blocking: call it off the loop; never raises for what a disk may do."""

    def __init__(self, folder: Path, tenant: str, microservice: str) -> None:
        self._microservice = f"{scope.check_name(tenant, 'the tenant')}/{check_microservice(microservice)}"
        self._file = folder / f"{self._microservice.replace('/', '~')}.nodes"
        self._saying = True

    def load(self) -> tuple[Node, ...]:
        """Give the nodes that were known last; none where there is no copy that can be used."""
        try:
            with self._file.open("rb") as file:
                return self._opened(file.read(MAX_FILE_BYTES + 1))
        except FileNotFoundError:
            return ()
        except (OSError, errors.InvalidRequestError) as error:
            log.warning("a copy of nodes is not used", extra={"file": str(self._file), "reason": str(error)})
            return ()

    def save(self, nodes: tuple[Node, ...]) -> bool:
        """Keep the nodes in place of what was kept; say whether they are on disk."""
        try:
            _write(self._file, self._closed(nodes))
        except (OSError, errors.TooLargeError) as error:
            if self._saying:
                log.warning(
                    "cannot keep a copy of nodes: a start without the registry would have an old one or none",
                    extra={"file": str(self._file), "reason": str(error)},
                )
            self._saying = False
            return False
        self._saying = True
        return True

    def _closed(self, nodes: tuple[Node, ...]) -> bytes:
        content = wire.encode(_Copy(microservice=self._microservice, nodes=nodes))
        if len(content) > MAX_FILE_BYTES - _HEAD_BYTES:
            raise errors.TooLargeError(f"the nodes of {self._microservice} take {len(content)} bytes")
        return _MAGIC + _checksum(content) + b"\n" + content

    def _opened(self, data: bytes) -> tuple[Node, ...]:
        head, content = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
        if len(data) > MAX_FILE_BYTES or head != _MAGIC + _checksum(content) + b"\n":
            raise errors.InvalidRequestError("it is damaged")
        copy = wire.decode(content, _Copy)
        if copy.microservice != self._microservice or len(copy.nodes) > MAX_NODES:
            raise errors.InvalidRequestError(f"it is of {copy.microservice[:200]}")
        return copy.nodes


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(file, files.beside(file), content)
