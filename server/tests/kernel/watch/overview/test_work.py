"""A person's work: his drafts, what he may decide, what he asked for, and what goes wrong where he may look."""

from __future__ import annotations

from qiantang.kernel import release
from qiantang_server.kernel.watch.overview.work import Desk
from server.tests.kernel.watch.overview.conftest import NOBODY, OWNER, READER, Estate, bundle, person

ORDER, STOCK, PROD = "acme/dev/trade/order", "acme/dev/trade/stock", "acme/prod/bank/ledger"
EDITOR = person("editor", ("test.note:*", "acme/dev"))
APPROVER = person("approver", ("test.note:*", "acme/dev/trade"))


async def work(estate: Estate, who: object, environment: str = "", limit: int = 20) -> release.Work:
    return await Desk(estate.parts).read(who, "acme", environment, limit=limit)  # type: ignore[arg-type]


async def test_nobody_has_nothing(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    await estate.arrive(ORDER, "bad", status="failed")
    assert await work(estate, NOBODY) == release.Work()


async def test_drafts_are_ones_own_newest_first(estate: Estate) -> None:
    await estate.released(OWNER, ORDER)
    estate.life.now += 1
    await estate.edit(EDITOR, ORDER, "a", "changed")
    estate.life.now += 1
    await estate.edit(EDITOR, STOCK, "new")
    await estate.edit(OWNER, STOCK, "anothers")
    await estate.edit(EDITOR, PROD)
    found = await work(estate, EDITOR)
    assert [(str(one.bundle.scope), one.name, one.action, one.mine) for one in found.drafts] == [
        (STOCK, "new", "add", True),
        (ORDER, "a", "change", True),
    ]
    assert found.counts.drafts == 2
    await estate.life.resources.drafts.remove(EDITOR, bundle(ORDER), "note", "a", expected="*")
    assert {one.action for one in (await work(estate, EDITOR, limit=5)).drafts} == {"add", "remove"}
    assert len((await work(estate, EDITOR, limit=1)).drafts) == 1
    assert (await work(estate, EDITOR, "prod")).counts.drafts == 0


async def test_a_request_waits_for_whoever_may_decide_it_and_not_for_who_wrote_it(estate: Estate) -> None:
    estate.life.directory.protected = True
    await estate.edit(EDITOR, ORDER)
    asked = (await estate.publish(APPROVER, ORDER)).request
    assert asked is not None
    for who, waits in ((OWNER, 1), (APPROVER, 0), (EDITOR, 0), (READER, 0), (NOBODY, 0)):
        found = await work(estate, who)
        assert (found.counts.approvals, [one.request.id for one in found.approvals]) == (waits, [asked.id] * waits)
    mine = await work(estate, APPROVER)
    assert [(one.request.id, one.request.state) for one in mine.asked] == [(asked.id, "waiting")]
    assert mine.counts.asked == 1
    assert (await work(estate, EDITOR)).asked == []
    await estate.life.resources.requests.decide(OWNER, bundle(ORDER), asked.id, "reject")
    assert (await work(estate, OWNER)).approvals == (await work(estate, APPROVER)).asked == []


async def test_what_was_ordered_for_later_is_asked_for(estate: Estate) -> None:
    await estate.edit(OWNER, ORDER)
    await estate.publish(OWNER, ORDER, at=estate.life.now + 60_000)
    assert [one.request.state for one in (await work(estate, OWNER)).asked] == ["scheduled"]
    estate.life.directory.barred.add(OWNER.id)
    estate.life.now += 60_001
    await estate.life.resources.requests.publish_due(OWNER)
    (failed,) = (await work(estate, OWNER)).asked
    assert failed.request.state == "failed"
    assert failed.request.error


async def test_failing_instances_and_counts_are_of_what_may_be_read(estate: Estate) -> None:
    await estate.released(OWNER, ORDER, PROD)
    await estate.arrive(ORDER, "good")
    await estate.arrive(ORDER, "old", 0)
    await estate.arrive(ORDER, "bad", status="failed", error="boom 🌊", cluster="east")
    await estate.arrive(ORDER, "silent", None)
    await estate.arrive(PROD, "worse", status="rejected", error="no")
    await estate.arrive(STOCK, "linked", of=ORDER, status="failed", error="not its own")
    estate.instances.leave(await estate.arrive(ORDER, "dead", status="failed"))
    await estate.instances.flush()
    all_of_it = await work(estate, OWNER)
    assert {one.name for one in all_of_it.failing} == {"bad", "worse"}
    counts = all_of_it.counts
    assert (counts.failing, counts.bundles, counts.instances, counts.behind) == (2, 2, 6, 2)
    some = await work(estate, READER)
    (bad,) = some.failing
    assert (bad.name, bad.cluster, bad.status, bad.error, bad.alive) == ("bad", "east", "failed", "boom 🌊", True)
    assert (str(bad.bundle.scope), bad.position.revision) == (ORDER, 1)
    assert (some.counts.failing, some.counts.bundles, some.counts.instances, some.counts.behind) == (1, 1, 5, 2)
    assert (await work(estate, OWNER, "prod")).counts.failing == 1


async def test_releases_are_the_newest_of_all_bundles(estate: Estate) -> None:
    for number in range(3):
        for place in (ORDER, PROD):
            estate.life.now += 1
            await estate.edit(OWNER, place, "a", str(number))
            await estate.publish(OWNER, place, message=str(number))
    found = (await work(estate, OWNER, limit=3)).releases
    assert [(str(one.bundle.scope), one.release.revision) for one in found] == [(PROD, 3), (ORDER, 3), (PROD, 2)]
    assert {str(one.bundle.scope) for one in (await work(estate, READER)).releases} == {ORDER}
