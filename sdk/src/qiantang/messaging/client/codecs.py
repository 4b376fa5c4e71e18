"""Codecs: how bodies become bytes and bytes become what a handler asks for.

Built in are json and msgpack (both typed, by msgspec), text and bytes. Others come by entry points of the group
`qiantang.messaging.codecs`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from qiantang.kernel import plugins, wire
from qiantang.messaging.port import Codec

GROUP: Final = "qiantang.messaging.codecs"


@lru_cache(maxsize=1024)
def _json(kind: Any) -> msgspec.json.Decoder[Any]:
    wire.learn(kind)
    return msgspec.json.Decoder(kind)


@lru_cache(maxsize=1024)
def _msgpack(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    wire.learn(kind)
    return msgspec.msgpack.Decoder(kind)


class JsonCodec:
    """JSON, checked against the handler's type."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()

    def encode(self, body: Any) -> bytes:
        return self._encoder.encode(body)

    def decode(self, data: bytes, kind: Any) -> Any:
        return _json(kind).decode(data)


class MsgpackCodec:
    """MessagePack, checked against the handler's type."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()

    def encode(self, body: Any) -> bytes:
        return self._encoder.encode(body)

    def decode(self, data: bytes, kind: Any) -> Any:
        return _msgpack(kind).decode(data)


class TextCodec:
    """Text in UTF-8."""

    def encode(self, body: Any) -> bytes:
        if not isinstance(body, str):
            raise TypeError(f"a text is a str, not {type(body).__name__}")
        return body.encode()

    def decode(self, data: bytes, kind: Any) -> Any:
        return msgspec.convert(data.decode(), kind)


class BytesCodec:
    """Bytes as they are."""

    def encode(self, body: Any) -> bytes:
        if not isinstance(body, bytes | bytearray):
            raise TypeError(f"bytes are wanted, not {type(body).__name__}")
        return bytes(body)

    def decode(self, data: bytes, kind: Any) -> Any:
        if kind not in (Any, bytes, object):
            raise TypeError(f"the body is bytes, and the handler asks for {kind}")
        return data


_BUILT_IN: Final[dict[str, Codec]] = {
    "json": JsonCodec(),
    "msgpack": MsgpackCodec(),
    "text": TextCodec(),
    "bytes": BytesCodec(),
}


@lru_cache(maxsize=64)
def codec(name: str) -> Codec:
    """Find a codec.

    Raises:
        MisconfiguredError: nothing of that name is installed.
    """
    return _BUILT_IN.get(name) or plugins.load(GROUP, name)()
