"""Scanning: of whatever size the pieces are, all records come, and behind a damaged one the next."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from qiantang.messaging.client.spool import records, scanning
from qiantang.messaging.client.spool.records import HEAD, Record
from qiantang.messaging.model import Frame


def written(size: int, number: int = 0) -> bytes:
    frame = Frame(topic="t", id=f"{number}", body=b"x" * size)
    return records.write(Record(link="l", slot=-1, maybe_sent=False, frame=frame))


def scanned(path: Path, data: bytes, piece: int = 256) -> list[scanning.Stretch]:
    path.write_bytes(data)
    file = os.open(path, os.O_RDONLY)
    try:
        return list(scanning.scan(file, 0, len(data), piece))
    finally:
        os.close(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 600), max_size=8), st.integers(1, 700))
def test_all_records_come(tmp_path: Path, sizes: list[int], piece: int) -> None:
    some = [written(size) for size in sizes]
    found = scanned(tmp_path / "file", b"".join(some), piece)
    assert [one.payload for one in found] == [one[HEAD.size :] for one in some]
    assert [one.after - one.start for one in found] == [len(one) for one in some]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 300), min_size=2, max_size=8), st.data())
def test_a_damaged_record_costs_itself_alone(tmp_path: Path, sizes: list[int], data: st.DataObject) -> None:
    some = [written(size, number) for number, size in enumerate(sizes)]
    hit = data.draw(st.integers(0, len(some) - 2))
    altered = bytearray(some[hit])
    altered[data.draw(st.integers(4, len(altered) - 1))] ^= 0x40
    found = scanned(tmp_path / "file", b"".join([*some[:hit], bytes(altered), *some[hit + 1 :]]))
    expected = [one[HEAD.size :] if number != hit else None for number, one in enumerate(some)]
    assert [one.payload for one in found] == expected
    assert [one.after - one.start for one in found] == [len(one) for one in some]


@pytest.mark.parametrize("length", [0, 1, 10_000, 0xFFFFFFFF])
def test_a_damaged_length_costs_what_is_behind_it(tmp_path: Path, length: int) -> None:
    some = [written(100, number) for number in range(4)]
    some[1] = length.to_bytes(4, "little") + some[1][4:]
    found = scanned(tmp_path / "file", b"".join(some))
    assert [one.payload is None for one in found] == [False, True]
    assert found[-1].after == sum(len(one) for one in some)


def test_two_damaged_ones_in_a_row_cost_what_is_behind_them(tmp_path: Path) -> None:
    some = [bytearray(written(100, number)) for number in range(5)]
    some[1][-1] ^= 1
    some[2][-1] ^= 1
    found = scanned(tmp_path / "file", b"".join(some))
    assert [one.payload is None for one in found] == [False, True]
