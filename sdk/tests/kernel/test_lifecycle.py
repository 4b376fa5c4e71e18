"""Life cycle: order, deadlines, and that one bad part never holds the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors, lifecycle

SHORT = 0.2


class Part(AbstractAsyncContextManager["Part"]):
    """Writes down what happens to it, and misbehaves as told."""

    def __init__(self, name: str, story: list[str], *, enters: str = "well", leaves: str = "well") -> None:
        self.name = name
        self.story = story
        self.enters = enters
        self.leaves = leaves
        self.task: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Part:
        self.story.append(f"open {self.name}")
        self.task = asyncio.current_task()
        await self._behave(self.enters)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert asyncio.current_task() is self.task
        self.story.append(f"close {self.name}")
        await self._behave(self.leaves)

    async def _behave(self, how: str) -> None:
        if how == "fails":
            raise RuntimeError(f"{self.name} is broken")
        if how == "hangs":
            await asyncio.Event().wait()
        if how == "ignores":
            for _ in range(2):
                try:
                    await asyncio.sleep(SHORT * 4)
                except asyncio.CancelledError:
                    self.story.append(f"{self.name} ignored")


async def test_parts_close_in_reverse() -> None:
    story: list[str] = []
    async with lifecycle.Lifecycle() as life:
        first = await life.open("a", Part("a", story))
        await life.open("b", Part("b", story))
        assert first.name == "a"
        assert life.parts == ["a", "b"]
    assert story == ["open a", "open b", "close b", "close a"]
    assert [(closed.name, closed.outcome) for closed in life.closed] == [("b", "closed"), ("a", "closed")]
    assert await life.close() == life.closed


async def test_a_failed_opening_closes_what_was_open() -> None:
    story: list[str] = []
    with pytest.raises(RuntimeError, match="b is broken"):
        async with lifecycle.Lifecycle() as life:
            await life.open("a", Part("a", story))
            await life.open("b", Part("b", story, enters="fails"))
    assert story == ["open a", "open b", "close a"]


async def test_an_opening_that_hangs_is_cancelled_and_named() -> None:
    story: list[str] = []
    with pytest.raises(errors.DeadlineError, match=r"b did not open within 0\.05 s"):
        async with lifecycle.Lifecycle() as life:
            await life.open("a", Part("a", story))
            await life.open("b", Part("b", story, enters="hangs"), within=0.05)
    assert story == ["open a", "open b", "close a"]


async def test_a_cancelled_opening_takes_its_part_along() -> None:
    story: list[str] = []
    part = Part("a", story, enters="hangs")
    life = lifecycle.Lifecycle()
    opening = asyncio.create_task(life.open("a", part))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert part.task is not None
    assert part.task.done()
    assert life.parts == []


@given(st.lists(st.sampled_from(["well", "fails", "hangs", "ignores"]), min_size=1, max_size=4))
def test_every_part_is_closed_whatever_the_others_do(ways: list[str]) -> None:
    async def run() -> None:
        story: list[str] = []
        life = lifecycle.Lifecycle(close_within=0.02)
        for number, way in enumerate(ways):
            await life.open(str(number), Part(str(number), story, leaves=way))
        outcomes = [closed.outcome for closed in await life.close()]
        expected = {"well": "closed", "fails": "failed", "hangs": "hung", "ignores": "hung"}
        assert outcomes == [expected[way] for way in reversed(ways)]
        closes = [line for line in story if line.startswith("close")]
        assert closes == [f"close {number}" for number in reversed(range(len(ways)))]

    logging.disable()
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)


async def test_bad_closings_are_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    story: list[str] = []
    life = lifecycle.Lifecycle(close_within=SHORT)
    await life.open("broken", Part("broken", story, leaves="fails"))
    await life.open("stuck", Part("stuck", story, leaves="hangs"))
    await life.close()
    told = {(record.__dict__["part"], record.__dict__["outcome"]) for record in caplog.records}
    assert told == {("broken", "failed"), ("stuck", "hung")}
    assert life.closed[1].reason == "RuntimeError: broken is broken"
    assert "was cancelled" in life.closed[0].reason


async def test_a_part_with_a_task_group_that_falls_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def part() -> AsyncIterator[None]:
        async def die() -> None:
            raise RuntimeError("gone")

        async with asyncio.TaskGroup() as group:
            group.create_task(die())
            yield

    life = lifecycle.Lifecycle()
    await life.open("worker", part())
    fallen = next(task for task in asyncio.all_tasks() if task.get_name() == "part worker")
    await asyncio.wait({fallen})
    assert caplog.records[0].message == "a part fell while in use"
    (closed,) = await life.close()
    assert closed.outcome == "failed"


async def test_a_swap_opens_the_new_before_it_closes_the_old() -> None:
    story: list[str] = []
    async with lifecycle.Swap("line", Part("old", story)) as swap:
        assert swap.current.name == "old"
        await swap.replace(Part("new", story))
        assert swap.current.name == "new"
    assert story == ["open old", "open new", "close old", "close new"]
    with pytest.raises(errors.UnavailableError):
        _ = swap.current
    with pytest.raises(errors.UnavailableError):
        await swap.replace(Part("late", story))


@pytest.mark.parametrize(("enters", "error"), [("fails", RuntimeError), ("hangs", errors.DeadlineError)])
async def test_a_swap_keeps_the_old_where_the_new_does_not_open(enters: str, error: type[Exception]) -> None:
    story: list[str] = []
    async with lifecycle.Swap("line", Part("old", story), open_within=0.05) as swap:
        with pytest.raises(error):
            await swap.replace(Part("new", story, enters=enters))
        assert swap.current.name == "old"
        assert "close old" not in story


async def test_a_swap_goes_on_where_the_old_does_not_close() -> None:
    story: list[str] = []
    async with lifecycle.Swap("line", Part("old", story, leaves="hangs"), close_within=0.05) as swap:
        await swap.replace(Part("new", story))
        assert swap.current.name == "new"


async def test_swaps_wait_for_each_other() -> None:
    story: list[str] = []
    async with lifecycle.Swap("line", Part("0", story)) as swap:
        await asyncio.gather(swap.replace(Part("1", story)), swap.replace(Part("2", story)))
    assert story == ["open 0", "open 1", "close 0", "open 2", "close 1", "close 2"]
