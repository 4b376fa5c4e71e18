"""The way out survives a crash at every step: what the crashed server left undone, the next sweep does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.watch import relay as relays
from qiantang_server.kernel.watch.delivery import Deliveries
from qiantang_server.kernel.watch.heads import Heads
from qiantang_server.kernel.watch.hub import Hub, Subscriber
from server.tests.kernel.resources.notes import BUNDLE, Life, user

ADA = user("ada")


class Crash(BaseException):
    """The process is gone: nothing after this line runs."""


class Breaking:
    """Stands before a part; the named call crashes, or fails as if the part were away."""

    def __init__(self, part: Any, call: str, error: BaseException) -> None:
        self._part = part
        self._call = call
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name != self._call:
            return getattr(self._part, name)

        async def broken(*_: Any) -> None:
            raise self._error

        return broken


class Server:
    """One server's way out over a shared database, cache and coordination."""

    def __init__(self, life: Life, cache: Any, coordination: Any) -> None:
        self.hub = Hub()
        self.heads = Heads(life.parts, cache, ADA)
        self.relay = relays.Relay(
            life.parts.database,
            self.heads,
            self.hub,
            cache=cache,
            coordination=coordination,
            deliveries=Deliveries(life.parts, self.heads, life.resources.gray, 1 << 20),
            announce_first=True,
        )
        self.subscriber = Subscriber([BUNDLE])
        self.hub.add(self.subscriber)
        life.parts.published = self.relay.published

    async def run_once(self) -> None:
        task = asyncio.create_task(self.relay.run())
        try:
            async with asyncio.timeout(3):
                while not task.done() and not self.subscriber._pending:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def coordination(any_database: storage.Database) -> AsyncIterator[DatabaseCoordination]:
    async with DatabaseCoordination(any_database, CoordinationSettings()) as found:
        yield found


async def outbox(life: Life) -> int:
    async with life.parts.database.reading() as session:
        return len(await store.waiting_notices(session, 1 << 60, 100))


@pytest.mark.parametrize("step", ["put_release", "set_head", "announce"])
async def test_a_crash_at_any_step_only_delays(
    any_database: storage.Database, coordination: DatabaseCoordination, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(any_database)
    cache = MemoryReleaseCache(CacheSettings())
    crashing = Server(life, Breaking(cache, step, Crash()), Breaking(coordination, step, Crash()))
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    with pytest.raises(Crash):
        await crashing.relay.run()
    assert await outbox(life) == 1
    monkeypatch.setattr(relays, "GRACE_MS", -3_600_000)
    other = Server(life, cache, coordination)
    assert await other.relay.sweep() == 1
    assert b'"position":[1,1]' in await other.subscriber.take(0)
    assert await outbox(life) == 0
    assert await coordination.read(str(BUNDLE)) == resource.Position(epoch=1, revision=1)
    assert await cache.get_head(str(BUNDLE)) == resource.Position(epoch=1, revision=1)


@pytest.mark.parametrize("step", ["put_release", "set_head", "announce"])
async def test_a_part_that_is_away_holds_up_nobody(
    any_database: storage.Database, coordination: DatabaseCoordination, step: str
) -> None:
    life = Life(any_database)
    away = errors.UnavailableError("away")
    cache = MemoryReleaseCache(CacheSettings())
    server = Server(life, Breaking(cache, step, away), Breaking(coordination, step, away))
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await server.run_once()
    assert b'"position":[1,1]' in await server.subscriber.take(0)
    assert await outbox(life) == 1, "what was not done is done later"


async def test_sweeping_twice_changes_nothing(
    any_database: storage.Database, coordination: DatabaseCoordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(any_database)
    cache = MemoryReleaseCache(CacheSettings())
    for number, text in enumerate(("one", "two", "three")):
        await life.edit(ADA, "a", text)
        await life.publish(ADA, number)
    server = Server(life, cache, coordination)
    monkeypatch.setattr(relays, "GRACE_MS", -3_600_000)
    assert await server.relay.sweep() == 3
    assert await server.relay.sweep() == 0
    assert await coordination.read(str(BUNDLE)) == resource.Position(epoch=1, revision=3)


async def test_notices_of_one_bundle_replace_each_other_while_they_wait() -> None:
    hub = Hub()
    subscriber = Subscriber([BUNDLE])
    hub.add(subscriber)
    for revision in range(1, 500):
        hub.notice(BUNDLE, resource.Position(epoch=1, revision=revision))
    chunk = await subscriber.take(0)
    assert chunk.count(b"event: notice") == 1
    assert b"[1,499]" in chunk
    hub.remove(subscriber)
    assert hub.watched() == []
    assert hub.notice(BUNDLE, resource.Position(epoch=1, revision=500)) == 0


async def test_a_server_that_missed_an_announcement_finds_it_out(any_database: storage.Database) -> None:
    life = Life(any_database)
    cache = MemoryReleaseCache(CacheSettings())
    heads = Heads(life.parts, cache, ADA)
    await life.edit(ADA, "a", "one")
    await heads.get(BUNDLE)
    await life.publish(ADA, 0)
    assert await heads.reconcile([BUNDLE]) == [(BUNDLE, resource.Position(epoch=1, revision=1))]
    assert (await heads.get(BUNDLE)).position.revision == 1
    assert await heads.reconcile([BUNDLE]) == []


async def test_an_old_notice_that_comes_late_does_not_hide_a_newer_one_that_waits() -> None:
    hub = Hub()
    subscriber = Subscriber([BUNDLE])
    hub.add(subscriber)
    for revision in (5, 6, 5):
        hub.notice(BUNDLE, resource.Position(epoch=1, revision=revision))
    assert b"[1,6]" in await subscriber.take(0)


async def test_a_stream_that_opens_while_all_are_sent_away_is_sent_away_too() -> None:
    hub = Hub()
    hub.close()
    late = Subscriber([BUNDLE])
    hub.add(late)
    assert b"event: goodbye" in await late.take(0)
    assert late.closed


async def test_only_the_applications_own_streams_hear_of_what_it_links_to() -> None:
    hub = Hub()
    other = msgspec.structs.replace(BUNDLE.scope, application="stock")
    own, reader = Subscriber([BUNDLE], place=BUNDLE.scope), Subscriber([BUNDLE], place=other)
    hub.add(own)
    hub.add(reader)
    link = resource.Bundle(scope=msgspec.structs.replace(BUNDLE.scope, application="common"), capability="test")
    hub.watch_links(BUNDLE, [link])
    assert hub.notice(link, resource.Position(epoch=1, revision=1)) == 1
    assert link in own.bundles
    assert link not in reader.bundles
    hub.remove(own)
    assert hub.watched() == [BUNDLE]


async def test_a_notice_that_cannot_be_relayed_does_not_hold_up_those_behind_it(
    any_database: storage.Database, coordination: DatabaseCoordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(any_database)
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    server = Server(life, MemoryReleaseCache(CacheSettings()), coordination)
    broken = resource.Bundle(scope=msgspec.structs.replace(BUNDLE.scope, application="broken"), capability="test")
    async with any_database.engine.begin() as connection:
        session = storage.Session(connection, any_database.dialect)
        row = await store.lock_bundle(session, broken, 1)
        await store.move_head(session, row.id, resource.Position(epoch=1, revision=7), "")  # a head without a release
        await session.execute(sa.update(store.outbox).values(id=store.outbox.c.id + 1000))
        await session.execute(sa.insert(store.outbox).values(id=1, bundle=row.id, epoch=1, revision=7, created_at=0))
    monkeypatch.setattr(relays, "GRACE_MS", -3_600_000)
    assert await server.relay.sweep() == 1
    assert b'"position":[1,1]' in await server.subscriber.take(0)


async def test_streams_are_told_once_however_often_a_notice_is_swept_up(
    any_database: storage.Database, coordination: DatabaseCoordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(any_database)
    cache = MemoryReleaseCache(CacheSettings())
    server = Server(life, Breaking(cache, "set_head", errors.UnavailableError("away")), coordination)
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    monkeypatch.setattr(relays, "GRACE_MS", -3_600_000)
    await server.relay.sweep()
    assert b'"position":[1,1]' in await server.subscriber.take(0)
    assert await server.relay.sweep() == 0
    assert not server.subscriber._pending
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 1)
    await server.relay.sweep()
    assert b'"position":[1,2]' in await server.subscriber.take(0)
