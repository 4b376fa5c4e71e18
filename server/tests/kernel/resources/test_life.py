"""The life of a resource, from draft to roll back, on every database."""

from __future__ import annotations

import asyncio

import pytest

from qiantang.kernel import errors, release
from qiantang_server.kernel.resources.service.drafts import StaleDraftError
from qiantang_server.kernel.resources.service.gray import NoGrayError
from qiantang_server.kernel.resources.service.plan import InvalidDraftsError
from qiantang_server.kernel.resources.service.requests import SelfApprovalError
from server.tests.kernel.resources.notes import BUNDLE, Life, user

ADA, BOB = user("ada"), user("bob")


async def test_a_draft_is_seen_by_nobody_until_it_is_published(life: Life) -> None:
    saved = await life.edit(ADA, "a", "hello")
    assert (saved.state, saved.published, saved.draft["text"]) == ("new", None, "hello")
    assert await life.revision() == 0
    outcome = await life.publish(ADA, 0, message="first")
    assert outcome.release is not None
    assert (outcome.release.revision, outcome.release.author, outcome.release.message) == (1, "ada", "first")
    assert await life.texts() == {"a": "hello"}
    assert [str(one.position) for one in life.heard] == ["1:1"]


async def test_an_edit_states_the_version_it_saw(life: Life) -> None:
    first = await life.edit(ADA, "a", "one")
    await life.edit(BOB, "a", "two")
    with pytest.raises(StaleDraftError) as raised:
        await life.resources.drafts.save(ADA, BUNDLE, "note", "a", {"text": "three"}, expected=first.version)
    current = await life.resources.drafts.read(BUNDLE, "note", "a")
    assert raised.value.facts == {"version": current.version}
    assert current.draft["text"] == "two"


async def test_saving_what_is_published_leaves_no_draft(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "two")
    saved = await life.edit(ADA, "a", "one")
    assert (saved.state, saved.draft) == ("published", None)


async def test_two_who_publish_at_once_lose_nothing(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.edit(BOB, "b", "two")
    outcomes = await asyncio.gather(
        life.publish(ADA, 0, only=[("note", "a")]),
        life.publish(BOB, 0, only=[("note", "b")]),
        return_exceptions=True,
    )
    stale = [one for one in outcomes if isinstance(one, errors.StaleRevisionError)]
    assert len(stale) == 1
    assert stale[0].facts["revision"] == 1
    rest = [("note", "a")] if isinstance(outcomes[0], errors.StaleRevisionError) else [("note", "b")]
    await life.publish(ADA, 1, only=rest)
    assert await life.texts() == {"a": "one", "b": "two"}


async def test_a_bad_draft_is_refused_with_every_problem_and_nothing_is_published(life: Life) -> None:
    await life.edit(ADA, "a", " ")
    await life.edit(ADA, "b", "")
    await life.edit(ADA, "c", "fine")
    with pytest.raises(InvalidDraftsError) as raised:
        await life.publish(ADA, 0)
    assert [one["name"] for one in raised.value.facts["problems"]] == ["a", "b"]
    assert await life.revision() == 0
    checked = await life.resources.publishing.check(BUNDLE)
    assert (checked.ok, len(checked.problems)) == (False, 2)


async def test_shape_size_and_number_have_limits(life: Life) -> None:
    with pytest.raises(errors.InvalidRequestError, match="unknown field"):
        await life.edit(ADA, "a", "x", color="red")
    with pytest.raises(errors.TooLargeError, match="4,000"):
        await life.edit(ADA, "a", "x" * 5000)
    with pytest.raises(errors.InvalidRequestError, match="not a name"):
        await life.edit(ADA, "A b", "x")
    for number in range(13):
        await life.edit(ADA, f"n{number}", "x")
    with pytest.raises(errors.TooLargeError, match="13 notes"):
        await life.publish(ADA, 0)


async def test_removal_is_a_draft_like_any_other(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.edit(ADA, "b", "two")
    await life.publish(ADA, 0)
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "a", expected="*")
    pending = await life.resources.drafts.pending(BUNDLE)
    assert [(one.name, one.action) for one in pending.pending] == [("a", "remove")]
    await life.publish(ADA, 1)
    assert await life.texts() == {"b": "two"}
    with pytest.raises(errors.NotFoundError):
        await life.resources.drafts.read(BUNDLE, "note", "a")


async def test_a_secret_is_masked_kept_and_bound_to_its_place(life: Life) -> None:
    saved = await life.edit(ADA, "a", "one", password={"$secret": {"value": "s3cret"}})
    assert "s3cret" not in str(saved)
    mask = saved.draft["password"]["$secret"]["mask"]
    await life.publish(ADA, 0)
    again = await life.edit(ADA, "a", "two", password={"$secret": {"mask": mask}})
    assert again.draft["password"] == {"$secret": {"mask": mask}}
    changes = (await life.resources.drafts.pending(BUNDLE)).pending[0].changes
    assert [one.path for one in changes] == ["text"]
    revealed = await life.resources.drafts.reveal(ADA, BUNDLE, "note", "a", drafted=True)
    assert revealed["password"]["$secret"]["value"] == "s3cret"
    with pytest.raises(errors.InvalidRequestError, match="without a value"):
        await life.edit(ADA, "b", "x", password={"$secret": {"mask": "feedbeef"}})


async def test_roll_back_is_a_new_revision_with_old_content(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 1)
    done = await life.resources.publishing.roll_back(
        BOB, BUNDLE, release.RollbackCommand(to_revision=1, expected_revision=2)
    )
    assert (done.revision, done.action, done.from_revision) == (3, "rollback", 1)
    assert await life.texts() == {"a": "one"}
    found = await life.resources.history.search("on", _all())
    assert [one["text"] for one in found.items] == ["one"]
    with pytest.raises(errors.ConflictError, match="already has"):
        await life.resources.publishing.roll_back(
            BOB, BUNDLE, release.RollbackCommand(to_revision=1, expected_revision=3)
        )


async def test_gray_is_an_overlay_that_is_changed_promoted_or_aborted(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "new")
    await life.publish(ADA, 1, gray=release.GrayRule(percent=10))
    assert await life.texts() == {"a": "one"}
    await life.edit(ADA, "b", "main goes on")
    await life.publish(ADA, 2)
    changed = await life.resources.gray.change(
        ADA, BUNDLE, release.GrayChangeCommand(rule=release.GrayRule(percent=50), expected_revision=3)
    )
    assert changed.action == "gray_change"
    await life.resources.gray.promote(ADA, BUNDLE, release.GrayEndCommand(expected_revision=4))
    assert await life.texts() == {"a": "new", "b": "main goes on"}
    assert await life.resources.gray.status(BUNDLE) is None
    with pytest.raises(NoGrayError):
        await life.resources.gray.abort(ADA, BUNDLE, release.GrayEndCommand(expected_revision=5))


async def test_an_aborted_gray_gives_its_changes_back_as_drafts(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.edit(ADA, "gone", "x")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "two")
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "gone", expected="*")
    await life.publish(ADA, 1, gray=release.GrayRule(instances=["i1"]))
    await life.resources.gray.abort(ADA, BUNDLE, release.GrayEndCommand(expected_revision=2))
    pending = await life.resources.drafts.pending(BUNDLE)
    assert [(one.name, one.action) for one in pending.pending] == [("a", "change"), ("gone", "remove")]
    assert await life.texts() == {"a": "one", "gone": "x"}


async def test_gray_seats_are_held_by_the_living_and_refilled(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0, gray=release.GrayRule(count=2))
    current = await life.resources.gray.status(BUNDLE)
    assert current is not None
    from qiantang_server.kernel.resources.service import ground

    async with life.parts.database.reading() as session:
        head = await ground.head(session, BUNDLE)
    gray = head.state.gray
    assert gray is not None
    taken = [await life.resources.gray.hold_seat(gray, f"i{number}") for number in (1, 2, 3, 1)]
    assert taken == [True, True, False, True]


async def test_a_protected_environment_needs_a_second_person(life: Life) -> None:
    life.directory.protected = True
    await life.edit(ADA, "a", "one")
    outcome = await life.publish(ADA, 0, message="please")
    assert outcome.release is None
    assert outcome.request is not None
    assert outcome.request.state == "waiting"
    requests = life.resources.requests
    with pytest.raises(SelfApprovalError):
        await requests.decide(ADA, BUNDLE, outcome.request.id, "approve")
    done = await requests.decide(BOB, BUNDLE, outcome.request.id, "approve")
    assert (done.state, done.reviewer, done.revision) == ("published", "bob", 1)
    assert await life.texts() == {"a": "one"}
    releases = await life.resources.history.list_releases(BUNDLE)
    assert (releases.items[0].author, releases.items[0].approved_by) == ("ada", "bob")
    with pytest.raises(errors.ConflictError, match="decided already"):
        await requests.decide(BOB, BUNDLE, outcome.request.id, "reject")


async def test_a_draft_that_changed_after_the_request_is_not_published_unseen(life: Life) -> None:
    life.directory.protected = True
    await life.edit(ADA, "a", "one")
    outcome = await life.publish(ADA, 0)
    await life.edit(ADA, "a", "something else")
    assert outcome.request is not None
    with pytest.raises(errors.StaleRevisionError, match="changed after"):
        await life.resources.requests.decide(BOB, BUNDLE, outcome.request.id, "approve")
    assert await life.revision() == 0


async def test_a_scheduled_publish_happens_once_at_its_time(life: Life) -> None:
    await life.edit(ADA, "a", "later")
    outcome = await life.publish(ADA, 0, at=life.now + 60_000)
    assert outcome.request is not None
    assert await life.resources.requests.publish_due(BOB) == 0
    life.now += 61_000
    assert await life.resources.requests.publish_due(BOB) == 1
    assert await life.resources.requests.publish_due(BOB) == 0
    assert await life.texts() == {"a": "later"}
    with pytest.raises(errors.InvalidRequestError, match="future"):
        await life.edit(ADA, "a", "again")
        await life.publish(ADA, 1, at=life.now - 1)


async def test_a_scheduled_publish_that_cannot_be_carried_out_says_why(life: Life) -> None:
    await life.edit(ADA, "a", "later")
    outcome = await life.publish(ADA, 0, at=life.now + 1000)
    await life.edit(ADA, "a", "changed since")
    life.now += 2000
    await life.resources.requests.publish_due(BOB)
    assert outcome.request is not None
    shown = await life.resources.requests.list_requests(BUNDLE, ("failed",))
    assert "changed after" in shown[0].error


async def test_the_list_says_how_large_each_is_and_what_revision_brought_it(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.edit(ADA, "b", "two")
    await life.publish(ADA, 0)
    await life.edit(ADA, "b", "three")
    await life.publish(ADA, 1)
    await life.edit(ADA, "c", "four")
    await life.resources.publishing.roll_back(ADA, BUNDLE, release.RollbackCommand(to_revision=1, expected_revision=2))
    page = await life.resources.drafts.list_resources(BUNDLE, "note", after="", limit=10)
    assert [(one.name, one.changed_revision, one.size > 0) for one in page.items] == [
        ("a", 1, True),
        ("b", 3, True),
        ("c", 0, True),
    ]


async def test_history_compares_any_two_revisions(life: Life) -> None:
    for number, text in enumerate(("one", "two", "three")):
        await life.edit(ADA, "a", text)
        await life.publish(ADA, number)
    found = await life.resources.history.compare(BUNDLE, 1, 3)
    assert [(one.path, one.before, one.after) for one in found[0].changes] == [("text", "one", "three")]
    page = await life.resources.history.list_releases(BUNDLE, limit=2)
    assert [one.revision for one in page.items] == [3, 2]
    rest = await life.resources.history.list_releases(BUNDLE, before=int(page.next), limit=2)
    assert [one.revision for one in rest.items] == [1]


def _all():  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    return sa.true()
