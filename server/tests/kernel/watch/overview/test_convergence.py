"""How far a release has come, and whom a gray rule would take: told beforehand and then true."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import protocol, release, resource, scope
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.watch import standing
from qiantang_server.kernel.watch.overview import convergence
from qiantang_server.kernel.watch.overview.convergence import Progress
from server.tests.kernel.watch.overview.conftest import OWNER, Estate, bundle

ORDER, STOCK = "acme/dev/trade/order", "acme/dev/trade/stock"


async def read(estate: Estate) -> release.Convergence:
    return await Progress(estate.parts).read(bundle(ORDER))


async def preview(estate: Estate, **rule: Any) -> release.GrayPreview:
    return await Progress(estate.parts).preview(bundle(ORDER), release.GrayRule(**rule))


async def says(estate: Estate, name: str, revision: int, **more: Any) -> None:
    held = protocol.Held(bundle=bundle(ORDER), position=resource.Position(epoch=1, revision=revision), **more)
    one = scope.Instance(name=name, host=f"h-{name}", process=1)
    estate.instances.acknowledge(scope.Scope.parse(ORDER), one, [held])
    await estate.instances.flush()


async def test_nothing_is_told_of_nothing(estate: Estate) -> None:
    found = await read(estate)
    assert (found.position, found.total, found.p50_ms, found.instances) == (resource.NOWHERE, 0, None, [])


async def test_a_release_is_watched_while_it_arrives(estate: Estate) -> None:
    for name in ("a", "b", "c", "d"):
        await estate.arrive(ORDER, name, 0)
    await estate.arrive(ORDER, "silent", None, cluster="west")
    await estate.arrive(STOCK, "foreign", of=ORDER, status="failed")
    estate.life.now += 10
    await estate.released(OWNER, ORDER)
    before = await read(estate)
    assert (before.total, before.current, before.behind, before.failed, before.p50_ms) == (5, 0, 5, 0, None)
    for number, name in enumerate(("a", "b")):
        estate.life.now += 100 + number
        await says(estate, name, 1)
    await says(estate, "d", 1, status="failed", error="boom")
    await estate.arrive(ORDER, "late", 1)
    found = await read(estate)
    assert (found.total, found.current, found.behind, found.failed) == (6, 3, 2, 1)
    assert (found.p50_ms, found.p99_ms) == (100, 201)
    assert [one.name for one in found.instances] == ["d", "c", "silent", "a", "b", "late"]
    assert [one.ms for one in found.instances] == [None, None, None, 100, 201, None]
    assert [(one.status, one.error) for one in found.instances[:3]] == [
        ("failed", "boom"),
        ("applied", ""),
        ("unknown", ""),
    ]
    assert [(one.cluster, one.total, one.current, one.failed) for one in found.by_cluster] == [
        ("default", 5, 3, 1),
        ("west", 1, 0, 0),
    ]
    estate.life.now += 100_000
    assert (await read(estate)).total == 0


async def test_rows_are_bounded_and_counts_are_not(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "MAX_SHOWN", 2)
    await estate.released(OWNER, ORDER)
    for number in range(5):
        await estate.arrive(ORDER, f"i{number}")
    found = await read(estate)
    assert (found.total, len(found.instances)) == (5, 2)


@pytest.mark.parametrize(
    ("status", "held", "head", "stands"),
    [
        (None, (0, 0), (1, 0), "behind"),
        ("applied", (0, 0), (1, 0), "current"),
        ("applied", (1, 3), (1, 3), "current"),
        ("applied", (1, 3), (2, 3), "behind"),
        ("applied", (1, 4), (1, 3), "behind"),
        ("failed", (1, 3), (1, 3), "failed"),
        ("rejected", (1, 2), (1, 3), "failed"),
    ],
)
def test_standing(status: str | None, held: tuple[int, int], head: tuple[int, int], stands: str) -> None:
    places = [resource.Position(epoch=epoch, revision=revision) for epoch, revision in (held, head)]
    assert standing.standing(status, *places) == stands


async def test_a_rule_is_previewed_by_names_and_labels(estate: Estate) -> None:
    assert await preview(estate, percent=100) == release.GrayPreview(total=0, matching=0)
    for name in ("a", "b", "c"):
        await estate.arrive(ORDER, name, cluster="east" if name == "a" else "west")
    assert (await preview(estate)).matching == 0
    assert (await preview(estate, instances=["b", "nobody", "%"])).instances == ["b"]
    assert (await preview(estate, labels=[{"cluster": "west", "zone": "a"}])).instances == ["b", "c"]
    assert (await preview(estate, percent=100)).instances == ["a", "b", "c"]
    seats = await preview(estate, instances=["a"], count=7)
    assert (seats.total, seats.matching, seats.instances) == (3, 3, ["a"])


async def test_whom_a_percent_takes_is_what_was_previewed(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    for number in range(30):
        await estate.arrive(ORDER, f"i{number}")
    told = await preview(estate, percent=40)
    assert 0 < told.matching < 30
    await estate.edit(OWNER, ORDER, "a", "two")
    await estate.publish(OWNER, ORDER, gray=release.GrayRule(percent=40))
    async with estate.parts.database.reading() as session:
        gray = (await ground.head(session, bundle(ORDER))).state.gray
    assert gray is not None
    takes = [f"i{n}" for n in range(30) if states.takes_gray(gray, scope.Instance(name=f"i{n}"))]
    assert sorted(told.instances) == sorted(takes)
    wider = await preview(estate, percent=80)
    assert set(told.instances) < set(wider.instances)


async def test_seats_that_are_held_are_named(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    for name in ("a", "b", "c"):
        await estate.arrive(ORDER, name)
    await estate.edit(OWNER, ORDER, "a", "two")
    await estate.publish(OWNER, ORDER, gray=release.GrayRule(count=1))
    async with estate.parts.database.reading() as session:
        head = await ground.head(session, bundle(ORDER))
    assert head.state.gray is not None
    assert await estate.life.resources.gray.hold_seat(head.key, head.state.gray, "b")
    found = await preview(estate, count=2)
    assert (found.matching, found.instances) == (2, ["b"])
