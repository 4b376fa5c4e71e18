"""Instances: who is there and what each holds, on every database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from qiantang.kernel import protocol, resource, scope
from qiantang_server.kernel import storage
from qiantang_server.kernel.watch import store
from qiantang_server.kernel.watch.instances import ALIVE_MS, MAX_WAITING, TOUCH_MS, Instances, Wanted
from server.tests.kernel.resources.notes import BUNDLE

NOW = resource.Position(epoch=1, revision=4)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def instance(name: str, process: int = 1, host: str = "h") -> scope.Instance:
    return scope.Instance(name=name, host=host, process=process, labels={"zone": "a"})


def holds(revision: int, **more: Any) -> list[protocol.Held]:
    return [protocol.Held(bundle=BUNDLE, position=resource.Position(epoch=1, revision=revision), **more)]


async def listed(instances: Instances, limit: int = 100, **wanted: Any) -> list[Any]:
    found: list[Any] = []
    after = ""
    while True:
        page = await instances.list_instances(BUNDLE, NOW, Wanted(**wanted), after=after, limit=limit)
        found += page.items
        if not page.next:
            return found
        after = page.next


async def test_what_each_holds_is_told_with_its_age_and_error(any_database: storage.Database) -> None:
    clock = Clock()
    instances = Instances(any_database, "n1", clock)
    instances.arrive(BUNDLE.scope, instance("a"), holds(4))
    instances.arrive(BUNDLE.scope, instance("b"), holds(3, status="failed", error="callback f: boom"))
    instances.arrive(BUNDLE.scope, instance("c"), [])
    await instances.flush()
    clock.now += 5_000
    shown = await listed(instances)
    assert [(one.instance.name, one.current, one.status, one.error, one.age_ms) for one in shown] == [
        ("a", True, "applied", "", 5_000),
        ("b", False, "failed", "callback f: boom", 5_000),
        ("c", False, "unknown", "", 0),
    ]
    assert all(one.alive for one in shown)
    instances.acknowledge(BUNDLE.scope, instance("b"), holds(4))
    await instances.flush()
    assert [one.current for one in await listed(instances)] == [True, True, False]


async def test_processes_that_share_a_name_have_rows_of_their_own_and_pages_lose_none(
    any_database: storage.Database,
) -> None:
    instances = Instances(any_database, "n1", Clock())
    for process in range(1, 8):
        instances.arrive(BUNDLE.scope, instance("worker", process), holds(process % 5))
    await instances.flush()
    shown = await listed(instances, limit=2)
    assert sorted(one.instance.process for one in shown) == list(range(1, 8))


async def test_a_process_that_went_makes_room_for_the_next_of_its_name(any_database: storage.Database) -> None:
    instances = Instances(any_database, "n1", Clock())
    key = instances.arrive(BUNDLE.scope, instance("a", 1), holds(4))
    await instances.flush()
    instances.leave(key)
    await instances.flush()
    assert [one.alive for one in await listed(instances)] == [False]
    instances.arrive(BUNDLE.scope, instance("a", 2), holds(4))
    await instances.flush()
    assert [(one.instance.process, one.alive) for one in await listed(instances)] == [(2, True)]


async def test_many_that_come_back_at_once_take_only_their_own_places(any_database: storage.Database) -> None:
    instances = Instances(any_database, "n1", Clock())
    names = [f"i{number:04d}" for number in range(600)]
    keys = [instances.arrive(BUNDLE.scope, instance(name, 1, host), []) for name in names for host in ("h", "other")]
    await instances.flush()
    for key in keys:
        instances.leave(key)
    await instances.flush()
    for name in names:
        instances.arrive(BUNDLE.scope, instance(name, 2), [])
    await instances.flush()
    alive = {(one.instance.host, one.instance.process): one.alive for one in await listed(instances, 500)}
    assert len(await listed(instances, 500)) == 2 * len(names)
    assert alive == {("h", 2): True, ("other", 1): False}


async def test_the_dead_are_told_from_the_living_and_forgotten_in_the_end(any_database: storage.Database) -> None:
    clock = Clock()
    instances = Instances(any_database, "n1", clock)
    instances.arrive(BUNDLE.scope, instance("lives"), holds(4))
    other = Instances(any_database, "n2", clock)
    other.arrive(BUNDLE.scope, instance("its server was killed"), holds(4))
    await instances.flush()
    await other.flush()
    for _round in range(ALIVE_MS // TOUCH_MS + 1):
        clock.now += TOUCH_MS
        await instances.flush()
    assert {one.instance.name: one.alive for one in await listed(instances)} == {
        "lives": True,
        "its server was killed": False,
    }
    assert await instances.forget(clock.now - ALIVE_MS) == 1
    assert [one.instance.name for one in await listed(instances)] == ["lives"]


async def test_what_waits_to_be_written_is_bounded(any_database: storage.Database) -> None:
    instances = Instances(any_database, "n1", Clock())
    instances._waiting.held = {(str(number), "b"): {} for number in range(MAX_WAITING)}
    instances.acknowledge(BUNDLE.scope, instance("a"), holds(4))
    assert len(instances._waiting.held) == MAX_WAITING


async def test_what_no_row_can_hold_keeps_nobody_from_being_written(any_database: storage.Database) -> None:
    clock = Clock()
    instances = Instances(any_database, "n1", clock)
    instances.arrive(BUNDLE.scope, instance("a"), holds(4))
    strange = holds((1 << 64) - 1, status="failed", error="b\0om", digest="\0", gray="\0", took_ms=1e308)
    instances.arrive(BUNDLE.scope, instance("b\0d", process=(1 << 64) - 1, host="\0"), strange)
    await instances.flush()
    shown = {one.instance.name: one for one in await listed(instances)}
    assert shown["a"].current
    assert (shown["b\ufffdd"].status, shown["b\ufffdd"].error) == ("failed", "b\ufffdom")


async def test_a_row_that_the_database_refuses_is_dropped_and_the_others_are_written(
    any_database: storage.Database,
) -> None:
    instances = Instances(any_database, "n1", Clock())
    keys = [instances.arrive(BUNDLE.scope, instance(f"i{number}"), holds(4)) for number in range(9)]
    instances.leave(keys[8])
    instances._waiting.instances[keys[3]]["host"] = "\0"
    await instances.flush()
    assert [one.instance.name for one in await listed(instances)] == [f"i{n}" for n in range(9) if n != 3]
    assert [one.alive for one in await listed(instances)] == [True] * 7 + [False]
    assert len(instances._waiting) == 0


async def test_what_was_said_without_a_stream_is_forgotten_too(any_database: storage.Database) -> None:
    clock = Clock()
    instances = Instances(any_database, "n1", clock)
    instances.acknowledge(BUNDLE.scope, instance("never connected"), holds(4))
    instances.arrive(BUNDLE.scope, instance("lives"), holds(4))
    await instances.flush()
    clock.now += 1000
    instances.acknowledge(BUNDLE.scope, instance("lives"), holds(4))
    instances.arrive(BUNDLE.scope, instance("lives"), holds(4))
    await instances.flush()
    await instances.forget(clock.now)
    async with any_database.reading() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(store.held)) == 1


async def test_instances_are_found_by_words_and_by_how_they_stand(any_database: storage.Database) -> None:
    instances = Instances(any_database, "n1", Clock())
    instances.arrive(BUNDLE.scope, instance("pay-1", host="east-7"), holds(4))
    instances.arrive(BUNDLE.scope, instance("pay-2"), holds(3))
    instances.arrive(BUNDLE.scope, instance("50%_\\'"), holds(4, status="failed"))
    instances.arrive(BUNDLE.scope, instance("silent"), [])
    dead = instances.arrive(BUNDLE.scope, instance("dead"), holds(4))
    await instances.flush()
    instances.leave(dead)
    await instances.flush()

    async def names(**wanted: Any) -> list[str]:
        return [one.instance.name for one in await listed(instances, 1, **wanted)]

    assert await names(words="PAY") == ["pay-1", "pay-2"]
    assert await names(words="east") == ["pay-1"]
    for words in ("%", "_", "\\", "'", "50%_"):
        assert await names(words=words) == ["50%_\\'"]
    assert await names(words="\N{WATER WAVE}") == await names(words='"') == []
    assert await names(state="current") == ["pay-1"]
    assert await names(state="behind") == ["pay-2", "silent"]
    assert await names(state="failed") == ["50%_\\'"]
    assert await names(state="behind", words="pay") == ["pay-2"]
