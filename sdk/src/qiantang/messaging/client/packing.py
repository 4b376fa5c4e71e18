"""Packing: a body's way to the wire and back: its codec, then compression, then encryption.

Encryption is AES-256-GCM under the key whose id the envelope names; the message's id is authenticated with it, so that a body
cannot be put under another message. Keys are given by id, so that new messages use a new key while old ones are still read.
"""

from __future__ import annotations

import gzip
import importlib
import os
import threading
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qiantang.kernel import errors
from qiantang.messaging.client.codecs import codec
from qiantang.messaging.errors import UndecodableError, UnencodableError, UnknownKeyError
from qiantang.messaging.model import Packing
from qiantang.messaging.model.envelope import Opened
from qiantang.messaging.model.estate import KEY_BYTES

NONCE: Final = 12

Squeeze = Callable[[bytes], bytes]


class Packed(NamedTuple):
    """A body on its way out, and what the envelope must say of it."""

    data: bytes
    codec: str
    compression: str
    key_id: str


UNPACKED: Final = Packed(b"", "", "", "")


class Keys:
    """The keys of an application, by their id.

    Raises, when made:
        MisconfiguredError: a key is not 32 bytes long.
    """

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self._ciphers: Mapping[str, AESGCM] = {}
        self.replace(keys or {})

    def replace(self, keys: Mapping[str, bytes]) -> None:
        """Have other keys from now on.

        Raises:
            MisconfiguredError: a key is not 32 bytes long; those before stay.
        """
        ciphers: dict[str, AESGCM] = {}
        for name, key in keys.items():
            if len(key) != KEY_BYTES:
                raise errors.MisconfiguredError(f"the key {name!r} for messages has {len(key)} bytes: it must have 32")
            ciphers[name] = AESGCM(key)
        self._ciphers = ciphers

    def get(self, name: str) -> AESGCM | None:
        """Find a key."""
        return self._ciphers.get(name)


class Packer:
    """Packs the bodies of one topic.

    Raises, when made:
        MisconfiguredError: the codec, the compression or the key is not there.
    """

    def __init__(self, packing: Packing, keys: Keys) -> None:
        self._codec = codec(packing.codec)
        self._name = packing.codec
        self._compression = packing.compression
        self._from = packing.compress_from
        self._squeeze = _squeezer(packing.compression, packing.level) if packing.compression else None
        self._cipher = keys.get(packing.key) if packing.key else None
        self._key = packing.key
        if packing.key and self._cipher is None:
            raise errors.MisconfiguredError(f"there is no key {packing.key!r} to encrypt messages with")

    def pack(self, body: Any, id: str) -> Packed:
        """Write a body.

        Raises:
            UnencodableError: the codec cannot write it.
        """
        try:
            data = self._codec.encode(body)
        except Exception as error:
            raise UnencodableError(f"the body cannot be written as {self._name}: {error}") from error
        compression = ""
        if self._squeeze is not None and len(data) >= self._from:
            squeezed = self._squeeze(data)
            if len(squeezed) < len(data):
                data, compression = squeezed, self._compression
        if self._cipher is not None:
            nonce = os.urandom(NONCE)
            data = nonce + self._cipher.encrypt(nonce, data, id.encode())
        return Packed(data, self._name, compression, self._key)


def unpack(opened: Opened, kind: Any, keys: Keys, max_body: int) -> Any:
    """Read a body as the handler's type. What it would grow to is bounded before it grows.

    Raises:
        UnknownKeyError: it is encrypted under a key that is not here.
        UndecodableError: it is damaged, too large once unpacked, or not of that type.
    """
    envelope, data = opened.envelope, opened.body
    try:
        if envelope.key_id:
            data = _decrypt(data, envelope.id, envelope.key_id, keys)
        if envelope.compression:
            data = _expander(envelope.compression)(data, max_body)
        return codec(envelope.codec).decode(data, kind)
    except UndecodableError:
        raise
    except errors.MisconfiguredError as error:
        raise UndecodableError(f"message {envelope.id} cannot be read here: {error.detail}") from error
    except Exception as error:
        raise UndecodableError(f"message {envelope.id} cannot be read as {envelope.codec}: {error}") from error


def _decrypt(data: bytes, id: str, name: str, keys: Keys) -> bytes:
    cipher = keys.get(name)
    if cipher is None:
        raise UnknownKeyError(f"message {id} is encrypted under the key {name[:64]!r}, which is not here")
    try:
        return cipher.decrypt(data[:NONCE], data[NONCE:], id.encode())
    except (InvalidTag, ValueError) as error:
        raise UndecodableError(f"message {id} was changed on its way, or belongs to another id") from error


def _squeezer(name: str, level: int) -> Squeeze:
    if name == "gzip":
        return lambda data: gzip.compress(data, min(level or 6, 9), mtime=0)
    if name == "zstd":
        return _Zstd(level or 3)
    frame = _library("lz4.frame", name)
    return lambda data: frame.compress(data, compression_level=level)


class _Zstd:
    """A compressor for each thread: the library's must not be used by two at once, and is dear to make."""

    def __init__(self, level: int) -> None:
        self._make = _library("zstandard", "zstd").ZstdCompressor
        self._level = level
        self._own = threading.local()

    def __call__(self, data: bytes) -> bytes:
        compressor: Any = getattr(self._own, "compressor", None)
        if compressor is None:
            compressor = self._own.compressor = self._make(level=self._level)
        return compressor.compress(data)


def _expander(name: str) -> Callable[[bytes, int], bytes]:
    found = {"gzip": _gunzip, "zstd": _unzstd, "lz4": _unlz4}.get(name)
    if found is None:
        raise UndecodableError(f"the compression {name[:32]!r} is not known here")
    return found


def _too_large(most: int) -> UndecodableError:
    return UndecodableError(f"the body grows beyond {most} bytes")


def _gunzip(data: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    found = inflater.decompress(data, most + 1)
    if len(found) > most:
        raise _too_large(most)
    if not inflater.eof:
        raise UndecodableError("the compressed body is cut off")
    return found


def _unzstd(data: bytes, most: int) -> bytes:
    reader = _library("zstandard", "zstd").ZstdDecompressor().stream_reader(data)
    found = reader.read(most + 1)
    if len(found) > most:
        raise _too_large(most)
    return found


def _unlz4(data: bytes, most: int) -> bytes:
    expander = _library("lz4.frame", "lz4").LZ4FrameDecompressor()
    found = expander.decompress(data, max_length=most + 1)
    if len(found) > most:
        raise _too_large(most)
    if not expander.eof:
        raise UndecodableError("the compressed body is cut off")
    return found


def _library(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise errors.MissingExtraError(
            f"the compression {name} needs {module.partition('.')[0]}, which is not installed: pip install 'qiantang[{name}]'"
        ) from error
