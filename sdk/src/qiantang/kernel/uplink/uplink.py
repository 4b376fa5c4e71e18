"""Uplink: what clients call: any server that is well, a proof of who calls, a deadline, one error tree."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from qiantang.kernel import errors, protocol, runtime, wire
from qiantang.kernel.uplink import answers
from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.addresses import AddressBook, AddressSource
from qiantang.kernel.uplink.credentials import Authority, CredentialTokens, FixedToken, Proof
from qiantang.kernel.uplink.events import EventStream
from qiantang.kernel.uplink.http import Connection
from qiantang.kernel.uplink.line import BrokenError, Tls
from qiantang.kernel.uplink.pool import Pool
from qiantang.kernel.uplink.routing import EVENT_STREAM, Attempt, Call, Router, until

T = TypeVar("T")

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class _RestedTooLongError(Exception):
    """A connection at rest was closed by the server: that says nothing of the server's health."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of an uplink: seconds, connections at a time, bytes of an answer."""

    deadline: float = 10.0
    connect: float = 1.0
    connections: int = 8
    streams: int = 4096
    answer_bytes: int = 64 * 1024 * 1024


class Uplink:
    """Calls the control plane, whichever server of it is well; `request` may be awaited on any loop.

    Servers come from `addresses`, from `sources` and from what the servers tell; they are remembered in
    `folder`. The caller is proven by `credential_id` and `secret` (an application) or by `token` (a person, a
    job). After a fork the child opens its own connections at its next call.
    """

    def __init__(
        self,
        addresses: Sequence[str] = (),
        *,
        sources: Sequence[AddressSource] = (),
        credential_id: str = "",
        secret: str = "",
        token: str = "",
        tls: Tls | None = None,
        limits: Limits | None = None,
        folder: Path | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._tls = tls or Tls()
        self._chance = random.Random()  # noqa: S311  # spreads load, guards nothing
        self._router = Router(AddressBook(addresses, sources, folder), self._chance)
        self._authority: Authority = CredentialTokens(credential_id, secret) if credential_id else FixedToken(token)
        self._pool: Pool | None = None
        self._streams = 0
        runtime.register(self)

    def __repr__(self) -> str:
        """Show the servers; never a secret."""
        return f"Uplink({', '.join(str(address) for address in self._router.known)})"

    def after_fork(self) -> None:
        """Forget the parent's connections and its dice."""
        self._pool = None
        self._streams = 0
        self._chance.seed()
        self._authority.after_fork()
        self._router.after_fork()

    async def request(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | bytes | None,
        answer_type: type[T],
        *,
        deadline: float | None = None,
        idempotent: bool | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> T:
        """Send one call and give its decoded answer; `headers` (lower-case names) go with the usual ones.

        `answer_type` is `type(None)` where no answer is expected, `bytes` for the body as it is. An
        idempotent call (by default GET, HEAD, PUT and DELETE are) is tried on further servers when one breaks
        off or is unavailable; any other only while nothing was sent.

        Raises:
            QiantangError: the error that the server rendered, as the same class.
            UnavailableError: no server could be reached, or what answered is none.
            DeadlineError: not done within `deadline` seconds.
        """
        call = Call(
            method=method,
            target=path,
            body=_constant(body),
            idempotent=method in IDEMPOTENT_METHODS if idempotent is None else idempotent,
            content_type="application/octet-stream" if isinstance(body, bytes) else "application/json",
            headers=tuple(headers),
        )
        seconds = self.limits.deadline if deadline is None else deadline
        return await runtime.bridge(self._request(call, answer_type, seconds))

    async def stream(self, path: str, body: msgspec.Struct, *, deadline: float | None = None) -> EventStream:
        """Open a stream of server-sent events; to be opened and iterated on the runtime's loop.

        What its events tell of other servers and of the heartbeat is heeded here already.

        Raises:
            QiantangError: as `request` does; `deadline` bounds the opening only.
        """
        call = Call(method="POST", target=path, body=_constant(body), idempotent=True, accept=EVENT_STREAM)
        seconds = self.limits.deadline if deadline is None else deadline
        async with until(seconds, lambda: _too_late(call, seconds)):
            return await self._authorized(call, self._open_stream, seconds)

    async def close(self) -> None:
        """Close the connections at rest; calls that run end on their own."""
        await runtime.bridge(self._close())

    async def _close(self) -> None:
        self._router.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    async def _request(self, call: Call, answer_type: type[T], seconds: float) -> T:
        async def attempt(address: Address, authorized: Call) -> T:
            return await self._exchange(address, authorized, answer_type)

        async with until(seconds, lambda: _too_late(call, seconds)):
            return await self._authorized(call, attempt, seconds)

    async def _authorized(self, call: Call, attempt: Attempt[T], seconds: float) -> T:
        """Make the call with a token, and once more with a new one where the servers forgot the first."""
        ends = asyncio.get_running_loop().time() + seconds
        prove = functools.partial(self._prove, seconds / 2)
        token = await self._authority.token(prove)
        try:
            return await self._router.anywhere(_with_token(call, token), attempt, ends)
        except errors.UnauthenticatedError:
            if not self._authority.refused(token):
                raise
        token = await self._authority.token(prove)
        return await self._router.anywhere(_with_token(call, token), attempt, ends)

    async def _prove(self, seconds: float, proof: Proof) -> protocol.Token:
        async def attempt(address: Address, call: Call) -> protocol.Token:
            return await self._exchange(address, call, protocol.Token)

        call = Call(method="POST", target=protocol.TOKEN_PATH, body=lambda: wire.encode(proof()), idempotent=True)
        ends = asyncio.get_running_loop().time() + seconds
        async with until(seconds, lambda: _too_late(call, seconds)):
            return await self._router.anywhere(call, attempt, ends)

    async def _exchange(self, address: Address, call: Call, answer_type: type[T]) -> T:
        try:
            return await self._exchange_once(address, call, answer_type, fresh=not call.idempotent)
        except _RestedTooLongError:
            return await self._exchange_once(address, call, answer_type, fresh=True)

    async def _exchange_once(self, address: Address, call: Call, answer_type: type[T], *, fresh: bool) -> T:
        if self._pool is None:
            self._pool = Pool(self.limits.connections, self._tls)
        async with self._pool.connection(address, self.limits.connect, fresh=fresh) as connection:
            rested = connection.used > 0
            try:
                answer = await connection.exchange(call.request(), self.limits.answer_bytes)
            except BrokenError as error:
                if rested:
                    raise _RestedTooLongError from error
                raise
        answers.raise_problem(address, answer.head, answer.body)
        return answers.decoded(address, answer, answer_type)

    async def _open_stream(self, address: Address, call: Call) -> EventStream:
        if self._streams >= self.limits.streams:
            raise errors.ExhaustedError(f"this client holds {self._streams} streams already: its limit")
        connection = await Connection.open(address, self._tls, self.limits.connect)
        try:
            await _begin_stream(connection, call)
        except BaseException:
            connection.close()
            raise
        self._streams += 1
        return EventStream(connection, self._router.heed, self._stream_closed)

    def _stream_closed(self) -> None:
        self._streams -= 1


async def _begin_stream(connection: Connection, call: Call) -> None:
    head = await connection.begin(call.request())
    if 200 <= head.status < 300 and head.media_type == EVENT_STREAM:
        return
    address = connection.address
    answers.raise_problem(address, head, await answers.read_problem(connection))
    raise answers.UnexpectedAnswerError(
        f"{address} answered {call.target} with {head.media_type!r} where events were expected"
    )


def _constant(body: msgspec.Struct | bytes | None) -> Callable[[], bytes]:
    encoded = body if isinstance(body, bytes) else b"" if body is None else wire.encode(body)
    return lambda: encoded


def _with_token(call: Call, token: str) -> Call:
    return msgspec.structs.replace(call, token=token)


def _too_late(call: Call, seconds: float) -> errors.DeadlineError:
    return errors.DeadlineError(f"the control plane did not answer {call.target} within {seconds:g} s")
