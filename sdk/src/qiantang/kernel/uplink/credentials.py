"""Credentials: what proves who calls: a fixed token, or tokens exchanged for an application's credential."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from qiantang.kernel import errors, protocol

REFRESH_AT = 0.8
Proof = Callable[[], protocol.TokenRequest]
"""Makes a token request: a new one for each server tried, since a nonce is used once."""
Exchange = Callable[[Proof], Awaitable[protocol.Token]]
"""Sends a proof and gives the token."""


class Authority(Protocol):
    """Gives the bearer token for a call."""

    async def token(self, exchange: Exchange) -> str:
        """Give a valid token, exchanging the credential where needed; "" calls without one."""
        ...

    def refused(self, token: str) -> bool:
        """Note that the server refused the token; say whether a new one may help."""
        ...

    def after_fork(self) -> None:
        """Forget what belonged to the parent's loop."""
        ...


class FixedToken:
    """A token that somebody gave, such as a personal access token; "" for calls that need none."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        """Never show the token."""
        return "FixedToken()"

    async def token(self, exchange: Exchange) -> str:
        """Give it."""
        return self._token

    def refused(self, token: str) -> bool:
        """There is no other one."""
        return False

    def after_fork(self) -> None:
        """Nothing belongs to a loop."""


class CredentialTokens:
    """Tokens for an application's credential; the secret signs and never leaves the process.

    One exchange at a time serves all that wait for it. It is repeated when four fifths of a token's life are
    over; if that fails, the old one serves until it ends. The servers' clock is learnt from them, so that a
    wrong clock here does no harm.
    """

    def __init__(
        self,
        credential_id: str,
        secret: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credential_id = credential_id
        self._key = protocol.signing_key(secret)
        self._clock = clock
        self._monotonic = monotonic
        self._offset_ms = 0
        self._token = ""
        self._refresh_at = 0.0
        self._ends_at = 0.0
        self._running: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        """Never show the secret, the key made of it, or the token."""
        return f"CredentialTokens({self._credential_id!r})"

    async def token(self, exchange: Exchange) -> str:
        """Give a valid token.

        Raises:
            UnauthenticatedError: the servers do not know the credential or its secret.
            UnavailableError: no server could be asked and the token held is over.
        """
        now = self._monotonic()
        if now < self._refresh_at:
            return self._token
        if self._running is None:
            self._running = asyncio.ensure_future(self._renew(exchange))
            self._running.add_done_callback(self._renewed)
        try:
            await asyncio.shield(self._running)
        except errors.QiantangError as error:
            if not error.retryable or self._monotonic() >= self._ends_at:
                raise
        return self._token

    def refused(self, token: str) -> bool:
        """Drop the token if it is still the one in use."""
        if token == self._token:
            self._refresh_at = self._ends_at = 0.0
        return True

    def after_fork(self) -> None:
        """Forget an exchange that the parent was in; the token stays good."""
        self._running = None

    def _renewed(self, task: asyncio.Task[None]) -> None:
        if self._running is task:
            self._running = None
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()  # seen by those who wait, if any still does

    async def _renew(self, exchange: Exchange) -> None:
        try:
            token = await exchange(self._proof)
        except errors.UnauthenticatedError as error:
            # code identity.clock_skew: the only refusal that tells the server's time
            server_time = error.facts.get("server_time")
            if not isinstance(server_time, int):
                raise
            self._learn(server_time)
            token = await exchange(self._proof)
        now = self._monotonic()
        self._learn(token.server_time)
        self._token = token.token
        self._refresh_at = now + token.expires_in * REFRESH_AT
        self._ends_at = now + token.expires_in

    def _learn(self, server_time: int) -> None:
        self._offset_ms = server_time - int(self._clock() * 1000)

    def _proof(self) -> protocol.TokenRequest:
        timestamp = int(self._clock() * 1000) + self._offset_ms
        nonce = secrets.token_hex(16)
        return protocol.TokenRequest(
            credential=self._credential_id,
            timestamp=timestamp,
            nonce=nonce,
            signature=protocol.sign(self._key, self._credential_id, timestamp, nonce),
        )
