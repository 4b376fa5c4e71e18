"""Incoming: takes the frames of STOMP 1.2 out of what comes over one connection. Pure.

In one look at each header and none at a body: stompman's own parser goes byte by byte, in a hundred times as long for a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_HEAD: Final = 1024 * 1024
"""Bytes that the headers of a frame may have."""
_SIGNS: Final = {"n": "\n", "c": ":", "\\": "\\", "r": "\r"}


class Said(NamedTuple):
    """A frame of the server's."""

    command: str
    headers: dict[str, str]
    body: bytes


class Incoming:
    """Of one connection."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._looked = 0
        self._head: tuple[str, dict[str, str], int] | None = None

    def feed(self, data: bytes) -> Iterator[Said]:
        """Give the frames that are complete.

        Raises:
            ValueError: what comes is no STOMP.
        """
        self._waiting += data
        while True:
            if self._head is None and not self._take_head():
                return
            found = self._take_body()
            if found is None:
                return
            yield found

    def _take_head(self) -> bool:
        waiting = self._waiting
        start = 0
        while start < len(waiting) and waiting[start] in b"\n\r":  # heartbeats, and what ends a frame
            start += 1
        if start:
            del waiting[:start]
        end = waiting.find(b"\n\n", max(0, self._looked - 1))
        if end < 0:
            self._looked = len(waiting)
            if self._looked > MOST_HEAD:
                raise ValueError(f"a frame has headers of more than {MOST_HEAD} bytes")
            return False
        command, *lines = waiting[:end].decode(errors="replace").split("\n")
        if not command.isalpha():
            raise ValueError(f"{command[:40]!r} is no frame of STOMP")
        del waiting[: end + 2]
        headers = _headers(lines)
        length = headers.get("content-length", "")
        self._head = (command, headers, int(length) if length.isascii() and length.isdigit() else -1)
        self._looked = 0
        return True

    def _take_body(self) -> Said | None:
        command, headers, size = self._head or ("", {}, 0)
        waiting = self._waiting
        if size < 0:
            size = waiting.find(b"\0", self._looked)
            if size < 0:
                self._looked = len(waiting)
                return None
        if len(waiting) <= size:
            return None
        if waiting[size]:
            raise ValueError(f"a frame {command} is longer than it says")
        body = bytes(waiting[:size])
        del waiting[: size + 1]
        self._head, self._looked = None, 0
        return Said(command, headers, body)


def _headers(lines: list[str]) -> dict[str, str]:
    """Read headers; of equal names the first counts. Names are read as they are: ActiveMQ escapes only values."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name, _unescaped(value) if "\\" in value else value)
    return found


def _unescaped(value: str) -> str:
    first, *rest = value.split("\\")
    parts = [first]
    after = iter(rest)
    for part in after:
        if part:
            parts.append(_SIGNS.get(part[0], "\\" + part[0]) + part[1:])
        else:  # two backslashes are one, and what follows it is plain
            parts.append("\\" + next(after, ""))
    return "".join(parts)
