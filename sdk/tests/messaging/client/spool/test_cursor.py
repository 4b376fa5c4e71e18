"""The cursor: whole or not there, and never believed when it is damaged."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.messaging.client.spool import cursor
from qiantang.messaging.client.spool.cursor import DamagedCursorError, Position


def test_its_bytes_are_fixed(tmp_path: Path) -> None:
    assert cursor.read(tmp_path) is None
    cursor.write(tmp_path, Position(12, 16_777_216))
    assert (tmp_path / "cursor").read_bytes() == b"12 16777216 a7ca0653\n"
    assert cursor.read(tmp_path) == Position(12, 16_777_216)
    cursor.write(tmp_path, Position(13, 8))
    assert cursor.read(tmp_path) == Position(13, 8)
    assert [one.name for one in tmp_path.iterdir()] == ["cursor"]


@given(st.integers(0, 19), st.integers(0, 255))
def test_damage_is_noticed(place: int, value: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cursor.write(folder, Position(12, 16_777_216))
        whole = bytearray((folder / "cursor").read_bytes())
        for altered in (bytes(whole[:place]), bytes(whole[:place]) + bytes([value]) + bytes(whole[place + 1 :])):
            (folder / "cursor").write_bytes(altered)
            if altered == bytes(whole):
                continue
            with pytest.raises(DamagedCursorError):
                cursor.read(folder)


def test_a_full_disk_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor.write(tmp_path, Position(1, 100))
    write = os.write
    monkeypatch.setattr(cursor.os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError) as raised:
        cursor.write(tmp_path, Position(2, 100))
    assert raised.value.errno == errno.ENOSPC
    assert cursor.read(tmp_path) == Position(1, 100)
