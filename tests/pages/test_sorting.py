"""Lists sorted by the server: by a click on a column's head, kept in the address and in what is copied."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from tests.pages.browser import NARROW, Account, Estate, Person

At = Callable[[Account], Person]


@pytest.fixture(scope="module")
def lived(estate: Estate) -> Estate:
    """Three people and more applications than a page has, some with one title."""
    for name in ("mei", "bo", "ann"):
        estate.person(name, "tenant-admin")
    for number in range(230):
        body = {"name": f"app{number:03}", "title": f"Title {number // 100}"}
        estate.api.call("POST", "identity/tenants/acme/centers/trade/applications", body)
    return estate


def _first(page: Page, *names: str) -> None:
    for place, name in enumerate(names):
        expect(page.locator("[data-row]").nth(place).get_by_role("link").first).to_have_text(name)


def test_people_are_sorted_by_a_click_and_the_address_keeps_it(lived: Estate, somebody: At) -> None:
    page = somebody(lived.accounts["mei"]).open("/t/acme/-/users")
    expect(page.get_by_role("table", name="Users").get_by_role("link")).to_have_count(3)
    _first(page, "mei", "bo", "ann")
    for sort, expected in (("sort=name", "ann bo mei"), ("sort=-name", "mei bo ann"), (r"/users\??$", "mei bo ann")):
        page.get_by_role("columnheader", name="Name", exact=True).click()
        expect(page).to_have_url(re.compile(sort))
        _first(page, *expected.split())
    page.goto(f"{page.url.partition('?')[0]}?sort=-created_at")
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute("aria-sort", "descending")
    _first(page, "ann", "bo", "mei")
    expect(page.get_by_role("contentinfo")).to_contain_text("qiantang user list --sort -created_at -t acme")


def test_what_comes_next_is_read_in_the_same_order(lived: Estate, somebody: At) -> None:
    page = somebody(lived.accounts["mei"]).open("/t/acme/-/apps?sort=-title")
    _first(page, "app200", "app201", "app202")
    more = page.get_by_role("button", name="Load more")
    with page.expect_response(re.compile("sort=-title.*after=|after=.*sort=-title")):
        more.click()
    expect(page.get_by_text(re.compile("^(200|231) shown"))).to_be_visible()
    with contextlib.suppress(PlaywrightError):  # the last page may be read already, where its place was near
        more.click(timeout=2_000)
    expect(page.get_by_text("231 shown")).to_be_visible()
    expect(more).to_have_count(0)


def test_a_narrow_screen_sorts_by_a_choice(lived: Estate, somebody: At) -> None:
    person = somebody(lived.accounts["mei"])
    person.size(NARROW)
    page = person.open("/t/acme/-/users")
    page.get_by_role("combobox", name="Sort").click()
    page.get_by_role("option", name="Name ↓", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-name"))
    expect(page.locator(".k-rows li").first).to_contain_text("mei")


def test_a_sort_that_is_none_is_said_with_what_there_is(lived: Estate, somebody: At) -> None:
    page = somebody(lived.accounts["mei"]).open("/t/acme/-/users?sort=nothing")
    expect(page.get_by_role("main")).to_contain_text("name, title, tenant, created_at, signed_in_at")
