"""Lists that somebody searches: over all centers, by words, with the wall in the statement."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules.wanted import WantedGrants
from server.tests.identity.estate import PASSWORD, ROOT, Estate

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


async def given(estate: Estate) -> None:
    """Grants of three people: on the platform, on tenants and on their parts, for good and for a time."""
    now = estate.identity.ground.now()
    await estate.user("anna", ("viewer", "acme"), ("developer", "acme/dev"), ("publisher", "acme/prod/sales/orders"))
    await estate.user("bob", ("viewer", "acme/*/sales"), ("operator", "acme/prod"))
    root = await estate.user("root1", ("platform-admin", "*"), tenant="")
    for begins, ends, reason in ((now + 9_000_000, 0, "starts in spring"), (0, now + 9_000_000, "100% of a night")):
        command = model.NewGrant(
            user=root.id, role="viewer", pattern="beta", not_before=begins, expires=ends, reason=reason
        )
        await estate.identity.granting.grant(ROOT, command)


async def grants(estate: Estate, tenant: str | None = None, principal: Any = ROOT, **wanted: Any) -> list[str]:
    found = await estate.identity.granting.list_grants(principal, tenant, wanted=WantedGrants(**wanted))
    return [f"{one.user_name} {one.role} {one.pattern.replace('/*', '')}" for one in found.items]


async def test_grants_are_filtered_by_who_role_place_level_state_and_words(any_estate: Estate) -> None:
    await given(any_estate)
    anna = ["anna viewer acme", "anna developer acme/dev", "anna publisher acme/prod/sales/orders"]
    bob = ["bob viewer acme/sales", "bob operator acme/prod"]
    assert await grants(any_estate, "acme") == [*anna, *bob]
    for wanted, found in (
        ({"user": "anna"}, anna),
        ({"user": "ann"}, []),
        ({"role": "viewer"}, [anna[0], bob[0]]),
        ({"place": "acme/prod"}, [anna[2], bob[1]]),
        ({"place": "acme/prod/*"}, [bob[1]]),
        ({"place": "acme/*/sal"}, [anna[2], bob[0]]),
        ({"place": "/acme//sales/ord/"}, [anna[2]]),
        ({"place": "pro"}, [anna[2], bob[1]]),
        ({"place": "sales"}, [anna[2], bob[0]]),
        ({"place": "a/b/c/d/e"}, []),
        ({"level": "tenant"}, [anna[0]]),
        ({"level": "environment"}, [anna[1], bob[1]]),
        ({"level": "center"}, [bob[0]]),
        ({"level": "application"}, [anna[2]]),
        ({"words": "ANN"}, anna),
        ({"words": "dev"}, [anna[1]]),
        ({"words": "dev", "level": "tenant"}, []),
    ):
        assert await grants(any_estate, "acme", **wanted) == found, wanted
    later, ending = (f"root1 viewer {place}" for place in ("beta", "beta"))
    for wanted, found in (
        ({"level": "platform"}, ["root1 platform-admin"]),
        ({"place": "*"}, ["root1 platform-admin"]),
        ({"state": "later"}, [later]),
        ({"state": "ending"}, [ending]),
        ({"state": "over"}, []),
        ({"words": "100%"}, [ending]),
        ({"words": "spring"}, [later]),
    ):
        told = await grants(any_estate, **wanted)
        assert [one.removesuffix(" *") for one in told] == found, wanted
    assert len(await grants(any_estate, state="now")) == 7
    (one,) = (await any_estate.identity.granting.list_grants(ROOT, wanted=WantedGrants(words="spring"))).items
    assert await grants(any_estate, words=one.id) == [later]
    assert await grants(any_estate, user=one.user, tenant="beta") == [later, ending]


async def test_filtered_grants_come_page_by_page_and_behind_their_wall(any_estate: Estate) -> None:
    await given(any_estate)
    granting, wanted = any_estate.identity.granting, WantedGrants(place="acme")
    first = await granting.list_grants(ROOT, limit=3, wanted=wanted)
    rest = await granting.list_grants(ROOT, after=first.next, limit=3, wanted=wanted)
    assert [len(first.items), len(rest.items), rest.next] == [3, 2, ""]
    await any_estate.user("boss", ("tenant-admin", "acme/prod"))
    boss = await any_estate.sign_in("boss")
    seen = ["anna publisher acme/prod/sales/orders", "bob operator acme/prod", "boss tenant-admin acme/prod"]
    assert await grants(any_estate, principal=boss) == seen
    assert await grants(any_estate, principal=boss, words="viewer") == []
    assert await grants(any_estate, principal=boss, user="root1") == []


@pytest.mark.parametrize("words", HOSTILE)
async def test_filters_of_grants_take_signs_as_they_stand(any_estate: Estate, words: str) -> None:
    await given(any_estate)
    assert await grants(any_estate, words=words) == (["root1 viewer beta"] if words == "%" else [])
    expected = {"/": 8, "*": 1}.get(words, 0)
    assert len(await grants(any_estate, place=words)) == expected
    assert await grants(any_estate, user=words) == await grants(any_estate, role=words) == []


async def test_applications_and_people_come_sorted_page_by_page(any_estate: Estate) -> None:
    await filled(any_estate)
    life, people = any_estate.identity.estate, any_estate.identity.people
    for name, title in (("anna", "zora"), ("bob", "Abel"), ("cleo", ""), ("dan", "abel")):
        await people.create_user(ROOT, "acme", model.NewUser(name=name, password=PASSWORD, title=title))

    async def sorted_by(sort: str, limit: int = 2) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = ([], [])
        after = ""
        while True:
            page = await life.find_applications(ROOT, "acme", after, limit, sort=sort)
            found[0].extend(one.name for one in page.items)
            if not (after := page.next):
                break
        while True:
            users = await people.list_users(ROOT, "acme", after, limit, sort=sort)
            found[1].extend(one.name for one in users.items)
            if not (after := users.next):
                return found

    made = ["anna", "bob", "cleo", "dan"]
    applications, users = await sorted_by("name")
    assert (applications, users) == (["cart", "etudes", "invoice", "orders", "orders", "stock"], made)
    applications, users = await sorted_by("-name")
    assert (applications, users) == (["stock", "orders", "orders", "invoice", "etudes", "cart"], made[::-1])
    applications, users = await sorted_by("title")
    assert applications[:4] == ["orders", "stock", "orders", "invoice"], "without a title, Copies, Invoices"
    assert users == ["cleo", "bob", "dan", "anna"], "in any case of letters"
    assert sorted((await sorted_by("created_at"))[1]) == made
    assert [one.name for one in (await people.list_users(ROOT, "acme", sort="-signed_in_at")).items] == made
    with pytest.raises(errors.InvalidRequestError, match="name, title, center, created_at"):
        await life.find_applications(ROOT, "acme", sort="owner")
    with pytest.raises(errors.InvalidRequestError, match="name, title, tenant, created_at, signed_in_at"):
        await people.list_users(ROOT, "acme", sort="password")
