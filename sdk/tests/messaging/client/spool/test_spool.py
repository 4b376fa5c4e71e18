"""The offline store: order, what an acknowledgement is worth, bounds, damage, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import random
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from qiantang.kernel import errors
from qiantang.messaging import testing
from qiantang.messaging.client.spool import Slots, Spool, State, slot_of, spool, writing
from qiantang.messaging.errors import BusClosedError, InvalidMessageError, SpoolFullError
from qiantang.messaging.model import Frame

until = functools.partial(testing.until, seconds=10.0)


def frames(*numbers: int, key: str | None = None, size: int = 10) -> list[Frame]:
    return [
        Frame(topic="t", id=f"{number}", body=b"x" * size, key=f"k{number % 3}" if key is None else key)
        for number in numbers
    ]


@contextlib.asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncGenerator[Spool, None]:
    made = Spool(folder, "main/one", **options)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def drained(made: Spool, count: int = 100) -> list[int]:
    found: list[int] = []
    while some := await made.take(count, 1 << 20):
        found += [int(one.frame.id) for one in some]
        await made.done(len(some))
    return found


async def test_what_is_put_in_comes_out_in_its_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        assert await made.take(10, 1000) == []
        await made.append([])
        await made.append(frames(1, 2), maybe_sent=True)
        await made.append(frames(3, 4, 5), maybe_sent=[False, True, False])
        assert made.pending == 5
        some = await made.take(4, 1 << 20)
        assert [one.frame for one in some] == frames(1, 2, 3, 4)
        assert [one.maybe_sent for one in some] == [True, True, False, True]
        assert {one.link for one in some} == {"main/one"}
        assert [one.slot for one in some] == [slot_of(one.frame.key) for one in some]
        assert await made.take(4, 1 << 20) == some
        await made.done(0)
        await made.done(1)
        await made.done(2)
        with pytest.raises(ValueError, match="2 records cannot be done: 1 were taken"):
            await made.done(2)
        assert made.pending == 2
        await made.append(frames(6))
        assert await drained(made, 1) == [4, 5, 6]
        assert made.pending == 0


async def test_slots_wait_for_what_is_there(tmp_path: Path) -> None:
    slots = Slots(away=True)
    first, second = slot_of("k1"), slot_of("k2")
    async with opened(tmp_path, slots=slots) as made:
        appending = asyncio.create_task(made.append(frames(1, 2, 4)))
        await asyncio.sleep(0)
        assert slots.pending("t", first) == 2
        await appending
        slots.come_back()
        assert slots.must_spool("t", first)
        assert not slots.must_spool("t", slot_of("other"))
        await made.take(3, 1 << 20)
        await made.done(2)
        assert (slots.state("t", first), slots.state("t", second)) == (State.DRAINING, State.ONLINE)
        await made.done(1)
        assert slots.state("t", first) is State.ONLINE


def files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(folder.glob(pattern))


async def test_spools_of_one_link_share_their_slots(tmp_path: Path) -> None:
    slots = Slots()
    async with opened(tmp_path / "own", slots=slots) as own, opened(tmp_path / "orphan", slots=slots) as orphan:
        await orphan.append(frames(1, key="k"))
        await own.append(frames(2, 3, key="k"))
        assert (orphan.pending, own.pending, slots.total) == (1, 2, 3)
        assert await drained(orphan) == [1]
        assert slots.must_spool("t", slot_of("k"))
        assert await drained(own) == [2, 3]
        assert not slots.must_spool("t", slot_of("k"))


async def test_what_was_left_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(*range(10)))
        await made.append(frames(10, 11, key=""))
        await made.take(4, 1 << 20)
        await made.done(3)
    async with opened(tmp_path) as made:
        assert made.pending == 9
        assert made.slots.pending("t", -1) == 2
        assert await drained(made) == list(range(3, 12))
    assert [one.name for one in files(tmp_path)] == ["cursor"]
    async with opened(tmp_path) as made:
        assert (made.pending, made.size) == (0, 0)


async def test_appends_that_gather_are_synced_together(tmp_path: Path, disk: Any) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(0))
        before = disk.syncs
        await asyncio.gather(*(made.append(frames(number)) for number in range(1, 101)))
        assert disk.syncs - before == 1
        assert await drained(made) == list(range(101))


async def test_with_an_interval_an_append_does_not_wait_for_the_sync(tmp_path: Path, disk: Any) -> None:
    async with opened(tmp_path, sync_seconds=0.1) as made:
        await made.append(frames(0))
        before = disk.syncs
        await made.append(frames(1, 2))
        assert disk.syncs == before
        await until(lambda: disk.syncs == before + 1)
        await made.append(frames(3))
    assert disk.syncs == before + 2


async def test_a_full_line_makes_wait_and_keeps_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES", 200)
    monkeypatch.setattr(writing, "WRITE_BYTES", 150)
    async with opened(tmp_path) as made:
        appends = [asyncio.create_task(made.append(frames(number, key="k"))) for number in range(50)]
        await asyncio.sleep(0)
        assert made.pending == 50
        appends[40].cancel()
        await asyncio.gather(*appends, return_exceptions=True)
        assert made.pending == 49
        assert await drained(made) == [*range(40), *range(41, 50)]


async def test_who_stops_waiting_for_a_write_may_have_it_all_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        append = asyncio.create_task(made.append(frames(1)))
        await asyncio.sleep(0)
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
        await made.append(frames(2))
        assert made.pending == 2
        assert await drained(made) == [1, 2]


# -- bounds and failures -----------------------------------------------------------------------------------------


async def test_it_has_a_bound(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=64 * 1024) as made:
        taken = 0
        with pytest.raises(SpoolFullError, match=r"may have 65536: 2 messages were not taken; \d+ wait to be sent"):
            for number in range(0, 1000, 2):
                await made.append(frames(number, number + 1, size=1000))
                taken += 2
        assert 40 < taken < 64
        assert made.pending == taken
        assert sum(one.stat().st_size for one in files(tmp_path)) <= 64 * 1024
        await made.take(taken // 2, 1 << 20)
        full = made.size
        await made.done(taken // 2)
        await until(lambda: made.size < full)  # there is room once what was drained is removed
        await made.append(frames(taken))
        assert await drained(made) == list(range(taken // 2, taken + 1))


@pytest.mark.parametrize(
    ("code", "raised"),
    [(errno.ENOSPC, SpoolFullError), (errno.EDQUOT, SpoolFullError), (errno.EIO, errors.UnavailableError)],
)
async def test_a_disk_that_fails(tmp_path: Path, disk: Any, code: int, raised: type[Exception]) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(1))
        disk.allowed, disk.stops = 100, OSError(code, "the disk says no")
        both = [made.append(frames(2, 3, 4)), made.append(frames(5, 6))]
        found = await asyncio.gather(*both, return_exceptions=True)
        assert [type(one) for one in found] == [raised, raised]
        assert "did not take 5 messages" in str(found[0])
        assert made.pending == 1
        await made.append(frames(7))
        assert await drained(made) == [1, 7]


async def test_what_cannot_be_written_is_refused_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        wrong = Frame(topic="t", id="1", body=b"", key="\ud800")
        found = await asyncio.gather(made.append([*frames(1), wrong]), made.append(frames(2)), return_exceptions=True)
        assert [type(one) for one in found] == [InvalidMessageError, type(None)]
        assert made.pending == 1
        assert await drained(made) == [2]


async def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.MisconfiguredError, match="cannot be opened"):
        await Spool(tmp_path / "file", "main/one").open()


async def test_reading_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(1, 2))
        with monkeypatch.context() as patch:

            def fail(*_: object) -> bytes:
                raise OSError(errno.EIO, "failing")

            patch.setattr(spool.Segments, "read", fail)
            with pytest.raises(errors.UnavailableError, match="cannot be read"):
                await made.take(1, 1000)
        assert await drained(made) == [1, 2]


async def test_what_is_damaged_while_it_is_open_is_told_and_lets_its_slots_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(0, 1, 2, 3))
        (file,) = files(tmp_path, "*.spool")
        data = bytearray(file.read_bytes())
        data[data.index(b"xxxxx")] ^= 1
        file.write_bytes(data)
        assert await drained(made) == [1, 2, 3]
        assert made.pending == 0
        assert made.slots.counts() == {}
        assert made.damaged > 0
        lost = [one for one in caplog.records if "lost to damage" in one.message]
        assert [one.__dict__["messages"] for one in lost] == [1]
        await made.append(frames(4))
        assert await drained(made) == [4]
    assert len(files(tmp_path, "*.damaged")) == 1


async def test_what_is_damaged_at_the_end_goes_with_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        await made.append(frames(0, 1))
        (file,) = files(tmp_path, "*.spool")
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
        assert await drained(made) == [0]
        assert made.pending == 0
    assert [one.suffix for one in files(tmp_path)] == [".damaged", ""]


async def test_segments_with_nothing_in_them_go(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number:012d}.spool").write_bytes(b"QTSPOOL\x01")
    async with opened(tmp_path) as made:
        assert made.pending == 0
    assert files(tmp_path, "*.spool") == []


# -- the cursor, and the end -------------------------------------------------------------------------------------


async def test_the_cursor_is_noted_after_a_while_or_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "CURSOR_RECORDS", 5)
    async with opened(tmp_path) as made:
        await made.append(frames(*range(20)))
        await made.take(20, 1 << 20)
        await made.done(4)
        assert not (tmp_path / "cursor").exists()
        await until((tmp_path / "cursor").exists)
        first = (tmp_path / "cursor").read_bytes()
        await made.done(5)
        assert (tmp_path / "cursor").read_bytes() != first


async def test_a_cursor_that_cannot_be_noted_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool, "CURSOR_SECONDS", 0.02)
    async with opened(tmp_path) as made:
        await made.append(frames(1, 2))
        await made.take(1, 1 << 20)

        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "failing")

        with monkeypatch.context() as patch:
            patch.setattr(spool.Segments, "advance", fail)
            await made.done(1)
            await until(lambda: "cannot note what was drained" in caplog.text)
        await until((tmp_path / "cursor").exists)


async def test_a_drained_store_leaves_no_files_and_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        for number in range(3):
            await made.append(frames(number))
            assert await drained(made) == [number]
            await until(lambda: files(tmp_path, "*.spool") == [])
            await until(lambda: made.size == 0)


async def test_its_end_keeps_what_was_appended(tmp_path: Path) -> None:
    made = Spool(tmp_path, "main/one")
    with pytest.raises(BusClosedError):
        await made.append(frames(1))
    await made.open()
    append = asyncio.create_task(made.append(frames(1)))
    await asyncio.sleep(0)
    await made.close()
    await append
    await made.close()
    for late in (made.append(frames(2)), made.take(1, 1), made.done(0)):
        with pytest.raises(BusClosedError):
            await late
    assert made.pending == 1
    async with opened(tmp_path) as again:
        assert await drained(again) == [1]


# -- crashes -----------------------------------------------------------------------------------------------------

steps = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("start"), st.integers(1, 4)),
    st.tuples(st.just("drain"), st.integers(1, 6)),
    st.tuples(st.just("crash"), st.integers(0, 400)),
)


class Life:
    """A store over crashes: what must come out of it is known but for what was being written."""

    def __init__(self, folder: Path, disk: Any, chance: random.Random) -> None:
        self.folder, self.disk, self.chance = folder, disk, chance
        self.lines: list[int] = []
        self.acknowledged = self.drained = self.number = 0
        self.started: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self.made = Spool(self.folder, "main/one", max_bytes=1 << 20)
        await self.made.open()

    def new(self, count: int) -> list[Frame]:
        some = frames(*range(self.number, self.number + count))
        self.number += count
        self.lines += [int(one.id) for one in some]
        return some

    async def append(self, count: int) -> None:
        await self.made.append(self.new(count))
        self.acknowledged = len(self.lines)

    async def start(self, count: int) -> None:
        self.started.append(asyncio.create_task(self.made.append(self.new(count))))
        await asyncio.sleep(0)

    async def drain(self, count: int) -> None:
        some = await self.made.take(count, 1 << 20)
        assert [int(one.frame.id) for one in some] == self.lines[self.drained : self.drained + len(some)]
        done = self.chance.randint(0, len(some))
        await self.made.done(done)
        self.drained += done

    async def crash(self, allowed: int) -> None:
        self.disk.allowed = allowed
        self.started.append(asyncio.create_task(self.made.append(self.new(3))))
        await asyncio.sleep(self.chance.choice([0, 0.001]))
        await self.end()
        self.disk.allowed = -1
        self.disk.crash(self.folder, self.chance)
        await self.open()
        left = [int(one.frame.id) for one in await self.made.take(10_000, 1 << 20)]
        assert self.made.pending == len(left)
        assert self.made.damaged == 0
        begin = len(self.lines) - len(left) if not left else self.lines.index(left[0])
        assert begin <= self.drained or not left
        assert begin > self.drained - 5 or not left
        assert left == self.lines[begin : begin + len(left)]
        assert begin + len(left) >= self.acknowledged
        self.lines = self.lines[: begin + len(left)]
        self.drained = begin
        self.acknowledged = len(self.lines)

    async def end(self) -> None:
        """Have the process gone: its tasks, its timers, its thread, its files."""
        made: Any = self.made
        for timer in made._timers.values():
            timer.cancel()
        tasks = [*made._tasks, *self.started, *([made._line._pump] if made._line._pump else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.started = []
        made._thread.submit(lambda: (made._segments._seal(), made._segments._stop_reading())).result()
        made._thread.shutdown()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps, max_size=25), st.integers(0, 1 << 30))
def test_no_crash_loses_what_was_acknowledged(
    tmp_path: Path, disk: Any, monkeypatch: pytest.MonkeyPatch, some: Sequence[tuple[str, int]], seed: int
) -> None:
    monkeypatch.setattr(spool, "CURSOR_RECORDS", 5)
    monkeypatch.setattr(spool, "CURSOR_SECONDS", 1000)

    async def live() -> None:
        life = Life(Path(tempfile.mkdtemp(dir=tmp_path)), disk, random.Random(seed))
        await life.open()
        for name, count in some:
            await getattr(life, name)(count)
        await asyncio.gather(*life.started)
        assert await drained(life.made) == life.lines[life.drained :]
        assert life.made.pending == 0
        await life.made.close()

    asyncio.run(live())
