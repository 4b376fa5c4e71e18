"""Asking to call a service and being let, on every database: decided once, and accepted only together with what is published."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.catalog.model.answers import AccessRequest
from qiantang.kernel import errors, release, resource
from qiantang_server.catalog.service import requests
from qiantang_server.kernel import storage
from qiantang_server.kernel.audit import store as audit_store
from server.tests.catalog.market import SHOP, TILL, Market, body, bundle, user

BOB, CLEO = user("bob"), user("cleo")
OTHER = bundle("acme/prod/trade/other")


@pytest.fixture
async def open_market(market: Market) -> Market:
    """A service that is for subscribers, none of which is there yet."""
    await market.put(SHOP, state="online", access="subscribers")
    return market


async def asked(market: Market, at: resource.Bundle = TILL, **wanted: Any) -> list[tuple[str, str]]:
    page = await market.requests.list_asked(at, **{"decided": True, "after": "", "limit": 100, **wanted})
    return [(one.id, one.state) for one in page.items]


async def test_a_request_is_accepted_with_what_is_published(open_market: Market) -> None:
    market = open_market
    request = await market.ask()
    assert (request.state, request.consumer, request.provider) == ("waiting", "trade/till", "trade/shop")
    (seen,) = (await market.requests.list_received(SHOP, decided=False, after="", limit=10)).items
    assert seen == request
    accepted = await market.requests.accept(BOB, SHOP, request.id, "of course")
    assert (accepted.state, accepted.decided_by, accepted.answer) == ("accepted", "bob", "of course")
    assert (accepted.publishing, accepted.publishing_state) == ("", "")
    assert await market.published() == {**body(state="online", access="subscribers"), "subscribers": ["trade/till"]}
    newest = (await market.resources.history.list_releases(SHOP)).items[0]
    assert (newest.author, newest.message) == ("bob", "trade/till may call shop.Orders: of course")
    assert (await market.requests.list_received(SHOP, decided=False, after="", limit=10)).items == []
    assert await asked(market) == [(request.id, "accepted")]
    with pytest.raises(errors.ConflictError, match="decided already"):
        await market.requests.refuse(CLEO, SHOP, request.id, "no")
    with pytest.raises(errors.ConflictError, match="may call"):
        await market.ask()


async def test_what_was_asked_is_refused_or_withdrawn_with_a_reason(open_market: Market) -> None:
    market = open_market
    first = await market.ask()
    refused = await market.requests.refuse(BOB, SHOP, first.id, "not yet")
    assert (refused.state, refused.answer, refused.decided_by) == ("refused", "not yet", "bob")
    second = await market.ask()
    withdrawn = await market.requests.withdraw(user("ann"), TILL, second.id, "not needed")
    assert (withdrawn.state, withdrawn.answer) == ("withdrawn", "not needed")
    assert await asked(market) == [(second.id, "withdrawn"), (first.id, "refused")]
    assert (await market.published())["subscribers"] == []
    for one in (first, second):
        with pytest.raises(errors.ConflictError, match="decided already"):
            await market.requests.accept(BOB, SHOP, one.id, "after all")


async def test_only_what_is_online_and_not_open_already_is_asked_for_and_once(market: Market) -> None:
    with pytest.raises(errors.NotFoundError, match="online at trade/shop"):
        await market.ask()
    await market.put(SHOP, access="subscribers")
    with pytest.raises(errors.NotFoundError):
        await market.ask()
    await market.put(SHOP, state="online")
    with pytest.raises(errors.ConflictError, match="may call"):
        await market.ask()
    await market.put(SHOP, state="online", access="subscribers", subscribers=["bank"])
    await market.ask()
    with pytest.raises(errors.ConflictError, match="waits for an answer"):
        await market.ask()
    await market.ask(OTHER)
    with pytest.raises(errors.ConflictError, match="may call"):
        await market.ask(bundle("acme/prod/bank/ledger"))
    with pytest.raises(errors.ConflictError, match="may call"):
        await market.ask(SHOP)
    with pytest.raises(errors.NotFoundError):
        await market.ask(bundle("acme/dev/trade/till"))
    with pytest.raises(errors.NotFoundError):
        await market.ask(bundle("globex/prod/trade/till"))


async def test_of_those_who_ask_at_once_one_waits(open_market: Market) -> None:
    found = await asyncio.gather(*(open_market.ask() for _ in range(5)), return_exceptions=True)
    made = [one for one in found if isinstance(one, AccessRequest)]
    assert len(made) == 1, found
    assert all(isinstance(one, errors.ConflictError) for one in found if one not in made)


async def test_one_application_cannot_fill_the_list(open_market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_WAITING", 1)
    await open_market.put(SHOP, "shop.Stock", state="online", access="subscribers")
    await open_market.ask()
    with pytest.raises(errors.ExhaustedError, match="withdraw some"):
        await open_market.ask(service="shop.Stock")


async def test_who_accepts_and_who_refuses_at_once_agree_in_the_end(open_market: Market) -> None:
    market = open_market
    request = await market.ask()
    await asyncio.gather(
        market.requests.accept(BOB, SHOP, request.id, "yes"),
        market.requests.refuse(CLEO, SHOP, request.id, "no"),
        market.requests.accept(user("dan"), SHOP, request.id, "yes"),
        return_exceptions=True,
    )
    ((_, state),) = await asked(market)
    subscribers = (await market.published())["subscribers"]
    assert (state, subscribers) in [("accepted", ["trade/till"]), ("refused", [])]
    assert (await market.resources.drafts.pending(SHOP)).pending == []


async def test_a_draft_of_another_is_not_published_along(open_market: Market) -> None:
    market = open_market
    request = await market.ask()
    await market.draft(CLEO, SHOP, "service", "shop.Orders", body(state="offline", access="subscribers"))
    with pytest.raises(errors.ConflictError, match="a draft of shop.Orders by cleo waits"):  # noqa: RUF043
        await market.requests.accept(BOB, SHOP, request.id, "yes")
    assert await asked(market) == [(request.id, "waiting")]
    await market.publish(CLEO, SHOP)
    await market.requests.accept(BOB, SHOP, request.id, "yes")
    assert (await market.published())["subscribers"] == ["trade/till"]
    assert (await market.published())["state"] == "offline"


async def test_an_edit_between_the_look_and_the_publish_is_not_published_unseen(
    open_market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = open_market
    request = await market.ask()
    publishing, publish = market.resources.publishing, market.resources.publishing.publish

    async def interfered(*arguments: Any, **more: Any) -> release.PublishOutcome:
        await market.draft(CLEO, SHOP, "service", "shop.Orders", body(state="offline", access="subscribers"))
        return await publish(*arguments, **more)

    monkeypatch.setattr(publishing, "publish", interfered)
    for protected in (False, True):
        market.directory.protected = protected
        await market.resources.drafts.discard(CLEO, SHOP, "service", "shop.Orders", expected="*")
        with pytest.raises(errors.ConflictError, match="just then"):
            await market.requests.accept(BOB, SHOP, request.id, "yes")
        assert (await market.published())["state"] == "online"
        assert await asked(market) == [(request.id, "waiting")]
        assert await market.resources.requests.list_requests(SHOP) == []


async def test_where_a_second_person_is_needed_the_outcome_is_shown(open_market: Market) -> None:
    market = open_market
    market.directory.protected = True
    request = await market.ask()
    accepted = await market.requests.accept(BOB, SHOP, request.id, "yes")
    assert (accepted.state, accepted.publishing_state) == ("accepted", "waiting")
    assert (await market.published())["subscribers"] == []
    await market.resources.requests.decide(CLEO, SHOP, accepted.publishing, "approve")
    (seen,) = (await market.requests.list_asked(TILL, decided=True, after="", limit=10)).items
    assert (seen.publishing, seen.publishing_state) == (accepted.publishing, "published")
    assert (await market.published())["subscribers"] == ["trade/till"]


async def test_a_crash_between_draft_and_publish_is_made_good_by_accepting_again(open_market: Market) -> None:
    market = open_market
    request = await market.ask()
    meant = body(state="online", access="subscribers", subscribers=["trade/till"])
    await market.draft(BOB, SHOP, "service", "shop.Orders", meant)
    await market.requests.accept(BOB, SHOP, request.id, "yes")
    assert await market.published() == meant
    other = await market.ask(OTHER)
    await market.put(SHOP, state="online", access="subscribers", subscribers=["trade/till", "trade/other"])
    revision = (await market.resources.history.status(SHOP)).position.revision
    accepted = await market.requests.accept(BOB, SHOP, other.id, "he is one")
    assert accepted.state == "accepted"
    assert (await market.resources.history.status(SHOP)).position.revision == revision, "nothing was to be published"


async def test_where_somebody_publishes_meanwhile_or_the_service_is_gone_nothing_is_left_behind(
    open_market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = open_market
    request = await market.ask()
    publish = market.resources.publishing.publish

    async def late(*arguments: Any, **more: Any) -> release.PublishOutcome:
        patched.undo()
        await market.draft(CLEO, SHOP, "service", "shop.Stock", body("shop.Stock"))
        command = release.PublishCommand(expected_revision=1, only=[("service", "shop.Stock")])
        await publish(CLEO, SHOP, command)
        return await publish(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(market.resources.publishing, "publish", late)
        with pytest.raises(errors.StaleRevisionError):
            await market.requests.accept(BOB, SHOP, request.id, "yes")
    assert (await market.resources.drafts.pending(SHOP)).pending == []
    assert await asked(market) == [(request.id, "waiting")]
    await market.put(SHOP, state="offline", access="subscribers")
    await market.resources.drafts.remove(CLEO, SHOP, "service", "shop.Orders", expected="*")
    await market.publish(CLEO, SHOP)
    with pytest.raises(errors.ConflictError, match="not published any more"):
        await market.requests.accept(BOB, SHOP, request.id, "yes")
    await market.requests.refuse(BOB, SHOP, request.id, "it is gone")


async def test_requests_are_those_of_their_two_applications_alone(open_market: Market) -> None:
    market = open_market
    request = await market.ask()
    strangers = [OTHER, bundle("globex/prod/trade/shop"), bundle("acme/dev/trade/shop")]
    for one in strangers:
        with pytest.raises(errors.NotFoundError):
            await market.requests.accept(BOB, one, request.id, "yes")
        with pytest.raises(errors.NotFoundError):
            await market.requests.refuse(BOB, one, request.id, "no")
        assert (await market.requests.list_received(one, decided=True, after="", limit=9)).items == []
    for one in (SHOP, bundle("globex/prod/trade/till")):
        with pytest.raises(errors.NotFoundError):
            await market.requests.withdraw(BOB, one, request.id, "no")
        assert await asked(market, one) == []
    with pytest.raises(errors.NotFoundError):
        await market.requests.accept(BOB, TILL, request.id, "yes, I may")
    assert await asked(market) == [(request.id, "waiting")]


async def test_lists_go_on_where_a_page_ended(open_market: Market) -> None:
    market = open_market
    made: list[str] = []
    for number in range(5):
        request = await market.ask()
        made.append(request.id)
        if number < 4:
            await market.requests.refuse(BOB, SHOP, request.id, "no")
    seen: list[str] = []
    after = ""
    while True:
        page = await market.requests.list_asked(TILL, decided=True, after=after, limit=2)
        seen += [one.id for one in page.items]
        after = page.next
        if not after:
            break
    assert seen == made[::-1]
    assert await asked(market, decided=False) == [(made[-1], "waiting")]


async def test_all_of_it_is_in_the_trail(open_market: Market) -> None:
    market = open_market
    first = await market.ask(reason="to sell")
    await market.requests.refuse(BOB, SHOP, first.id, "not yet")
    second = await market.ask()
    await market.requests.accept(BOB, SHOP, second.id, "well then")
    async with market.parts.database.reading() as session:
        rows = await rows_of(session)
    assert rows == [
        ("ann", "catalog.access:create", "till", f"access/{first.id}", "asked for shop.Orders of trade/shop: to sell"),
        (
            "bob",
            "catalog.service:publish",
            "shop",
            f"access/{first.id}",
            "refused trade/till for shop.Orders of trade/shop: not yet",
        ),
        ("ann", "catalog.access:create", "till", f"access/{second.id}", "asked for shop.Orders of trade/shop: to sell"),
        (
            "bob",
            "catalog.service:publish",
            "shop",
            f"access/{second.id}",
            "accepted trade/till for shop.Orders of trade/shop: well then",
        ),
    ]


async def rows_of(session: storage.Session) -> list[tuple[str, ...]]:
    table = audit_store.records.c
    statement = sa.select(table.actor_name, table.action, table.application, table.resource, table.reason)
    rows = await session.all(statement.where(table.resource.like("catalog/access/%")).order_by(table.seq))
    return [(row[0], row[1], row[2], row[3].removeprefix("catalog/"), row[4]) for row in rows]
