"""The list of bundles: what it tells of each, to whom, and in which pages; on every database."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import errors, release
from qiantang_server.kernel.watch.overview.bundles import Bundles, Wanted
from server.tests.kernel.watch.overview.conftest import NOBODY, OWNER, READER, Estate

ORDER, STOCK, PROD = "acme/dev/trade/order", "acme/dev/trade/stock", "acme/prod/bank/ledger"
HOSTILE = ["%", "_", "\\", "'", '"', "'; DROP TABLE bundle; --", "🌊", "钱塘", "%_\\'", "x" * 5000]


async def listed(estate: Estate, who: Any = OWNER, tenant: str = "acme", limit: int = 100, **wanted: Any) -> list[Any]:
    found: list[release.BundleRow] = []
    after = ""
    while True:
        page = await Bundles(estate.parts).list_bundles(who, tenant, Wanted(**wanted), after=after, limit=limit)
        found += page.items
        after = page.next
        if not after:
            return found


def places(rows: list[Any]) -> list[str]:
    return [str(row.bundle.scope) for row in rows]


async def test_nothing_is_an_empty_page(estate: Estate) -> None:
    assert await listed(estate) == []


async def test_a_row_tells_how_a_bundle_stands(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    await estate.edit(OWNER, ORDER, "b")
    estate.life.directory.protected = True
    await estate.publish(READER, ORDER)
    estate.life.directory.protected = False
    await estate.arrive(ORDER, "good")
    await estate.arrive(ORDER, "old", 0)
    await estate.arrive(ORDER, "bad", status="failed", error="boom")
    await estate.arrive(ORDER, "silent", None)
    await estate.arrive(STOCK, "linked", of=ORDER)
    estate.instances.leave(await estate.arrive(ORDER, "gone"))
    await estate.instances.flush()
    (row,) = await listed(estate)
    assert (row.position.revision, row.drafts, row.requests, row.gray) == (1, 1, 1, False)
    assert (row.instances, row.current, row.failed) == (4, 1, 1)
    assert (row.published_by, row.message) == ("owner", f"first of {ORDER}")
    assert row.published_at == estate.life.now


async def test_one_that_was_only_drafted_was_published_by_nobody(estate: Estate) -> None:
    await estate.edit(OWNER, ORDER)
    (row,) = await listed(estate)
    assert (row.position.revision, row.drafts, row.published_at, row.published_by) == (0, 1, 0, "")


async def test_a_gray_release_is_told_while_it_runs_and_no_longer(estate: Estate) -> None:
    await estate.released(OWNER, ORDER, STOCK)
    await estate.edit(OWNER, ORDER, "a", "two")
    await estate.publish(OWNER, ORDER, gray=release.GrayRule(percent=50))
    await estate.edit(OWNER, ORDER, "other", "plain")
    await estate.publish(OWNER, ORDER)
    assert places(await listed(estate, state="gray")) == [ORDER]
    head = (await listed(estate))[0]
    command = release.GrayEndCommand(expected_revision=head.position.revision)
    await estate.life.resources.gray.promote(OWNER, head.bundle, command)
    assert await listed(estate, state="gray") == []


async def test_only_what_may_be_read_is_listed(estate: Estate) -> None:
    await estate.released(OWNER, ORDER, STOCK, PROD, "other/dev/trade/order")
    assert places(await listed(estate)) == [ORDER, STOCK, PROD]
    assert places(await listed(estate, READER)) == [ORDER, STOCK]
    assert await listed(estate, NOBODY) == []
    assert await listed(estate, READER, "other") == []


async def test_filters(estate: Estate) -> None:
    await estate.released(OWNER, ORDER, STOCK, PROD)
    await estate.edit(OWNER, STOCK, "b")
    await estate.arrive(ORDER, "bad", status="rejected", error="no")
    await estate.arrive(PROD, "old", 0)
    await estate.arrive(STOCK, "bad elsewhere", of=ORDER, status="failed")
    estate.life.directory.protected = True
    await estate.publish(OWNER, STOCK)
    wanted: dict[str, dict[str, str]] = {
        "environment": {"environment": "prod"},
        "center": {"center": "trade"},
        "application": {"application": "order"},
        "other capability": {"capability": "none"},
        "words": {"words": " LEDG "},
        "drafts": {"state": "drafts"},
        "requests": {"state": "requests"},
        "failing": {"state": "failing"},
        "behind": {"state": "behind"},
    }
    assert {name: places(await listed(estate, **one)) for name, one in wanted.items()} == {
        "environment": [PROD],
        "center": [ORDER, STOCK],
        "application": [ORDER],
        "other capability": [],
        "words": [PROD],
        "drafts": [STOCK],
        "requests": [STOCK],
        "failing": [ORDER],
        "behind": [STOCK, PROD],
    }
    assert places(await listed(estate, READER, state="behind")) == [STOCK]


async def test_the_dead_neither_fail_nor_lag(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    await estate.arrive(ORDER, "bad", status="failed")
    await estate.arrive(ORDER, "old", 0)
    estate.life.now += 100_000
    assert await listed(estate, state="failing") == await listed(estate, state="behind") == []
    assert (await listed(estate))[0].instances == 0


async def test_pages_lose_and_double_nothing(estate: Estate) -> None:
    names = [f"acme/{environment}/trade/a{number}" for environment in ("dev", "prod") for number in range(5)]
    await estate.released(OWNER, *names)
    for limit in (1, 3, 9, 10, 11):
        assert places(await listed(estate, limit=limit)) == sorted(names)


@pytest.mark.parametrize("words", HOSTILE)
async def test_words_stand_for_themselves(estate: Estate, words: str) -> None:
    await estate.released(OWNER, ORDER)
    assert await listed(estate, words=words) == []
    assert await listed(estate, environment=words) == []


@pytest.mark.parametrize("after", ["x", "dev/trade/order", "dev/trade/order:", "%:test", "a/b/c/d:test", "../..:x"])
async def test_an_after_that_no_page_gave_is_refused(estate: Estate, after: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        await Bundles(estate.parts).list_bundles(OWNER, "acme", Wanted(), after=after)
