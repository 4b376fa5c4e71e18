"""Wire: a TCP proxy between a client and a server that a test cuts, holds or makes swallow what is sent."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Literal, Self

from tests.servers import ports
from tests.servers.process import HOST

Mode = Literal["pass", "cut", "hold", "drop"]


class Wire:
    """Forwards connections to a port.

    `cut`: every connection is reset, and new ones are. `hold`: nothing moves, and connections stay and are accepted.
    `drop`: bytes are taken from both sides and thrown away, so both believe that they talk.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = ports.take()
        self.mode: Mode = "pass"
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server((HOST, self.port), backlog=128)
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        """Where a client finds it."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._listener.close()
        for pair in self._pairs:
            self._end(pair)

    def set(self, mode: Mode) -> None:
        """Behave so from now on."""
        self.mode = mode
        if mode == "cut":
            with self._lock:
                for pair in self._pairs:
                    self._end(pair)
                self._pairs.clear()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                self._step()

    def _step(self) -> None:
        sides = {side: pair for pair in self._pairs for side in pair}
        watched = [self._listener, *([] if self.mode == "hold" else sides)]
        readable, _, _ = select.select(watched, [], [], 0.005)
        for one in readable:
            if one is self._listener:
                self._accept()
            elif sides[one] in self._pairs:
                self._move(one, sides[one])

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        pair: tuple[socket.socket, ...] = (near,)
        with contextlib.suppress(OSError):
            if self.mode != "cut":
                pair = (near, socket.create_connection((HOST, self.target), timeout=5))
        if len(pair) == 2:
            self._pairs.append((pair[0], pair[1]))
        else:
            self._end(pair)

    def _move(self, one: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        other = pair[1] if one is pair[0] else pair[0]
        try:
            data = one.recv(65536)
            if data and self.mode == "pass":
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._end(pair)
            self._pairs.remove(pair)

    @staticmethod
    def _end(pair: tuple[socket.socket, ...]) -> None:
        for side in pair:
            with contextlib.suppress(OSError):
                # no orderly end: a reset, as a broken line gives
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            side.close()
