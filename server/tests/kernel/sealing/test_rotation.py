"""Keys that servers share: the first, the next, those of others, those that end, over each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from joserfc.jwk import OKPKey

from qiantang.kernel import errors
from qiantang_server.identity.store.tables import signing_keys
from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import KeyPurpose, Keyring, RotatingKeys, Sealing, store
from server.tests import databases

from .test_sealing import ONE

PURPOSE = KeyPurpose(
    table=signing_keys,
    context="a/signing-key",
    make=lambda: OKPKey.generate_key("Ed25519").as_der(private=True),
    load=lambda raw, _id: OKPKey.import_key(raw),
    lifetime=1000,
    kept=500,
)


class Clock:
    now = 10_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=databases.KINDS)
async def two(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[list[RotatingKeys[OKPKey]], Clock]]:
    url = databases.address(request)
    async with databases.opened(url, tmp_path / "test.db", [store.data_keys, signing_keys]) as database:
        sealing = Sealing(database, Keyring.parse(ONE))
        await sealing.prove()
        clock = Clock()
        yield [RotatingKeys(database, sealing, PURPOSE, clock, 100) for _ in range(2)], clock


async def test_the_first_is_made_once_and_shared(two: tuple[list[RotatingKeys[OKPKey]], Clock]) -> None:
    (one, other), _ = two
    await one.open()
    await other.open()
    assert one.newest == other.newest != ""
    assert one.keys[one.newest].as_dict(private=True) == other.keys[one.newest].as_dict(private=True)


async def test_a_new_one_comes_when_the_newest_is_old_and_old_ones_end(
    two: tuple[list[RotatingKeys[OKPKey]], Clock],
) -> None:
    (one, other), clock = two
    await one.open()
    await other.open()
    first = one.newest
    clock.now += 999
    await one.rotate()
    assert one.newest == first
    clock.now += 1
    await one.rotate()
    assert list(one.keys) == [one.newest, first]
    assert one.settled(300) == first, "others have not heard of the new one"
    assert other.newest == first
    assert await other.look_again()
    assert other.newest == one.newest
    assert not await other.look_again(), "not again at once"
    clock.now += 300
    assert one.settled(300) == one.newest
    clock.now += 1300
    await one.rotate()
    assert first not in one.keys


async def test_a_key_that_was_moved_here_is_none(two: tuple[list[RotatingKeys[OKPKey]], Clock]) -> None:
    (one, other), _ = two
    await one.open()

    async def work(session: storage.Session) -> None:
        await session.execute(sa.update(signing_keys).values(id="another"))

    await one._database.write(work)
    with pytest.raises(errors.QiantangError):
        await other.open()
