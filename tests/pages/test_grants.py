"""Grants as a page shows them: filtered by the server, with the filter in the address and in what is copied."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browser import Account, Estate, Person


@pytest.fixture(scope="module")
def lived(estate: Estate) -> Estate:
    """People with grants on a tenant and on parts of it."""
    estate.person("mei", "tenant-admin")
    estate.person("lin", "developer", "publisher")
    ona = estate.person("ona", "operator", pattern="acme/prod")
    grant = {"user": ona.id, "role": "viewer", "pattern": "acme/*/trade/order", "reason": "on call"}
    estate.api.call("POST", "identity/grants", grant)
    return estate


@pytest.fixture
def page(lived: Estate, somebody: Callable[[Account], Person]) -> Page:
    return somebody(lived.accounts["mei"]).open("/t/acme/-/grants")


def _rows(page: Page, *expected: str) -> None:
    rows = page.get_by_role("table", name="Grants").locator("tbody tr[data-row-key]")
    expect(rows).to_have_count(len(expected))
    for row, words in zip(rows.all(), expected, strict=True):
        for word in words.split():
            expect(row).to_contain_text(word)


def test_each_filter_is_asked_of_the_server_and_stands_in_the_address(page: Page) -> None:
    _rows(page, "mei tenant-admin", "lin developer", "lin publisher", "ona operator", "ona viewer")
    search = page.get_by_role("textbox", name="User, role or reason")
    with page.expect_response(re.compile(r"/grants\?.*words=on")):
        search.fill("on call")
    _rows(page, "ona viewer acme/*/trade/order")
    expect(page).to_have_url(re.compile(r"[?&]words=on"))
    expect(page.get_by_role("contentinfo")).to_contain_text("qiantang grant list --words 'on call' -t acme")
    page.reload()
    _rows(page, "ona viewer")
    search.fill("")
    page.get_by_role("textbox", name="Where, as acme/prod").fill("acme/prod")
    _rows(page, "ona operator acme/prod")
    page.get_by_role("textbox", name="Where, as acme/prod").fill("")
    page.goto(page.url.partition("?")[0] + "?level=application&role=viewer")
    _rows(page, "ona viewer")
    page.goto(page.url.partition("?")[0] + "?state=over")
    expect(page.get_by_text("No grant matches the filter")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page).not_to_have_url(re.compile("state="))
    _rows(page, "mei", "lin", "lin", "ona", "ona")


def test_a_link_to_a_grant_opens_it_though_it_is_not_listed(lived: Estate, page: Page) -> None:
    (grant,) = lived.api.call("GET", "identity/tenants/acme/grants?words=on%20call")["items"]
    page.goto(page.url.partition("?")[0] + f"?role=publisher&peek={grant['id']}")
    expect(page.get_by_role("dialog")).to_contain_text("on call")


def test_hubs_ask_for_their_own_grants_alone(lived: Estate, page: Page) -> None:
    with page.expect_response(re.compile(rf"/grants\?.*user={lived.accounts['ona'].id}")):
        page.goto(page.url.replace("grants", f"users/{lived.accounts['ona'].id}"))
    expect(page.get_by_role("table", name="Grants").locator("tbody tr[data-row-key]")).to_have_count(2)
    with page.expect_response(re.compile(r"/grants\?.*role=publisher")):
        page.goto(page.url.partition("/users/")[0] + "/roles/publisher?tab=holders")
    expect(page.get_by_role("main").get_by_role("link", name="lin")).to_be_visible()
