"""Hashing: argon2id passwords in threads, as many at once as there are cores, without letting strangers fill the
queue.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from qiantang.kernel import errors
from qiantang_server.identity.rules.passwords import normalized

T = TypeVar("T")
_WAITING = 64


class PasswordHasher:
    """Hashes and checks passwords (argon2id, 19 MiB, two passes).

    A check takes the same time whether there is such a user or not. Known sources wait in a line of their own, so that
    a flood of strangers' guesses does not hold them up; each line is bounded.
    """

    def __init__(self, cores: int | None = None) -> None:
        cores = cores or os.cpu_count() or 1
        self._argon = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._nobody = ""
        self._lines = {known: _Line(cores) for known in (True, False)}

    async def open(self) -> None:
        """Make the hash that stands for nobody's password."""
        self._nobody = await self.hash(os.urandom(16).hex())

    async def hash(self, password: str) -> str:
        """Give the hash to store."""
        return await self._lines[True].run(lambda: self._argon.hash(normalized(password)))

    async def verify(self, stored: str | None, password: str, *, known: bool) -> bool:
        """Say whether the password is right; for no stored hash it takes as long, and is wrong."""
        right = await self._lines[known].run(lambda: self._matches(stored or self._nobody, password))
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made with other costs than today's."""
        return self._argon.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._argon.verify(stored, normalized(password))
        except (VerificationError, InvalidHashError):
            return False


class _Line:
    """So many at once, and a bounded number that waits."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._waiting = 0

    async def run(self, call: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise errors.UnavailableError("too many sign-ins at once: try again in a moment", retry_after=1)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await asyncio.to_thread(call)
        finally:
            self._free.release()
