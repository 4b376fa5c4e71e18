"""What a server knows of a bundle, when the database was set back behind the back of it and of the release cache."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.watch.heads import Heads, Known
from server.tests.kernel.resources.notes import BUNDLE, Life, user

ADA = user("ada")


def at(epoch: int, revision: int) -> resource.Position:
    return resource.Position(epoch=epoch, revision=revision)


@pytest.fixture
async def life(any_database: storage.Database) -> Life:
    """A bundle at revision 1."""
    found = Life(any_database)
    await found.edit(ADA, "a", "one")
    await found.publish(ADA, 0)
    return found


async def cache_with_later(life: Life, heads: Heads) -> MemoryReleaseCache:
    """A release cache that holds a revision which the database has not."""
    cache = MemoryReleaseCache(CacheSettings())
    later = Known((await heads.get(BUNDLE)).key, at(1, 5), states.State())
    await cache.put_release(str(BUNDLE), at(1, 5), heads.encoded(later))
    await cache.set_head(str(BUNDLE), at(1, 5))
    return cache


async def test_the_release_cache_knows_more_than_the_database(life: Life) -> None:
    cache = await cache_with_later(life, Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA))
    heads = Heads(life.parts, cache, ADA)
    assert (await heads.get(BUNDLE, at(1, 5))).position == at(1, 5)
    assert await heads.reconcile([BUNDLE]) == [(BUNDLE, at(2, 2))]
    assert (await heads.get(BUNDLE)).position == at(2, 2)
    assert await heads.reconcile([BUNDLE]) == [], "it rises once"


async def test_two_servers_that_find_out_raise_the_epoch_once(life: Life) -> None:
    cache = await cache_with_later(life, Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA))
    first, second = Heads(life.parts, cache, ADA), Heads(life.parts, cache, ADA)
    for heads in (first, second):
        await heads.get(BUNDLE, at(1, 5))
    await first.reconcile([BUNDLE])
    await second.prove(BUNDLE)
    assert (await first.get(BUNDLE)).position == (await second.get(BUNDLE)).position == at(2, 2)


async def test_another_servers_publish_is_no_proof(life: Life) -> None:
    cache = MemoryReleaseCache(CacheSettings())
    heads = Heads(life.parts, cache, ADA)
    await heads.get(BUNDLE)
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 1)
    await heads.prove(BUNDLE)
    assert (await heads.get(BUNDLE)).position == at(1, 2)


async def test_the_bundle_is_gone_from_the_database(any_database: storage.Database) -> None:
    life = Life(any_database)
    heads = Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA)
    heads._keep(BUNDLE, Known(77, at(1, 3), states.State()))
    assert await heads.reconcile([BUNDLE]) == [(BUNDLE, at(2, 1))]


async def test_a_receiver_that_lies_moves_the_epoch_by_little_and_seldom(life: Life) -> None:
    heads = Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA)
    with pytest.raises(errors.InvalidRequestError, match="ever gave"):
        await heads.get(BUNDLE, at(5000, 1))
    with pytest.raises(errors.InvalidRequestError, match="ever gave"):
        await heads.get(BUNDLE, at(1, 1 << 60))
    assert (await heads.get(BUNDLE, at(1, 9))).position == at(2, 2)
    with pytest.raises(errors.UnavailableError, match="a moment ago"):
        await heads.get(BUNDLE, at(3, 9))
    life.now += 61_000
    assert (await heads.get(BUNDLE, at(3, 9))).position == at(4, 3)


async def test_what_is_found_late_does_not_replace_what_is_newer(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA)
    slow = heads._from_database

    async def overtaken(bundle: resource.Bundle) -> Known:
        found = await slow(bundle)
        heads._keep(BUNDLE, Known(found.key, at(1, 2), found.state))
        return found

    monkeypatch.setattr(heads, "_from_database", overtaken)
    assert (await heads.get(BUNDLE)).position == at(1, 2)


async def test_a_watched_bundle_that_was_dropped_from_memory_is_looked_up_again(life: Life) -> None:
    heads = Heads(life.parts, MemoryReleaseCache(CacheSettings()), ADA)
    await heads.get(BUNDLE)
    assert heads.hint(BUNDLE, at(1, 2)), "announced, and nobody fetched it since"
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 1)
    assert await heads.reconcile([BUNDLE]) == [(BUNDLE, at(1, 2))]


async def test_what_a_server_of_another_version_put_into_the_cache_is_passed_over(life: Life) -> None:
    cache = MemoryReleaseCache(CacheSettings())
    await cache.put_release(str(BUNDLE), at(1, 1), b'{"key": "of another shape"}')
    await cache.set_head(str(BUNDLE), at(1, 1))
    heads = Heads(life.parts, cache, ADA)
    assert len((await heads.get(BUNDLE, at(1, 1))).state.items) == 1
