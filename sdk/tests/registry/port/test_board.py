"""The board: newest snapshots to any number of watchers."""

from __future__ import annotations

import asyncio

import pytest

from qiantang.registry.model import Snapshot
from qiantang.registry.port import Board
from qiantang.registry.port import board as module
from qiantang.registry.testing import node


async def test_equal_lists_are_told_once_and_sorted() -> None:
    board = Board()
    board.post([node("b"), node("a")])
    board.post([node("a"), node("b")])
    assert board.latest == Snapshot(nodes=(node("a"), node("b")), revision=1)


async def test_away_is_told_once_and_the_return_always() -> None:
    board = Board()
    board.away()
    board.away()
    assert board.latest == Snapshot(revision=1, is_stale=True)
    board.post([])
    assert board.latest == Snapshot(revision=2)
    board.away()
    board.post([])
    assert board.latest == Snapshot(revision=4)


async def test_a_watcher_that_comes_late_or_slowly_gets_the_newest() -> None:
    board = Board()
    watch = board.watch()
    board.post([node("a")])
    assert (await anext(watch)).revision == 1
    waiting = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    assert not waiting.done()
    for number in range(5):
        board.post([node("a", weight=number)])
    assert (await waiting).revision == 6
    assert (await anext(board.watch())).revision == 6
    assert board.watchers >= 1
    board.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_a_list_is_cut_where_it_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NODES", 2)
    board = Board()
    board.post(node(name) for name in "cab")
    assert board.latest is not None
    assert [one.name for one in board.latest.nodes] == ["a", "b"]


async def test_watchers_are_counted() -> None:
    board = Board()
    board.post([])
    watch = board.watch()
    await anext(watch)
    assert board.watchers == 1
    await watch.aclose()
    assert board.watchers == 0
