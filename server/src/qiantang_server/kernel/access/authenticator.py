"""Authenticator: what turns presented proof into a principal, and the sealer that keeps what such proof
needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from qiantang_server.kernel.access.principal import Principal


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings to prove who sends it; a bearer token goes before a cookie.

    `in_use`: somebody is there. What a page asks by itself while nobody is keeps no session from its idle end.
    """

    bearer: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    address: str = ""
    in_use: bool = True


class Authenticator(Protocol):
    """Knows principals by their proof."""

    async def authenticate(self, credentials: Presented) -> Principal:
        """Give the principal, from memory in the common case.

        Raises:
            UnauthenticatedError: nothing was presented, or it is unknown, expired or revoked.
            GoneError: the application that the proof speaks for was removed, or the proof itself taken back.
            UnavailableError: the database that could tell is away.
        """
        ...


class Sealer(Protocol):
    """Keeps small secrets of a tenant at rest; `context` ties a sealed one to its place, so it opens nowhere else."""

    async def ready(self, tenant: str) -> None:
        """Load the tenant's keys, made at the first call; the other calls need it done before."""
        ...

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        """Encrypt and authenticate; the text carries what is needed to find the key again."""
        ...

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        """Give back what was sealed.

        Raises:
            QiantangError: altered, of another tenant or place, or its key is not there.
        """
        ...
