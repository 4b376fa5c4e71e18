"""Deliveries: the same bytes for equals, bounded memory, and what linked applications may see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors, release, resource, scope
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources.state import Gray
from qiantang_server.kernel.watch.delivery import Answer, Shared, SizedCache, delta_between

BUNDLE = resource.Bundle(scope=scope.Scope.parse("acme/dev/trade/order"), capability="test")
NAMES = st.sampled_from("abcdefgh")
CONTENTS = st.dictionaries(NAMES, st.sampled_from(["x", "y", "z"]))


def snapshot(contents: dict[str, str], revision: int) -> resource.Snapshot:
    entries = [
        resource.Entry(kind="note", name=name, digest=resource.content_digest(text.encode()))
        for name, text in sorted(contents.items())
    ]
    return resource.Snapshot(
        bundle=BUNDLE,
        position=resource.Position(epoch=1, revision=revision),
        digest=resource.snapshot_digest(entries),
        entries=entries,
    )


@given(CONTENTS, CONTENTS)
def test_a_delta_leads_exactly_to_its_target(before: dict[str, str], after: dict[str, str]) -> None:
    base, target = snapshot(before, 1), snapshot(after, 2)
    assert resource.apply_delta(base, delta_between(base, target)) == target


@given(CONTENTS, CONTENTS, CONTENTS)
def test_a_delta_over_another_base_is_refused(
    base: dict[str, str], other: dict[str, str], after: dict[str, str]
) -> None:
    delta = delta_between(snapshot(base, 1), snapshot(after, 2))
    held = snapshot(other, 1)
    if base == other:
        assert resource.apply_delta(held, delta) is not None
    else:
        assert resource.apply_delta(held, delta) is None


@given(st.lists(st.text(min_size=1, max_size=20), unique=True), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_percent_only_adds_instances(names: list[str], one: float, two: float) -> None:
    low, high = sorted((one, two))

    def taking(percent: float) -> set[str]:
        gray = Gray(id="g", rule=release.GrayRule(percent=percent), author="", started_at=0, revision=1)
        return {name for name in names if states.takes_gray(gray, scope.Instance(name=name))}

    assert taking(low) <= taking(high)
    assert taking(100) == set(names)
    assert taking(0) == set()


def test_labels_fit_wholly_and_alternatives_add() -> None:
    rule = release.GrayRule(labels=[{"zone": "a", "cluster": "blue"}, {"canary": "yes"}])
    gray = Gray(id="g", rule=rule, author="", started_at=0, revision=1)

    def takes(cluster: str = "default", **labels: str) -> bool:
        return states.takes_gray(gray, scope.Instance(name="i", cluster=cluster, labels=labels))

    assert takes("blue", zone="a")
    assert takes(canary="yes")
    assert not takes(zone="a")
    assert not takes("blue", zone="b")
    assert not takes()


@dataclass
class Sized:
    size: int


def test_the_cache_keeps_to_its_bytes_and_drops_what_was_not_used() -> None:
    cache = SizedCache(100)
    for number in range(10):
        cache.put((number,), Sized(20))
        cache.get((0,))
    assert cache.get((0,)) is not None
    assert sum(cache.get((number,)) is not None for number in range(10)) == 5
    cache.put(("huge",), Sized(1000))
    assert cache.get(("huge",)) is None


@given(st.tuples(st.integers(0, 5), st.integers(0, 50)), st.tuples(st.integers(0, 5), st.integers(0, 50)))
def test_a_restored_database_raises_the_epoch_above_all_that_was_seen(
    database: tuple[int, int], seen: tuple[int, int]
) -> None:
    here = resource.Position(epoch=database[0], revision=database[1])
    there = resource.Position(epoch=seen[0], revision=seen[1])
    found = states.restored(here, there)
    if there <= here:
        assert found is None
    else:
        assert found is not None
        assert found > there
        assert found.revision == here.revision


class Making:
    """Makes answers when let, and counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self.let = asyncio.Event()
        self._error = error

    async def __call__(self) -> Answer:
        self.count += 1
        await self.let.wait()
        if self._error is not None:
            raise self._error
        return Answer(b"made", None)


async def test_what_many_ask_for_at_once_is_made_once() -> None:
    shared, making = Shared(), Making()
    asking = [asyncio.create_task(shared.get(("one",), making)) for _ in range(50)]
    other = asyncio.create_task(shared.get(("other",), making))
    await asyncio.sleep(0)
    asking[0].cancel()  # whose request it was that had it made goes away
    await asyncio.sleep(0)
    making.let.set()
    answers = await asyncio.gather(*asking[1:], other)
    assert making.count == 2
    assert all(answer is answers[0] for answer in answers[:-1])
    assert await shared.get(("one",), making) is not answers[0]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    shared, failing = Shared(), Making(errors.UnavailableError("away"))
    asking = [asyncio.create_task(shared.get(("one",), failing)) for _ in range(3)]
    await asyncio.sleep(0)
    failing.let.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, errors.UnavailableError) for one in found)
    making = Making()
    making.let.set()
    assert (await shared.get(("one",), making)).body == b"made"
