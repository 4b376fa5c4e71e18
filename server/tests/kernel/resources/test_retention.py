"""Retention: what is old and far back goes; what anything refers to stays, on every database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, release
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service.retention import DAY_MS, Pruned
from server.tests.kernel.resources.notes import BUNDLE, Life, user

ADA, BOB = user("ada"), user("bob")


async def _published(life: Life, count: int) -> None:
    for number in range(1, count + 1):
        await life.edit(ADA, "a", f"text {number}")
        await life.publish(ADA, number - 1)


async def _contents(life: Life) -> int:
    async with life.parts.database.reading() as session:
        return int(await session.scalar(sa.select(sa.func.count()).select_from(store.contents)))


async def _revisions(life: Life) -> list[int]:
    page = await life.resources.history.list_releases(BUNDLE, limit=1000)
    return [one.revision for one in page.items]


async def test_revisions_that_are_old_and_far_back_go_with_their_contents(life: Life) -> None:
    await _published(life, 6)
    life.now += 2 * DAY_MS
    pruned = await life.resources.retention.prune(kept=2, kept_days=1)
    assert pruned == Pruned(revisions=4, requests=0, contents=4)
    assert await _revisions(life) == [6, 5]
    assert await _contents(life) == 2
    assert await life.texts() == {"a": "text 6"}
    with pytest.raises(errors.NotFoundError, match="older than what is kept"):
        await life.resources.history.read(BUNDLE, 4)
    command = release.RollbackCommand(to_revision=5, expected_revision=6)
    await life.resources.publishing.roll_back(ADA, BUNDLE, command)
    assert await life.texts() == {"a": "text 5"}
    assert await life.resources.retention.prune(kept=2, kept_days=1) == Pruned(revisions=1, requests=0, contents=0)


async def test_what_is_young_stays_however_far_back_and_what_is_near_however_old(life: Life) -> None:
    await _published(life, 6)
    life.now += 2 * DAY_MS
    assert await life.resources.retention.prune(kept=1, kept_days=3) == Pruned()
    assert await life.resources.retention.prune(kept=6, kept_days=1) == Pruned()
    assert len(await _revisions(life)) == 6


async def test_more_than_one_round_of_revisions(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qiantang_server.kernel.resources.service.retention.REVISIONS_AT_ONCE", 2)
    monkeypatch.setattr("qiantang_server.kernel.resources.service.retention.BUNDLES_AT_ONCE", 1)
    await _published(life, 6)
    life.now += 2 * DAY_MS
    assert (await life.resources.retention.prune(kept=1, kept_days=1)).revisions == 5
    assert await _revisions(life) == [6]


async def test_content_that_a_draft_stands_on_or_a_gray_release_holds_stays(life: Life) -> None:
    await life.edit(ADA, "kept", "as it always was")
    await life.publish(ADA, 0)
    await life.edit(ADA, "b", "for some")
    await life.publish(ADA, 1, gray=release.GrayRule(percent=10))
    await life.edit(ADA, "kept", "as it may become")
    for number in range(2, 6):
        await life.edit(ADA, "a", f"text {number}")
        await life.publish(ADA, number, only=[("note", "a")])
    life.now += 2 * DAY_MS
    pruned = await life.resources.retention.prune(kept=1, kept_days=1)
    assert pruned == Pruned(revisions=5, requests=0, contents=3)
    detail = await life.resources.history.read(BUNDLE, 6)
    assert {one.body["text"] for one in detail.resources} == {"as it always was", "text 5"}
    assert [one.body["text"] for one in detail.gray_resources] == ["for some"]
    changes = await life.resources.drafts.pending(BUNDLE)
    assert [one.name for one in changes.pending] == ["kept"]


async def test_requests_long_decided_go_and_those_that_wait_stay(life: Life) -> None:
    life.directory.protected = True
    await life.edit(ADA, "a", "one")
    decided = (await life.publish(ADA, 0)).request
    assert decided is not None
    await life.resources.requests.decide(BOB, BUNDLE, decided.id, "reject")
    await life.edit(ADA, "a", "two")
    waiting = (await life.publish(ADA, 0)).request
    assert waiting is not None
    life.now += 2 * DAY_MS
    assert await life.resources.retention.prune(kept=1, kept_days=1) == Pruned(requests=1)
    everyone = await life.resources.requests.list_requests(BUNDLE, ("waiting", "scheduled", "rejected"))
    assert [one.id for one in everyone] == [waiting.id]
    await life.resources.requests.decide(BOB, BUNDLE, waiting.id, "approve")
    assert await life.texts() == {"a": "two"}
