"""Lists of services, on every database: only what one may see, page by page, with who calls them."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.catalog.model.answers import OfferView
from qiantang.kernel import errors
from qiantang_server.catalog.service import Wanted
from server.tests.catalog.market import SHOP, TILL, Market, bundle, user

CHIEF = user("chief")
BANK = bundle("acme/prod/bank/ledger")
DEV = bundle("acme/dev/trade/shop")
FOREIGN = bundle("globex/prod/trade/shop")


@pytest.fixture
async def full(market: Market) -> Market:
    await market.put(SHOP, "shop.Orders", state="online", description="sells tea and salt")
    await market.put(SHOP, "shop.Stock", state="online", access="subscribers", subscribers=["trade/till"])
    await market.put(SHOP, "shop.Old", state="offline")
    await market.put(BANK, "bank.Ledger")
    await market.put(DEV, "shop.Orders", state="online")
    await market.put(FOREIGN, "shop.Orders", state="online")
    await market.subscribe(TILL, "trade/shop", "shop.Orders", "shop.Stock")
    await market.subscribe(BANK, "trade/shop", "shop.Orders")
    await market.subscribe(bundle("globex/prod/trade/till"), "trade/shop", "shop.Orders")
    return market


async def listed(market: Market, who: Any = CHIEF, tenant: str = "acme", **wanted: Any) -> list[str]:
    page = await market.listing.of_tenant(who, tenant, Wanted(**wanted))
    return [_named(one) for one in page.items]


def _named(one: OfferView) -> str:
    return f"{one.environment}/{one.center}/{one.application}/{one.service}"


async def test_an_application_shows_its_services_with_who_may_call_and_who_does(full: Market) -> None:
    await full.draft(CHIEF, SHOP, "service", "shop.Draft", {**await full.published(), "state": "registered"})
    page = await full.listing.of_application(SHOP, Wanted())
    assert [(one.service, one.state, one.access) for one in page.items] == [
        ("shop.Old", "offline", "open"),
        ("shop.Orders", "online", "open"),
        ("shop.Stock", "online", "subscribers"),
    ]
    _, orders, stock = page.items
    assert (orders.consumers, stock.consumers, stock.subscribers) == (
        ["bank/ledger", "trade/till"],
        ["trade/till"],
        ["trade/till"],
    )
    published = await full.published()
    assert (orders.version, orders.digest, orders.group, orders.methods) == ("1.0.0", published["digest"], "default", 1)
    assert (orders.revision, orders.description) == (1, "sells tea and salt")
    assert page.next == ""


async def test_a_tenant_shows_what_one_may_see_and_nothing_of_others(full: Market) -> None:
    everything = [
        "dev/trade/shop/shop.Orders",
        "prod/bank/ledger/bank.Ledger",
        "prod/trade/shop/shop.Old",
        "prod/trade/shop/shop.Orders",
        "prod/trade/shop/shop.Stock",
    ]
    assert await listed(full) == everything
    assert await listed(full, user("a", "acme/*/bank")) == everything[1:2]
    assert await listed(full, user("b", "acme/dev")) == everything[:1]
    assert await listed(full, user("c", "globex")) == []
    assert await listed(full, user("d", "acme", lines=("config.*:*",))) == []
    assert await listed(full, tenant="globex") == ["prod/trade/shop/shop.Orders"]
    page = await full.listing.of_tenant(user("e", "globex"), "globex", Wanted())
    assert page.items[0].consumers == ["trade/till"], "of its own tenant alone"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"environment": "dev"}, ["dev/trade/shop/shop.Orders"]),
        ({"state": "offline"}, ["prod/trade/shop/shop.Old"]),
        ({"state": "registered"}, ["prod/bank/ledger/bank.Ledger"]),
        ({"words": "TEA AND"}, ["prod/trade/shop/shop.Orders"]),
        ({"words": "ledger"}, ["prod/bank/ledger/bank.Ledger"]),
        ({"words": " stock "}, ["prod/trade/shop/shop.Stock"]),
        ({"words": "price", "state": "offline"}, ["prod/trade/shop/shop.Old"]),
        ({"words": "%"}, []),
        ({"words": "offline"}, []),
        ({"environment": "none"}, []),
    ],
)
async def test_they_are_found_by_words_and_state(full: Market, wanted: Any, found: list[str]) -> None:
    assert await listed(full, **wanted) == found


async def test_a_list_goes_on_where_a_page_ended(full: Market) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = await full.listing.of_tenant(CHIEF, "acme", Wanted(after=after, limit=2))
        seen += [_named(one) for one in page.items]
        after = page.next
        if not after:
            break
    assert seen == await listed(full)
    for wrong in ("x", "a/b/c", "a/b/c/d/e", "A/b/c/d"):
        with pytest.raises(errors.InvalidRequestError, match="earlier page"):
            await full.listing.of_tenant(CHIEF, "acme", Wanted(after=wrong))


async def test_what_is_published_later_is_listed_as_it_is_then(full: Market) -> None:
    await full.put(SHOP, "shop.Old", state="online")
    await full.resources.drafts.remove(CHIEF, BANK, "subscription", "trade.shop", expected="*")
    await full.publish(CHIEF, BANK)
    page = await full.listing.of_application(SHOP, Wanted(words="shop.O"))
    assert [(one.service, one.state, one.consumers) for one in page.items] == [
        ("shop.Old", "online", []),
        ("shop.Orders", "online", ["trade/till"]),
    ]
