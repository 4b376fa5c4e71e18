"""The life of a resource, from draft to roll back, on every database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, release
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.drafts import StaleDraftError
from qiantang_server.kernel.resources.service.gray import NoGrayError
from qiantang_server.kernel.resources.service.plan import InvalidDraftsError
from qiantang_server.kernel.resources.service.publishing import Order
from qiantang_server.kernel.resources.service.requests import SelfApprovalError
from server.tests.kernel.resources.notes import BUNDLE, Life, user

ADA, BOB, CLEO = user("ada"), user("bob"), user("cleo")


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


async def test_a_draft_is_checked_against_what_it_would_replace_and_so_is_a_removal(life: Life) -> None:
    await life.edit(ADA, "a", "kept", pinned=True, password={"$secret": {"value": "pw"}})
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "other", pinned=True)
    checked = await life.resources.publishing.check(BUNDLE)
    assert [(one.name, one.path, one.message) for one in checked.problems] == [
        ("a", "text", "a pinned note says what it said")
    ]
    with pytest.raises(InvalidDraftsError):
        await life.publish(ADA, 1)
    await life.edit(ADA, "a", " ", pinned=True)
    checked = await life.resources.publishing.check(BUNDLE)
    assert [one.message for one in checked.problems] == ["a note says something"], "what is wrong in itself comes first"
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "a", expected="*")
    checked = await life.resources.publishing.check(BUNDLE)
    assert [one.message for one in checked.problems] == ["a pinned note is not removed"]
    with pytest.raises(InvalidDraftsError):
        await life.publish(ADA, 1)
    await life.edit(ADA, "a", "kept", password={"$secret": {"value": "pw"}})
    await life.publish(ADA, 1)
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "a", expected="*")
    await life.publish(ADA, 2)
    assert await life.texts() == {}


async def test_what_is_written_along_with_a_publish_is_written_with_it_or_not_at_all(life: Life) -> None:
    told: list[release.PublishOutcome] = []

    async def tell(session: storage.Session, outcome: release.PublishOutcome) -> None:
        assert await session.scalar(sa.select(sa.func.count()).select_from(store.outbox)) == len(life.heard) + 1
        told.append(outcome)

    async def refuse(_session: storage.Session, _outcome: release.PublishOutcome) -> None:
        raise errors.ConflictError("changed its mind")

    await life.edit(ADA, "a", "one")
    command = release.PublishCommand(expected_revision=0)
    with pytest.raises(errors.ConflictError, match="changed its mind"):
        await life.resources.publishing.publish(ADA, BUNDLE, command, along=refuse)
    assert (await life.revision(), life.heard) == (0, [])
    outcome = await life.resources.publishing.publish(ADA, BUNDLE, command, along=tell)
    assert told == [outcome]
    life.directory.protected = True
    await life.edit(ADA, "a", "two")
    with pytest.raises(errors.ConflictError, match="changed its mind"):
        await life.resources.publishing.publish(ADA, BUNDLE, release.PublishCommand(expected_revision=1), along=refuse)
    assert await life.resources.requests.list_requests(BUNDLE) == []


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
    assert changed.release is not None
    assert changed.release.action == "gray_change"
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
    async with life.parts.database.reading() as session:
        head = await ground.head(session, BUNDLE)
    gray = head.state.gray
    assert gray is not None
    taken = [await life.resources.gray.hold_seat(head.key, gray, f"i{number}") for number in (1, 2, 3, 1)]
    assert taken == [True, True, False, True]


async def test_no_more_seats_are_taken_than_there_are_however_many_come_at_once(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0, gray=release.GrayRule(count=2))
    async with life.parts.database.reading() as session:
        head = await ground.head(session, BUNDLE)
    assert head.state.gray is not None
    gray = head.state.gray
    taken = await asyncio.gather(*(life.resources.gray.hold_seat(head.key, gray, f"i{number}") for number in range(8)))
    assert sum(taken) == 2


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


async def test_links_published_beside_a_gray_release_are_kept_by_it_and_by_its_promotion(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "new")
    await life.publish(ADA, 1, gray=release.GrayRule(percent=10))
    await life.edit(ADA, "b", "main goes on", cites="trade/common")
    await life.publish(ADA, 2)
    for promoted in (False, True):
        if promoted:
            await life.resources.gray.promote(ADA, BUNDLE, release.GrayEndCommand(expected_revision=3))
        async with life.parts.database.reading() as session:
            state = (await ground.head(session, BUNDLE)).state
        assert state.links == [("trade", "common")]
        assert state.gray_links == ([] if promoted else [("trade", "common")])


async def test_what_a_resource_refers_to_is_there_before_it_is_published_and_stays(life: Life) -> None:
    await life.edit(ADA, "b", "two", after="a")
    with pytest.raises(InvalidDraftsError, match="problem") as raised:
        await life.publish(ADA, 0)
    (problem,) = raised.value.facts["problems"]
    assert (problem["name"], problem["message"]) == ("b", "there is no note 'a', which it names")
    assert await life.revision() == 0
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "a", expected="*")
    for more in ({}, {"gray": release.GrayRule(percent=10)}):
        with pytest.raises(InvalidDraftsError):
            await life.publish(ADA, 1, **more)
    await life.edit(ADA, "c", "another may have it", cites="trade/common")
    await life.publish(ADA, 1)
    assert await life.texts() == {"b": "two", "c": "another may have it"}


async def test_a_roll_back_gives_the_changes_of_a_gray_release_back_as_drafts(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await life.edit(ADA, "a", "two")
    await life.edit(ADA, "b", "new")
    await life.publish(ADA, 1, gray=release.GrayRule(count=1))
    async with life.parts.database.reading() as session:
        head = await ground.head(session, BUNDLE)
    assert head.state.gray is not None
    await life.resources.gray.hold_seat(head.key, head.state.gray, "i1")
    await life.resources.publishing.roll_back(BOB, BUNDLE, release.RollbackCommand(to_revision=1, expected_revision=2))
    pending = await life.resources.drafts.pending(BUNDLE)
    assert [(one.name, one.action, one.author) for one in pending.pending] == [
        ("a", "change", "ada"),
        ("b", "add", "ada"),
    ]
    async with life.parts.database.reading() as session:
        assert await session.first(sa.select(store.gray_seats)) is None


async def test_words_are_found_in_any_case_and_signs_stand_for_themselves(life: Life) -> None:
    for name, text in (("a", "Hello World"), ("b", "50% off"), ("c", "5000 off"), ("d", "a_b\\c"), ("e", "axb/c")):
        await life.edit(ADA, name, text)
    await life.publish(ADA, 0)
    for words, names in (("hello w", "a"), ("WORLD", "a"), ("50%", "b"), ("A_B", "d"), ("b\\c", "d"), ("OFF", "bc")):
        page = await life.resources.history.search(words, _all())
        assert "".join(one["name"] for one in page.items) == names, words


async def test_there_is_nothing_before_the_first_revision_to_roll_back_to(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    for revision in (0, -1, 2):
        command = release.RollbackCommand(to_revision=revision, expected_revision=1)
        with pytest.raises(errors.NotFoundError):
            await life.resources.publishing.roll_back(ADA, BUNDLE, command)


async def test_what_a_save_answers_is_what_it_saved_and_no_later_edit(life: Life) -> None:
    first, second = await asyncio.gather(life.edit(ADA, "a", "one"), life.edit(BOB, "a", "two"))
    assert (first.draft["text"], second.draft["text"]) == ("one", "two")
    assert first.version != second.version


async def test_a_publish_at_no_time_is_none_later(life: Life) -> None:
    await life.edit(ADA, "a", "one")
    with pytest.raises(errors.InvalidRequestError, match="future"):
        await life.publish(ADA, 0, at=0)


async def _gray_in_protected(life: Life) -> release.GrayStatus:
    """Bob's edit, asked for by Ada and approved by Cleo, to some."""
    await life.edit(BOB, "a", "one")
    life.directory.protected = True
    outcome = await life.publish(ADA, 0, gray=release.GrayRule(percent=1))
    assert outcome.request is not None
    assert outcome.request.action == "gray"
    await life.resources.requests.decide(CLEO, BUNDLE, outcome.request.id, "approve")
    status = await life.resources.gray.status(BUNDLE)
    assert status is not None
    assert status.author == "ada", "not who approved it"
    return status


async def test_in_a_protected_environment_gray_goes_on_to_others_with_a_second_person_only(life: Life) -> None:
    await _gray_in_protected(life)
    widened = await life.resources.gray.change(
        ADA, BUNDLE, release.GrayChangeCommand(rule=release.GrayRule(percent=100), expected_revision=1)
    )
    assert widened.request is not None
    assert (widened.request.action, widened.request.state) == ("gray_change", "waiting")
    promoted = await life.resources.gray.promote(ADA, BUNDLE, release.GrayEndCommand(expected_revision=1, message="go"))
    assert promoted.request is not None
    assert (promoted.request.action, promoted.request.resources) == ("promote", [("note", "a", "add")])
    assert await life.revision() == 1
    requests = life.resources.requests
    for who in (ADA, BOB):  # who asked, and who wrote it
        with pytest.raises(SelfApprovalError):
            await requests.decide(who, BUNDLE, promoted.request.id, "approve")
    await requests.decide(CLEO, BUNDLE, widened.request.id, "approve")
    done = await requests.decide(CLEO, BUNDLE, promoted.request.id, "approve")
    assert (done.state, done.revision) == ("published", 3)
    assert await life.texts() == {"a": "one"}
    newest = (await life.resources.history.list_releases(BUNDLE)).items[0]
    assert (newest.action, newest.author, newest.approved_by, newest.message) == ("promote", "ada", "cleo", "go")


async def test_a_promotion_is_of_what_was_looked_at(life: Life) -> None:
    await _gray_in_protected(life)
    promoted = await life.resources.gray.promote(ADA, BUNDLE, release.GrayEndCommand(expected_revision=1))
    assert promoted.request is not None
    life.directory.protected = False
    await life.edit(ADA, "a", "something else")
    await life.publish(ADA, 1, gray=release.GrayRule(percent=1))
    with pytest.raises(errors.StaleRevisionError, match="was changed after"):
        await life.resources.requests.decide(CLEO, BUNDLE, promoted.request.id, "approve")


async def test_an_abort_needs_nobody_and_leaves_the_changes_with_who_wrote_them(life: Life) -> None:
    await _gray_in_protected(life)
    await life.resources.gray.abort(ADA, BUNDLE, release.GrayEndCommand(expected_revision=1))
    (pending,) = (await life.resources.drafts.pending(BUNDLE)).pending
    assert (pending.name, pending.author) == ("a", "bob")
    again = await life.publish(ADA, 2)
    assert again.request is not None
    with pytest.raises(SelfApprovalError):
        await life.resources.requests.decide(BOB, BUNDLE, again.request.id, "approve")


async def test_a_scheduled_publish_asks_again_where_protection_came_since(life: Life) -> None:
    await life.edit(ADA, "a", "later")
    outcome = await life.publish(ADA, 0, at=life.now + 1000)
    assert outcome.request is not None
    life.directory.protected = True
    life.now += 2000
    await life.resources.requests.publish_due(BOB)
    assert await life.revision() == 0
    done = await life.resources.requests.decide(BOB, BUNDLE, outcome.request.id, "approve")
    assert (done.state, done.revision) == ("published", 1)


async def test_a_scheduled_publish_fails_where_its_author_may_publish_no_more(life: Life) -> None:
    await life.edit(BOB, "a", "later")
    await life.publish(ADA, 0, at=life.now + 1000)
    life.directory.barred.add(ADA.id)
    life.now += 2000
    await life.resources.requests.publish_due(BOB)
    assert await life.revision() == 0
    (failed,) = await life.resources.requests.list_requests(BUNDLE, ["failed"])
    assert failed.error == "ada, who asked for it, may not publish here any more"


async def test_what_was_decided_while_it_fell_due_stays_decided(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    await life.edit(ADA, "a", "later")
    outcome = await life.publish(ADA, 0, at=life.now + 1000)
    assert outcome.request is not None
    life.now += 2000
    found = store.due_requests

    async def then_cancelled(session: storage.Session, at: int, limit: int) -> list[store.Row]:
        rows = await found(session, at, limit)
        await life.resources.requests.decide(ADA, BUNDLE, rows[0].id, "cancel")
        return rows

    monkeypatch.setattr(store, "due_requests", then_cancelled)
    await life.resources.requests.publish_due(BOB)
    (request,) = await life.resources.requests.list_requests(BUNDLE, ["cancelled", "failed", "published"])
    assert request.state == "cancelled"


async def test_one_scheduled_publish_that_breaks_holds_up_no_other(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        await life.edit(ADA, name, "later")
        await life.publish(ADA, 0, at=life.now + 1000, only=[("note", name)])
    life.now += 2000
    requests = life.resources.requests
    carry_out = life.resources.publishing.carry_out

    async def broken(session: storage.Session, *arguments: Any, order: Order) -> Any:
        if order.plan.lines[0].name == "a":
            raise errors.InternalError("a content is missing")
        return await carry_out(session, *arguments, order=order)

    monkeypatch.setattr(life.resources.publishing, "carry_out", broken)
    await requests.publish_due(BOB)
    assert await life.texts() == {"b": "later"}
    (failed,) = await requests.list_requests(BUNDLE, ["failed"])
    assert failed.error == "a content is missing"


async def test_a_scheduled_publish_of_an_application_that_was_deleted_fails(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    await life.edit(ADA, "a", "later")
    await life.publish(ADA, 0, at=life.now + 1000)
    life.now += 2000

    async def gone(*_: Any) -> None:
        raise errors.GoneError("it was deleted")

    monkeypatch.setattr(life.directory, "require_application", gone)
    await life.resources.requests.publish_due(BOB)
    assert await life.revision() == 0
    (failed,) = await life.resources.requests.list_requests(BUNDLE, ["failed"])
    assert failed.error == "it was deleted"


def _all():  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    return sa.true()
