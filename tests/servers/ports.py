"""Free ports on the loopback address that stay ours until the test run ends, also beside other test runs."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import tempfile
import threading
from pathlib import Path

# Below the ephemeral range, of which any outgoing connection can take a port before a slow server binds it.
FIRST, LAST = 15000, 31999
_TRIES = 2000

_given: set[int] = set()
_guard = threading.Lock()
# Own source: tests seed the global one, and two runs with the same seed would draw the same ports.
_random = random.SystemRandom()
_claims: list[int] = []


def take() -> int:
    """Give a port that nobody listens on, was not given before, and no other test run of this user holds.

    Raises:
        RuntimeError: no port was found in many tries.
    """
    return take_block(1)[0]


def take_many(count: int) -> list[int]:
    """Give several ports."""
    return [take() for _ in range(count)]


def take_block(count: int) -> list[int]:
    """Give ports that follow each other, for servers that count from one port to the next.

    Raises:
        RuntimeError: as `take`.
    """
    with _guard:
        for _ in range(_TRIES):
            first = _random.randint(FIRST, LAST - count + 1)
            block = list(range(first, first + count))
            if all(port not in _given and _claim(port) and _bindable(port) for port in block):
                _given.update(block)
                return block
    raise RuntimeError(f"no {count} free ports in a row between {FIRST} and {LAST} in {_TRIES} tries")


def _claim(port: int) -> bool:
    """Lock the port's byte in a file that all runs share; the kernel lets go of it however this process ends."""
    if not _claims:
        path = Path(tempfile.gettempdir()) / f"qiantang-test-ports-{os.getuid()}"
        # Never closed: closing any descriptor of the file would drop all locks of this process.
        _claims.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    try:
        fcntl.lockf(_claims[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return False
        raise
    return True


def _bindable(port: int) -> bool:
    """Say whether a server could bind it now; without SO_REUSEADDR, so one still in TIME_WAIT counts as taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
