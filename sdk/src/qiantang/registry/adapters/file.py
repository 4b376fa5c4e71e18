"""File: a static list of nodes in a file of TOML or JSON, read again when it changes; nobody registers in it.

[[order.nodes]]
name = "order-1"
addresses = { csf1 = "10.0.0.1:9000" }

[order.definitions."order.OrderService"]
methods = {}
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import msgspec

from qiantang.kernel import errors, runtime, scope, wire
from qiantang.registry.errors import RegistryAwayError, RegistryReadOnlyError, UnknownDefinitionError
from qiantang.registry.model import Change, Condition, Definition, Node, Snapshot, Vote
from qiantang.registry.port import MAX_NODES, MAX_SERVICES, Board
from qiantang.registry.port.bounds import check_microservice, check_service, encode_definition, encode_node
from qiantang.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 16 << 20

Mark = tuple[int, int, int]


class Listing(wire.Command, frozen=True):
    """What the file says of one microservice."""

    nodes: list[dict[str, Any]] = []
    definitions: dict[str, dict[str, Any]] = {}


class _Known(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...] = ()
    definitions: tuple[Definition, ...] = ()


Contents = dict[str, _Known]


def make(settings: RegistrySettings) -> FileRegistry:
    """Make it from settings; the entry point."""
    return FileRegistry(settings)


class FileRegistry:
    """Looks at the file in steady steps. A change that cannot be read leaves what was known, marked as stale.

    Raises, when entered:
        MisconfiguredError: the file is there and is no list of nodes; the detail names the place.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        if not settings.address:
            raise errors.MisconfiguredError("registry.adapter is file: write the path of the list in registry.address")
        self._path = Path(settings.address)
        self._poll = settings.poll.total_seconds()
        self._timeout = settings.operation_timeout.total_seconds()
        self._boards: dict[str, Board] = {}
        self._contents: Contents | None = None
        self._mark: Mark | None = None
        self._condition = Condition(ready=False, reason="not open yet", since=_now())
        self._task: asyncio.Task[None] | None = None
        self._reading: asyncio.Future[tuple[Mark, bytes] | None] | None = None

    @property
    def health(self) -> Condition:
        """Say whether what is known is what the file says."""
        return self._condition

    async def register(self, microservice: str, node: Node) -> None:
        """Refuse it."""
        self._refuse(f"register {node.name} of {microservice}")

    async def update(self, microservice: str, name: str, change: Change) -> None:
        """Refuse it."""
        self._refuse(f"change {name} of {microservice}")

    async def deregister(self, microservice: str, name: str) -> None:
        """Refuse it."""
        self._refuse(f"deregister {name} of {microservice}")

    async def publish(self, microservice: str, definition: Definition) -> None:
        """Refuse it."""
        self._refuse(f"publish {definition.service} of {microservice}")

    async def vote(self, microservice: str, vote: Vote) -> None:
        """Refuse it."""
        self._refuse(f"vote on {vote.node} of {microservice}")

    async def votes(self, microservice: str) -> tuple[Vote, ...]:
        """Give none: nobody votes here."""
        check_microservice(microservice)
        return ()

    async def watch(self, microservice: str) -> AsyncIterator[Snapshot]:
        """Watch the board of a microservice."""
        board = self._boards.setdefault(check_microservice(microservice), Board())
        self._post(microservice, board)
        async with contextlib.aclosing(board.watch()) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def definitions(self, microservice: str, service: str = "") -> tuple[Definition, ...]:
        """Give those that the file holds."""
        check_microservice(microservice)
        if self._contents is None:
            raise RegistryAwayError(self._condition.reason)
        known = self._contents.get(microservice, _Known()).definitions
        if not service:
            return known
        found = tuple(one for one in known if one.service == check_service(service))
        if not found:
            raise UnknownDefinitionError(f"{self._path} has no definition of {service} of {microservice}")
        return found

    async def __aenter__(self) -> Self:
        """Read the file; where it is missing, wait for it in the background."""
        try:
            await self._look()
        except errors.InvalidRequestError as error:
            raise errors.MisconfiguredError(error.detail) from error
        self._task = asyncio.create_task(self._follow(), name="registry: file")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop looking and end the watches."""
        pending = [one for one in (self._task, self._reading) if one is not None]
        for one in pending:
            one.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for board in self._boards.values():
            board.close()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            try:
                await self._look()
            except errors.InvalidRequestError as error:
                self._degraded(error.detail)

    async def _look(self) -> None:
        """Read the file where it changed. Raises InvalidRequestError where it is no list."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(runtime.offload(_changed, self._path, self._mark))
        done, _waiting = await asyncio.wait({self._reading}, timeout=self._timeout)
        if not done:  # a disk that hangs holds one thread, not one more each time
            self._degraded(f"{self._path} cannot be read: no answer within {self._timeout:g} s")
            return
        reading, self._reading = self._reading, None
        try:
            read = reading.result()
        except OSError as error:
            self._mark = None
            self._degraded(f"{self._path} cannot be read: {error.strerror}")
            return
        if read is not None:
            self._mark, data = read
            self._take(_parsed(data, self._path))

    def _take(self, contents: Contents) -> None:
        self._contents = contents
        if not self._condition.ready:
            self._condition = Condition(ready=True, since=_now())
        for microservice, board in self._boards.items():
            self._post(microservice, board)

    def _post(self, microservice: str, board: Board) -> None:
        if self._contents is not None and (self._condition.ready or board.latest is None):
            board.post(self._contents.get(microservice, _Known()).nodes)
        if not self._condition.ready:
            board.away()

    def _degraded(self, reason: str) -> None:
        if self._condition.ready or reason != self._condition.reason:
            log.warning("the list of nodes is not read; what was known stands", extra={"reason": reason})
            self._condition = Condition(ready=False, reason=reason, since=_now())
        for board in self._boards.values():
            board.away()

    def _refuse(self, what: str) -> NoReturn:
        raise RegistryReadOnlyError(f"cannot {what}: {self._path} is a static list; edit it, or use another registry")


def _changed(path: Path, mark: Mark | None) -> tuple[Mark, bytes] | None:
    """Read a file that is not the one of this mark; None where it is."""
    with path.open("rb") as opened:
        found = path.stat()
        fresh = (found.st_ino, found.st_mtime_ns, found.st_size)
        return None if fresh == mark else (fresh, opened.read(MAX_FILE_BYTES + 1))


def _parsed(data: bytes, path: Path) -> Contents:
    if len(data) > MAX_FILE_BYTES:
        raise errors.TooLargeError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = data.decode()
        raw = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.InvalidRequestError(f"{path} cannot be read: {error}") from error
    try:
        listings = wire.convert(raw, dict[scope.Name, Listing])
        return {microservice: _known(listing) for microservice, listing in listings.items()}
    except errors.InvalidRequestError as error:
        raise errors.InvalidRequestError(f"{path} is no list of nodes: {error.detail}") from error


def _known(listing: Listing) -> _Known:
    nodes = {node.name: node for node in map(_node, listing.nodes)}
    if len(nodes) < len(listing.nodes):
        raise errors.InvalidRequestError("two nodes of a microservice have one name")
    if len(nodes) > MAX_NODES or len(listing.definitions) > MAX_SERVICES:
        raise errors.TooLargeError(f"at most {MAX_NODES} nodes and {MAX_SERVICES} definitions of a microservice")
    definitions = [Definition.of(service, document) for service, document in sorted(listing.definitions.items())]
    for definition in definitions:
        encode_definition(definition)
    return _Known(tuple(nodes.values()), tuple(definitions))


def _node(raw: dict[str, Any]) -> Node:
    unknown = sorted(raw.keys() - set(Node.__struct_fields__))
    if unknown:
        raise errors.InvalidRequestError(f"a node has no {', '.join(unknown)[:200]}")
    node = wire.convert(raw, Node)
    encode_node(node)
    return node


def _now() -> int:
    return time.time_ns() // 1_000_000
