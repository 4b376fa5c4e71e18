"""Lists that somebody searches: over all centers, by words, with the wall in the statement."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.identity import model
from qiantang.kernel import errors
from server.tests.identity.estate import ROOT, Estate

HOSTILE = ["%", "_", "/", "\\", "'", '"; --', "%%", "[a-z]", "*", "\u202e", "<script>"]


async def filled(estate: Estate) -> None:
    life = estate.identity.estate
    await life.create_center(ROOT, "acme", model.NewCenter(name="billing", title="Rechnungen"))
    for center, name, title in (
        ("billing", "invoice", "Invoices"),
        ("billing", "orders", "Copies of ORDERS"),
        ("sales", "cart", "购物车"),
        ("sales", "etudes", "Études 100%"),
    ):
        await life.create_application(ROOT, "acme", center, model.NewApplication(name=name, title=title))


async def names(estate: Estate, principal: Any = ROOT, tenant: str = "acme", **asked: Any) -> list[str]:
    page = await estate.identity.estate.find_applications(principal, tenant, **asked)
    return [f"{one.center}/{one.name}" for one in page.items]


async def test_applications_of_all_centers_come_in_order_page_by_page(any_estate: Estate) -> None:
    await filled(any_estate)
    wanted = ["billing/invoice", "billing/orders", "sales/cart", "sales/etudes", "sales/orders", "sales/stock"]
    assert await names(any_estate) == wanted
    for limit in (1, 2, 4, 6):
        seen: list[str] = []
        after = ""
        while True:
            page = await any_estate.identity.estate.find_applications(ROOT, "acme", after, limit)
            seen += [f"{one.center}/{one.name}" for one in page.items]
            after = page.next
            if not after:
                break
        assert seen == wanted
    assert await names(any_estate, center="billing") == wanted[:2]
    assert await names(any_estate, tenant="beta") == ["sales/orders", "sales/stock"]
    assert await names(any_estate, after="zzz") == []
    assert await names(any_estate, after="sales") == wanted[2:]


async def test_words_are_found_in_name_and_title_in_any_case(any_estate: Estate) -> None:
    await filled(any_estate)
    for words, found in (
        ("ORD", ["billing/orders", "sales/orders"]),
        ("copies", ["billing/orders"]),
        ("物", ["sales/cart"]),
        ("étu", ["sales/etudes"]),
        ("100%", ["sales/etudes"]),
        ("nothing", []),
    ):
        assert await names(any_estate, words=words) == found, words
    assert await names(any_estate, words="o", center="sales") == ["sales/orders", "sales/stock"]
    life, people = any_estate.identity.estate, any_estate.identity.people
    await any_estate.user("anna")
    await any_estate.user("bob")
    assert [one.name for one in (await life.list_tenants(ROOT, words="CM")).items] == ["acme"]
    assert [one.name for one in (await life.list_environments(ROOT, "acme", words="PRO")).items] == ["prod"]
    assert [one.name for one in (await life.list_centers(ROOT, "acme", words="rechn")).items] == ["billing"]
    assert [one.name for one in (await people.list_users(ROOT, "acme", words="NN")).items] == ["anna"]
    assert [one.name for one in (await people.list_users(ROOT, words="o")).items] == ["bob"]


@pytest.mark.parametrize("words", HOSTILE)
async def test_signs_that_mean_something_to_a_database_stand_for_themselves(any_estate: Estate, words: str) -> None:
    await filled(any_estate)
    found = await names(any_estate, words=words)
    assert found == (["sales/etudes"] if words == "%" else [])
    with pytest.raises(errors.InvalidRequestError):
        await names(any_estate, words="a\0b")


async def test_a_search_shows_no_more_than_a_list(any_estate: Estate) -> None:
    await filled(any_estate)
    await any_estate.user("dev", ("developer", "acme/dev/sales/orders"), ("viewer", "acme/*/billing"))
    dev = await any_estate.sign_in("dev")
    assert await names(any_estate, dev) == ["billing/invoice", "billing/orders", "sales/orders"]
    assert await names(any_estate, dev, words="stock") == []
    assert await names(any_estate, dev, tenant="beta", words="o") == []
    first = await any_estate.identity.estate.find_applications(dev, "acme", limit=2)
    assert first.next == "billing/orders"
    await any_estate.user("nobody")
    nobody = await any_estate.sign_in("nobody")
    assert await names(any_estate, nobody) == []
    people = await any_estate.identity.people.list_users(nobody, "acme", words="dev")
    assert people.items == []


async def test_every_permission_is_listed_with_its_meaning(estate: Estate) -> None:
    listed = estate.identity.granting.list_permissions()
    assert [one.name for one in listed] == sorted(estate.identity.ground.permissions)
    assert all(one.meaning for one in listed)
