"""Packing: bodies come back as they were, and nothing that was changed, is too large or belongs elsewhere is read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import lz4.frame
import msgspec
import pytest
import zstandard
from hypothesis import given

from qiantang.kernel import errors
from qiantang.messaging.client import packing as packing_module
from qiantang.messaging.client.packing import Keys, Packed, Packer, unpack
from qiantang.messaging.errors import UndecodableError, UnencodableError, UnknownKeyError
from qiantang.messaging.model import Packing
from qiantang.messaging.model.envelope import Envelope, Opened

KEYS = Keys({"new": os.urandom(32), "old": os.urandom(32)})
MOST = 1 << 20


def opened(packed: Packed, id: str = "m1") -> Opened:
    said = Envelope(id=id, codec=packed.codec, compression=packed.compression, key_id=packed.key_id)
    return Opened(said, packed.data)


def packing(**said: Any) -> Packing:
    return msgspec.convert({"compress_from": 0, **said}, Packing)


@given(st.dictionaries(st.text(), st.integers(-(2**60), 2**60) | st.text() | st.none()))
@pytest.mark.parametrize("compression", ["", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("key", ["", "new"])
@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_there_and_back(name: str, key: str, compression: str, body: dict[str, Any]) -> None:
    packer = Packer(packing(codec=name, compression=compression, key=key), KEYS)
    assert unpack(opened(packer.pack(body, "m1")), Any, KEYS, MOST) == body


def test_only_what_gets_smaller_is_compressed_and_only_from_its_size_on() -> None:
    packer = Packer(packing(codec="bytes", compression="zstd", compress_from=100), KEYS)
    assert packer.pack(b"a" * 99, "m1").compression == ""
    assert packer.pack(b"a" * 100, "m1").compression == "zstd"
    assert packer.pack(os.urandom(200), "m1").compression == ""


def test_levels_are_used() -> None:
    text = Path(packing_module.__file__).read_bytes()
    for compression, low, high in (("gzip", 1, 9), ("zstd", 1, 19), ("lz4", 1, 12)):
        sizes = [
            len(Packer(packing(codec="bytes", compression=compression, level=level), KEYS).pack(text, "m1").data)
            for level in (low, high)
        ]
        assert sizes[1] < sizes[0], compression


@given(st.integers(0, 500), st.integers(1, 255))
def test_a_changed_body_is_not_read(place: int, change: int) -> None:
    packed = Packer(packing(codec="text", key="new"), KEYS).pack("to whom it may concern", "m1")
    place %= len(packed.data)
    changed = packed.data[:place] + bytes([packed.data[place] ^ change]) + packed.data[place + 1 :]
    with pytest.raises(UndecodableError):
        unpack(opened(packed._replace(data=changed)), str, KEYS, MOST)


def test_a_body_under_another_id_or_key_is_not_read() -> None:
    packed = Packer(packing(codec="text", key="old"), KEYS).pack("secret", "m1")
    assert b"secret" not in packed.data
    with pytest.raises(UndecodableError):
        unpack(opened(packed, "m2"), str, KEYS, MOST)
    with pytest.raises(UnknownKeyError):
        unpack(opened(packed), str, Keys({"new": os.urandom(32)}), MOST)
    with pytest.raises(UndecodableError):
        unpack(opened(packed), str, Keys({"old": os.urandom(32)}), MOST)
    assert unpack(opened(packed), str, KEYS, MOST) == "secret", "an old key still reads"


@pytest.mark.parametrize(
    ("compression", "bomb"),
    [
        ("gzip", gzip.compress(b"\0" * (MOST + 1))),
        ("zstd", zstandard.compress(b"\0" * (MOST + 1))),
        ("lz4", lz4.frame.compress(b"\0" * (MOST + 1))),
    ],
)
def test_what_would_grow_beyond_the_bound_is_not_read(compression: str, bomb: bytes) -> None:
    assert len(bomb) < MOST / 50
    with pytest.raises(UndecodableError, match="grows beyond"):
        unpack(opened(Packed(bomb, "bytes", compression, "")), bytes, KEYS, MOST)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4", "rar"])
@given(st.binary(max_size=64))
def test_damage_is_an_error_of_its_own_name(compression: str, data: bytes) -> None:
    with pytest.raises(UndecodableError):
        unpack(opened(Packed(data[:10], "json", compression, "")), dict[str, int], KEYS, MOST)


def test_what_cannot_be_written_or_does_not_fit() -> None:
    for name, body in (("json", object()), ("text", b"x"), ("bytes", "x"), ("msgpack", {1j: 1})):
        with pytest.raises(UnencodableError, match=name):
            Packer(packing(codec=name), KEYS).pack(body, "m1")
    with pytest.raises(UndecodableError, match="Expected `int`"):
        unpack(opened(Packed(b'"x"', "json", "", "")), int, KEYS, MOST)
    with pytest.raises(UndecodableError, match="nothing called 'kryo'"):
        unpack(opened(Packed(b"", "kryo", "", "")), Any, KEYS, MOST)


def test_what_is_missing_is_said_when_it_is_made() -> None:
    with pytest.raises(errors.MisconfiguredError, match="no key 'gone'"):
        Packer(packing(key="gone"), KEYS)
    with pytest.raises(errors.MisconfiguredError, match="16 bytes"):
        Keys({"short": b"x" * 16})
    with pytest.raises(errors.MisconfiguredError, match="kryo"):
        Packer(packing(codec="kryo"), KEYS)
