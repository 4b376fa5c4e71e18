"""Swap: in the turn of the loop where nobody has to be waited for, else when the last has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from qiantang.kernel import resource, scope
from qiantang.kernel.mirror.core import Apply
from qiantang.kernel.mirror.listeners import Listeners
from qiantang.kernel.mirror.swap import Swap
from qiantang.kernel.mirror.view import MirrorView, Outcome

BUNDLE = resource.Bundle(scope=scope.Scope.parse("acme/dev/trade/order"), capability="config")


def release(revision: int) -> Apply:
    snapshot = resource.Snapshot(bundle=BUNDLE, position=resource.Position(1, revision), digest=f"d{revision}")
    return Apply(revision, {BUNDLE: snapshot}, frozenset(), frozenset())


def revision(view: MirrorView) -> int:
    return view.snapshots[BUNDLE].position.revision if BUNDLE in view.snapshots else 0


class Asked:
    """A listener that writes down what it hears, and answers as it is told to."""

    def __init__(self, *, later: bool = False, rejects: int = 0) -> None:
        self.heard: list[str] = []
        self.go = asyncio.Event()
        self._later = later
        self._rejects = rejects
        self.listeners = Listeners(lambda _capability: None)
        self.swap = Swap(self.listeners, settled=lambda _apply, _rejected: None, told=lambda: None)
        self.listeners.subscribe("config", self._told, self._prepare, self._swapped, self.swap.view)

    def _prepare(self, _before: MirrorView, after: MirrorView) -> Outcome | Awaitable[Outcome | None] | None:
        self.heard.append(f"asked {revision(after)}")
        outcome = Outcome(status="rejected") if revision(after) == self._rejects else None
        return self._answer(outcome) if self._later else outcome

    async def _answer(self, outcome: Outcome | None) -> Outcome | None:
        await self.go.wait()
        return outcome

    def _swapped(self) -> None:
        self.heard.append(f"swapped {revision(self.swap.view)}")

    async def _told(self, _before: MirrorView, after: MirrorView) -> None:
        self.heard.append(f"told {revision(after)}")


async def test_what_nobody_has_to_wait_for_is_in_use_at_once() -> None:
    asked = Asked()
    asked.swap.offer(release(1))
    assert revision(asked.swap.view) == 1
    assert asked.heard == ["asked 1", "swapped 1"]
    await asyncio.sleep(0)
    assert asked.heard == ["asked 1", "swapped 1", "told 1"]


async def test_of_what_is_offered_while_one_is_asked_about_the_latest_is_taken() -> None:
    asked = Asked(later=True)
    for number in (1, 2, 3):
        asked.swap.offer(release(number))
    await asyncio.sleep(0)
    assert revision(asked.swap.view) == 0
    asked.go.set()
    while revision(asked.swap.view) != 3:
        await asyncio.sleep(0)
    assert [one for one in asked.heard if not one.startswith("told")] == [
        "asked 1",
        "swapped 1",
        "asked 3",
        "swapped 3",
    ]


async def test_what_is_rejected_at_once_is_not_swapped_in() -> None:
    asked = Asked(rejects=2)
    asked.swap.offer(release(1))
    asked.swap.offer(release(2))
    assert revision(asked.swap.view) == 1
    assert asked.swap.problem is not None
    assert asked.heard == ["asked 1", "swapped 1", "asked 2"]
    asked.swap.offer(release(3))
    assert revision(asked.swap.view) == 3
    assert asked.swap.problem is None


async def test_what_is_offered_by_who_hears_of_the_swap_is_taken_after_it() -> None:
    asked = Asked()
    offered = [release(2)]
    asked.swap._settled = lambda _apply, _rejected: asked.swap.offer(offered.pop()) if offered else None
    asked.swap.offer(release(1))
    assert [one for one in asked.heard if one.startswith("swapped")] == ["swapped 1", "swapped 2"]
    assert revision(asked.swap.view) == 2
