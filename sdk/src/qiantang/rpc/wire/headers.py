"""Headers of csf1: what stands before the body of a call, and what the two ends say to each other when they meet."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.errors import ProtocolError
from qiantang.rpc.wire.frames import Bytes

T = TypeVar("T")
VERSION: Final = 1
LONGEST: Final = 3_600_000
"""Milliseconds that a call may have."""
MOST_ATTEMPTS: Final = 100
NORMAL: Final = 1
"""Priorities: 0 is shed first (batch), then 1 (normal), 2 (high), 3 (critical)."""


class CallHeader(msgspec.Struct, array_like=True, gc=False):
    """Of a call. `method` is its place in the list that the provider gave; `timeout` what the caller has left, in milliseconds.

    `trace` is a W3C traceparent; `attempt` counts from 0, and a call that is an attempt again is not tried again below.
    """

    method: Annotated[int, msgspec.Meta(ge=0)]
    timeout: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)]
    trace: Annotated[str, msgspec.Meta(max_length=100)] = ""
    attempt: Annotated[int, msgspec.Meta(ge=0, le=MOST_ATTEMPTS)] = 0
    priority: Annotated[int, msgspec.Meta(ge=0, le=3)] = NORMAL
    tag: Annotated[str, msgspec.Meta(max_length=128)] = ""
    extras: dict[str, str] | None = None


class StreamHeader(CallHeader, array_like=True, gc=False):
    """Of a call that streams: `timeout` is until its first item, `idle` between two, and `whole` what is left for all, where that
    is bounded; all in milliseconds.
    """

    idle: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)] = LONGEST
    whole: Annotated[int, msgspec.Meta(ge=0, le=LONGEST)] = 0


class Challenge(msgspec.Struct, array_like=True):
    """What a provider says first, to whoever connects: its version, its node, and bytes to sign."""

    version: int
    node: str
    nonce: bytes


class Hello(msgspec.Struct, array_like=True):
    """What a caller answers: its token, its proof for this connection, which process it is, and the largest frame that it takes."""

    version: int
    token: Annotated[str, msgspec.Meta(max_length=4096)]
    proof: Annotated[bytes, msgspec.Meta(max_length=128)] = b""
    instance: Annotated[str, msgspec.Meta(max_length=128)] = ""
    max_frame: int = 0


class Welcome(msgspec.Struct, array_like=True):
    """What a provider says to who may call: its methods (`service/method`; a call names one by its place), and its limits."""

    methods: list[str]
    max_frame: int
    max_calls: int


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
read_call = msgspec.msgpack.Decoder(CallHeader).decode
read_stream_call = msgspec.msgpack.Decoder(StreamHeader).decode
_credit = msgspec.msgpack.Decoder(Annotated[int, msgspec.Meta(ge=1, le=1 << 40)])
_hello = msgspec.msgpack.Decoder(Hello)
_challenge = msgspec.msgpack.Decoder(Challenge)
_welcome = msgspec.msgpack.Decoder(Welcome)
_problem = msgspec.msgpack.Decoder(errors.ProblemDocument)


def read_hello(body: Bytes) -> Hello:
    """Read a caller's first frame.

    Raises:
        ProtocolError: it is none.
    """
    return _read(_hello, body)


def read_challenge(body: Bytes) -> Challenge:
    """Read a provider's first frame.

    Raises:
        ProtocolError: it is none, or of a version that is not known here.
    """
    said = _read(_challenge, body)
    if said.version != VERSION:
        raise ProtocolError(f"{said.node[:128]} speaks version {said.version} of csf1, which is not known here")
    return said


def read_welcome(body: Bytes) -> Welcome:
    """Read what a provider says to who may call.

    Raises:
        ProtocolError: it is none.
    """
    return _read(_welcome, body)


def read_credit(body: Bytes) -> int:
    """Read how many bytes more may be sent.

    Raises:
        ProtocolError: it is no such number.
    """
    return _read(_credit, body)


def read_error(body: Bytes) -> errors.QiantangError:
    """Give the error that the provider raised.

    Raises:
        ProtocolError: it is none.
    """
    return errors.from_document(_read(_problem, body))


def write_error(error: errors.QiantangError) -> bytes:
    """Write an error for the other end."""
    return encode(error.document())


def _read(decoder: msgspec.msgpack.Decoder[T], body: Bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a frame does not say what its type says: {error}") from error
