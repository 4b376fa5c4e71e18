"""Sockets: connections to nodes for callers that block: one call at a time on each, shared by all threads."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from qiantang.rpc.client.connection import CONNECT_SECONDS, Introduces
from qiantang.rpc.errors import ConnectionLostError, DeadlineError, NodeAwayError, ProtocolError, TooLargeError
from qiantang.rpc.wire import frames, headers
from qiantang.rpc.wire.frames import Bytes, FrameReader

READ_BYTES: Final = 256 << 10
KEPT: Final = 64
"""Connections to a node that are kept while nobody calls on them."""
STALE_SECONDS: Final = 30.0
"""One that was not used for so long may have been ended by the other side, and is not used again."""

_ENDS: Final = frozenset((frames.RESULT, frames.ERROR, frames.STREAM_END))
_OF_CALLS: Final = _ENDS | {frames.STREAM_DATA, frames.CREDIT}


class BlockingConnection:
    """One socket to a node, with at most one call under way. Not safe from several threads at once.

    `is_of_use` while no call is: of one that was given up, what it would say next belongs to nobody.
    """

    def __init__(self, address: str, introduce: Introduces, tls: ssl.SSLContext | None, deadline: float) -> None:
        self.address = address
        self.used_at = time.monotonic()
        self.is_of_use = True
        self._leaves = False
        self._reader = FrameReader()
        self._number = 0
        self._got: deque[tuple[int, int, Bytes]] = deque()
        deadline = min(deadline, time.monotonic() + CONNECT_SECONDS)
        self._socket = _connected(address, tls, deadline)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        try:
            said = self._meet(introduce, deadline)
        except BaseException:
            self.close()
            raise
        self.methods: Mapping[str, int] = {name: place for place, name in enumerate(said.methods)}
        self._most = said.max_frame

    def call(self, header: headers.CallHeader, body: bytes, deadline: float) -> Bytes:
        """Make a call; give the bytes of its result.

        Raises:
            QiantangError: what the provider raised, or what befell the connection.
        """
        self.begin(header, body, deadline)
        kind, answer = self.heard(deadline)
        if kind == frames.RESULT:
            return answer
        if kind == frames.ERROR:
            raise headers.read_error(answer)
        raise ProtocolError(f"{self.node} sent a frame of type {kind} of a call that does not stream")

    def begin(self, header: headers.CallHeader, body: bytes, deadline: float, streams: int = 0) -> None:
        """Begin a call; what is `heard` follows. It is over with a result, an error, or the end of a stream.

        Raises:
            TooLargeError: the node takes no frame of that size.
            QiantangError: what befell the connection.
        """
        self._number += 1
        if len(body) + frames.HEAD > self._most:
            raise self._too_large(body)
        self.is_of_use = self._leaves = False
        self._send(frames.frame(frames.CALL, self._number, headers.encode(header), body, streams), deadline)

    def tell(self, kind: int, body: bytes, deadline: float) -> None:
        """Send a frame of the call that is under way; raises as `begin`."""
        if len(body) + frames.HEAD > self._most:
            raise self._too_large(body)
        self._send(frames.frame(kind, self._number, b"", body), deadline)

    def heard(self, deadline: float, *, waits: bool = True) -> tuple[int, Bytes]:
        """Give the next frame of the call, with the type 0 where it is not there and nobody waits for it.

        Raises:
            QiantangError: what befell the connection.
        """
        got = self._got
        while True:
            if not got:
                if not waits and self.is_silent:
                    return 0, b""
                self._read(deadline)
                continue
            kind, number, body = got.popleft()
            if kind == frames.GOAWAY:
                self._leaves = True
            elif number == self._number and kind in _OF_CALLS:
                if kind in _ENDS:
                    self.is_of_use = not (self._leaves or got)
                    self.used_at = time.monotonic()
                return kind, body

    @property
    def is_silent(self) -> bool:
        """Whether the node has said nothing since the last answer: neither a goodbye nor the end."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _too_large(self, body: bytes) -> TooLargeError:
        return TooLargeError(f"the call has {len(body):,} bytes: {self.node} takes {self._most:,}")

    def _meet(self, introduce: Introduces, deadline: float) -> headers.Welcome:
        challenge = headers.read_challenge(self._expect(frames.CHALLENGE, deadline))
        self.node = challenge.node
        hello = headers.encode(introduce(challenge))
        self._send(frames.PREFACE + frames.frame(frames.HELLO, body=hello), deadline)
        return headers.read_welcome(self._expect(frames.WELCOME, deadline))

    def _expect(self, wanted: int, deadline: float) -> Bytes:
        kind, _, body = self._next(deadline)
        if kind == frames.ERROR:
            raise headers.read_error(body)
        if kind != wanted:
            raise ProtocolError(f"{self.address} sent this caller away: {bytes(body[:1000]).decode(errors='replace')}")
        return body

    def _send(self, data: bytes, deadline: float) -> None:
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(data)
        except TimeoutError:
            raise DeadlineError(f"{self.address} reads too slowly: the call was not sent within its time") from None
        except OSError as error:
            raise ConnectionLostError(f"the connection to {self.address} was lost: {error}") from error

    def _next(self, deadline: float) -> tuple[int, int, Bytes]:
        while not self._got:
            self._read(deadline)
        return self._got.popleft()

    def _read(self, deadline: float) -> None:
        try:
            self._socket.settimeout(_left(deadline))
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            raise DeadlineError(f"{self.address} gave no answer within the time of the call") from None
        except OSError as error:
            raise ConnectionLostError(f"the connection to {self.address} was lost: {error}") from error
        if not data:
            raise ConnectionLostError(f"{self.address} ended the connection")
        self._reader.feed(data, lambda kind, _flags, number, _header, body: self._got.append((kind, number, body)))


class BlockingPool:
    """The connections of a process to one node; safe from any thread. `failed` as `NodePool` has it."""

    def __init__(
        self,
        address: str,
        introduce: Introduces,
        tls: ssl.SSLContext | None,
        failed: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._introduce = introduce
        self._tls = tls
        self._failed = failed
        self._free: deque[BlockingConnection] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def take(self, deadline: float) -> BlockingConnection:
        """Give a connection that nobody else uses.

        Raises:
            NodeAwayError, ProtocolError: the node cannot be reached, or is none.
        """
        fresh_from = time.monotonic() - STALE_SECONDS
        while True:
            with self._lock:
                one = self._free.pop() if self._free else None
            if one is None:
                return self._connect(deadline)
            if one.used_at > fresh_from and one.is_silent:
                return one
            one.close()

    def give_back(self, connection: BlockingConnection) -> None:
        """Keep a connection for the next call, if it is of use."""
        with self._lock:
            if not self._closed and connection.is_of_use and len(self._free) < KEPT:
                self._free.append(connection)
                return
        connection.close()

    def _connect(self, deadline: float) -> BlockingConnection:
        try:
            return BlockingConnection(self.address, self._introduce, self._tls, deadline)
        except (NodeAwayError, ProtocolError):
            if self._failed is not None:
                self._failed()
            raise

    def close(self) -> None:
        """End the connections; those in use when they are given back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, deque()
        for one in free:
            one.close()


def _connected(address: str, tls: ssl.SSLContext | None, deadline: float) -> socket.socket:
    try:
        if address.startswith("unix:"):
            found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            found.settimeout(_left(deadline))
            found.connect(address.removeprefix("unix:"))
            return found
        host, _, port = address.rpartition(":")
        found = socket.create_connection((host.strip("[]"), int(port)), timeout=_left(deadline))
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(found, server_hostname=host.strip("[]")) if tls is not None else found
    except (OSError, ValueError) as error:
        raise NodeAwayError(f"{address} could not be connected to: {error}") from error


def _left(deadline: float) -> float:
    """Give the seconds until a deadline, never the nothing that would mean not to wait at all."""
    return max(0.001, deadline - time.monotonic())
