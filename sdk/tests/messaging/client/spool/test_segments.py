"""Segments: what was acknowledged survives every crash, a full disk and damage, in its order."""

from __future__ import annotations

import errno
import logging
import random
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from qiantang.messaging.client.spool import records, segments
from qiantang.messaging.client.spool.cursor import Position
from qiantang.messaging.client.spool.records import Record
from qiantang.messaging.client.spool.segments import Segments
from qiantang.messaging.model import Frame

START = 8


def written(*numbers: int, size: int = 10) -> bytes:
    frames = [Frame(topic="t", id=f"{number}", body=b"x" * size, key=f"k{number % 3}") for number in numbers]
    return b"".join(
        records.write(Record(link="l", slot=int(one.id) % 3, maybe_sent=False, frame=one)) for one in frames
    )


LONG = len(written(1))


def opened(folder: Path, size: int = 1000) -> tuple[Segments, segments.Found]:
    made = Segments(folder, size)
    return made, made.open()


def numbers(made: Segments, start: Position, end: Position, count: int = 10_000) -> list[int]:
    found: list[int] = []
    while some := made.read(start, end, count, 1 << 30):
        found += [int(one.frame.id) for _, one in some]
        start = some[-1][0]
    return found


def spools(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.glob("*.spool"))


def test_a_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    made, found = opened(tmp_path, size=3 * LONG)
    end = found.end
    for number in range(10):
        end = made.append(written(number), durable=True)
    assert spools(tmp_path) == [f"{number:012d}.spool" for number in (1, 2, 3, 4)]
    assert numbers(made, found.cursor, end) == list(range(10))
    assert numbers(made, found.cursor, end, count=3) == list(range(10))
    middle = made.read(found.cursor, end, 5, 1 << 30)[-1][0]
    made.advance(middle)
    assert spools(tmp_path) == [f"{number:012d}.spool" for number in (2, 3, 4)]
    assert made.size == sum(one.stat().st_size for one in tmp_path.glob("*.spool"))
    made.close()
    again, found = opened(tmp_path)
    assert found.cursor == middle
    assert found.counts.total() == 5
    assert numbers(again, found.cursor, found.end) == [5, 6, 7, 8, 9]
    again.advance(found.end)
    assert spools(tmp_path) == []
    assert again.size == 0
    again.close()
    last, found = opened(tmp_path)
    end = last.append(written(11), durable=True)
    assert end > found.cursor
    assert numbers(last, found.cursor, end) == [11]
    last.close()


def test_reading_is_bounded_by_count_and_size(tmp_path: Path) -> None:
    made, found = opened(tmp_path)
    end = made.append(written(*range(20)), durable=True)
    assert [len(made.read(found.cursor, end, 20, size)) for size in (0, LONG, 2 * LONG, 5 * LONG - 1)] == [1, 1, 2, 4]
    assert len(made.read(found.cursor, end, 7, 1 << 30)) == 7
    made.close()


@pytest.mark.parametrize("cut", range(1, LONG + 1))
def test_a_torn_tail_is_cut_off_at_every_byte(tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture) -> None:
    made, _ = opened(tmp_path)
    made.append(written(1, 2, 3), durable=True)
    made.close()
    (file,) = tmp_path.glob("*.spool")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - cut])
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [1, 2]
    assert found.counts.total() == 2
    assert again.damaged == 0
    assert ("is cut off" in caplog.text) == (cut < LONG)
    end = again.append(written(4), durable=True)
    assert numbers(again, found.cursor, end) == [1, 2, 4]
    again.close()
    last, found = opened(tmp_path)
    assert numbers(last, found.cursor, found.end) == [1, 2, 4]
    assert last.damaged == 0
    last.close()


@pytest.mark.parametrize("size", range(START))
def test_a_segment_that_was_just_begun_may_be_torn(tmp_path: Path, size: int) -> None:
    made, _ = opened(tmp_path)
    made.append(written(1), durable=True)
    made.close()
    (tmp_path / f"{2:012d}.spool").write_bytes(b"QTSPOOL\x01"[:size])
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [1]
    assert again.damaged == 0
    again.close()


def test_damage_in_the_middle_is_stepped_over_told_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, _ = opened(tmp_path, size=3 * LONG)
    for number in range(9):
        made.append(written(number), durable=True)
    made.close()
    first, second, third = sorted(tmp_path.glob("*.spool"))
    for file, place in ((first, START + LONG + 20), (second, START), (third, START + 20)):
        data = bytearray(file.read_bytes())
        data[place] ^= 0xFF
        file.write_bytes(data)
    again, found = opened(tmp_path)
    assert again.damaged == 5 * LONG  # of the second segment nothing can be read: it is the length that was hit
    assert found.counts.total() == 4
    assert numbers(again, found.cursor, found.end) == [0, 2, 7, 8]
    assert again.damaged == 5 * LONG
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [one.__dict__["what"].split()[0] for one in errors] == [f"{LONG}", f"{3 * LONG}", f"{LONG}"]
    again.advance(found.end)
    assert spools(tmp_path) == []
    assert len(list(tmp_path.glob("*.damaged"))) == 3
    size = sum(one.stat().st_size for one in tmp_path.glob("*.damaged"))
    assert again.size == size
    again.close()
    last, found = opened(tmp_path)
    assert last.size == size
    assert last.append(written(10), durable=True).segment == 4
    last.close()


def test_a_segment_of_a_format_that_is_not_known_is_kept(tmp_path: Path) -> None:
    made, _ = opened(tmp_path)
    made.append(written(1), durable=True)
    made.close()
    (tmp_path / f"{2:012d}.spool").write_bytes(b"QTSPOOL\x02" + b"\x07" * 50)
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [1]
    assert again.damaged == 58
    again.advance(found.end)
    assert (tmp_path / f"{2:012d}.damaged").stat().st_size == 58
    again.close()


def test_a_damaged_cursor_means_from_the_beginning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, _ = opened(tmp_path)
    end = made.append(written(1, 2, 3), durable=True)
    made.advance(made.read(Position(0, 0), end, 1, 1000)[-1][0])
    made.close()
    (tmp_path / "cursor").write_bytes(b"1 80 00000000\n")
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [1, 2, 3]
    assert "cursor of an offline store is damaged" in caplog.text
    again.close()


def test_a_drained_segment_that_comes_back_with_a_crash_stays_drained(tmp_path: Path) -> None:
    made, _ = opened(tmp_path, size=LONG)
    for number in range(3):
        end = made.append(written(number), durable=True)
    first = (tmp_path / f"{1:012d}.spool").read_bytes()
    made.advance(made.read(Position(0, 0), end, 2, 1000)[-1][0])
    made.close()
    (tmp_path / f"{1:012d}.spool").write_bytes(first)
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [2]
    again.advance(found.end)
    assert spools(tmp_path) == []
    again.close()


def test_a_cursor_beyond_what_a_crash_has_left_hides_nothing_new(tmp_path: Path, disk: Any) -> None:
    made, found = opened(tmp_path)
    end = made.append(written(1, 2), durable=False)
    made.advance(made.read(found.cursor, end, 1, 1000)[-1][0])
    (file,) = tmp_path.glob("*.spool")
    file.write_bytes(file.read_bytes()[:START])
    again, found = opened(tmp_path)
    assert found.counts.total() == 0
    end = again.append(written(3, 4), durable=True)
    assert numbers(again, found.cursor, end) == [3, 4]
    again.close()
    made.close()


# -- a full disk, a failing disk ---------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5 * LONG - 1), st.sampled_from(sorted(segments.FULL)), st.booleans())
def test_a_disk_that_is_full_in_the_middle_of_a_write(disk: Any, tmp_path: Path, at: int, code: int, new: bool) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    made, found = opened(folder, size=1 if new else 10_000)
    end = made.append(written(1, 2), durable=True)
    size = made.size
    disk.allowed, disk.stops = at, OSError(code, "full")
    with pytest.raises(OSError, match="full"):
        made.append(written(3, 4, 5, 6, 7), durable=True)
    assert made.size - size in (0, START)
    assert numbers(made, found.cursor, end) == [1, 2]
    end = made.append(written(8), durable=True)
    assert numbers(made, found.cursor, end) == [1, 2, 8]
    disk.crash(folder, random.Random(at))
    made.close()
    again, found = opened(folder)
    assert numbers(again, found.cursor, found.end) == [1, 2, 8]
    assert again.damaged == 0
    again.close()


def test_a_crash_does_not_bring_back_what_was_refused(disk: Any, tmp_path: Path) -> None:
    made, _ = opened(tmp_path)
    made.append(written(1), durable=True)
    before = disk.syncs
    disk.allowed, disk.stops = 2 * LONG, OSError(errno.ENOSPC, "full")
    with pytest.raises(OSError, match="full"):
        made.append(written(2, 3, 4), durable=True)
    assert disk.syncs == before + 1  # what the system wrote of it by itself is taken back on disk as well
    made.close()


def test_what_could_not_be_synced_is_not_there(disk: Any, tmp_path: Path) -> None:
    made, found = opened(tmp_path)
    made.append(written(1), durable=True)
    disk.sync_fails = OSError(errno.EIO, "failing")
    with pytest.raises(OSError, match="failing"):
        made.append(written(2), durable=True)
    end = made.append(written(3), durable=True)
    assert numbers(made, found.cursor, end) == [1, 3]
    made.close()


def test_a_file_that_cannot_be_mended_is_not_appended_to(
    disk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, found = opened(tmp_path)
    made.append(written(1), durable=True)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "failing")

    disk.allowed, disk.stops = 10, OSError(errno.ENOSPC, "full")
    with monkeypatch.context() as patch:
        patch.setattr(segments.os, "ftruncate", fail)
        with pytest.raises(OSError, match="full"):
            made.append(written(2), durable=True)
    end = made.append(written(3), durable=True)
    assert len(spools(tmp_path)) == 2
    assert numbers(made, found.cursor, end) == [1, 3]
    made.close()


def test_draining_makes_room_where_there_is_none_for_the_cursor(
    disk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = opened(tmp_path, size=LONG)
    for number in range(3):
        end = made.append(written(number), durable=True)
    to = made.read(Position(0, 0), end, 2, 1000)[-1][0]
    write = segments.cursor.write

    def full(folder: Path, position: Position) -> None:
        if len(spools(folder)) > 1:
            raise OSError(errno.ENOSPC, "full")
        write(folder, position)

    monkeypatch.setattr(segments.cursor, "write", full)
    made.advance(to)
    assert len(spools(tmp_path)) == 1
    made.close()
    again, found = opened(tmp_path)
    assert numbers(again, found.cursor, found.end) == [2]
    again.close()


# -- crashes -----------------------------------------------------------------------------------------------------


class Life:
    """A store over many crashes, and what it must hold: all that was acknowledged, and perhaps what was being written."""

    def __init__(self, folder: Path, disk: Any, seed: int) -> None:
        self.folder = folder
        self.disk = disk
        self.chance = random.Random(seed)
        self.number = 0
        self.lines: list[int] = []
        self.durable = 0
        """How many of `lines` are acknowledged."""
        self.drained = self.noted = 0
        self.open()

    def open(self) -> None:
        self.made, found = opened(self.folder, size=1000)
        self.at, self.end = found.cursor, found.end
        assert self.made.damaged == 0
        left = numbers(self.made, self.at, self.end)
        assert found.counts.total() == len(left)
        possible = [self.lines[self.noted : end] for end in range(max(self.durable, self.noted), len(self.lines) + 1)]
        assert left in possible, (left, self.lines[self.noted :], self.durable)
        self.lines = self.lines[: self.noted] + left
        self.durable = len(self.lines)  # what was read after a crash must be there after the next one as well
        self.drained = self.noted

    def append(self, *, durable: bool) -> None:
        count = self.chance.randint(1, 5)
        some = list(range(self.number, self.number + count))
        self.number += count
        self.lines += some
        self.end = self.made.append(written(*some, size=self.chance.choice([0, 10, 200])), durable=durable)
        if durable:
            self.durable = len(self.lines)

    def drain(self) -> None:
        some = self.made.read(self.at, self.end, self.chance.randint(1, 6), 1000)
        if some:
            expected = self.lines[self.drained : self.drained + len(some)]
            assert [int(one.frame.id) for _, one in some] == expected
            count = self.chance.randint(1, len(some))
            self.at = some[count - 1][0]
            self.drained += count

    def note(self) -> None:
        self.made.advance(self.at)
        self.noted = self.drained

    def crash(self) -> None:
        try:
            if self.chance.random() < 0.6:
                self.disk.allowed, self.disk.stops = self.chance.randint(0, 600), self.disk.stops
                self.append(durable=self.chance.random() < 0.7)
        except BaseException as error:
            assert type(error).__name__ == "CrashError"
        self.disk.allowed = -1
        # The files of the dead process are closed without a sync.
        self.made._seal()  # pyright: ignore[reportPrivateUsage]
        self.made._stop_reading()  # pyright: ignore[reportPrivateUsage]
        self.disk.crash(self.folder, self.chance)
        if self.chance.random() < 0.2:
            (self.folder / "cursor.writing").write_bytes(b"9999 1")
        self.open()


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_crashes(tmp_path: Path, disk: Any, seed: int) -> None:
    """Ten times a hundred: nothing acknowledged is lost, nothing changes its order, nothing that was noted comes again."""
    life = Life(tmp_path, disk, seed)
    for _ in range(100):
        for _ in range(life.chance.randint(0, 12)):
            chosen = life.chance.random()
            if chosen < 0.4:
                life.append(durable=seed % 3 > 0 or life.chance.random() < 0.5)
            elif chosen < 0.5:
                life.made.sync()
                life.durable = len(life.lines)
            elif chosen < 0.8:
                life.drain()
            else:
                life.note()
        life.crash()
    assert life.noted > 100
    life.made.close()
