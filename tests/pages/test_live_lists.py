"""Lists and hubs are live: what somebody else makes, changes or deletes is on an open page without a reload."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browser import Account, Estate, Person
from tests.servers.platform import Api
from tests.servers.product import Platforms

At = Callable[[Account], Person]
T = "identity/tenants/acme"
HUB = "/t/acme/dev/apps/trade/order"


@pytest.fixture(scope="module")
def lived(estate: Estate) -> Estate:
    """Two administrators of one tenant."""
    estate.person("mei", "tenant-admin")
    estate.person("bo", "tenant-admin")
    return estate


@pytest.fixture(scope="module")
def bo(lived: Estate) -> Api:
    """The other administrator, at a shell."""
    return lived.as_person(lived.accounts["bo"])


def _waits(person: Person, path: str, seen: str) -> Page:
    """Open a page and wait until its stream is there; it says so if it was loaded again."""
    page = person.open(path)
    expect(page.locator(".s-foot")).to_contain_text("Live")
    expect(page.get_by_text(seen).first).to_be_visible()
    page.wait_for_timeout(700)  # past the reading that the stream's greeting causes
    page.evaluate("() => { window.stayed = true }")
    return page


def _stayed(page: Page) -> None:
    assert page.evaluate("() => window.stayed === true"), "the page was loaded again"


@pytest.mark.parametrize(
    ("path", "seen", "made", "body", "told"),
    [
        ("/t/acme/-/users", "mei", f"{T}/users", {"name": "zoe", "password": "a password of zoe's"}, "zoe"),
        ("/t/acme/-/roles", "viewer", f"{T}/roles", {"name": "onlooker", "permissions": ["config.*:read"]}, "onlooker"),
        ("/t/acme/-/centers", "trade", f"{T}/centers", {"name": "bank"}, "bank"),
        ("/t/acme/-/environments", "prod", f"{T}/environments", {"name": "staging"}, "staging"),
        ("/t/acme/-/apps", "order", f"{T}/centers/trade/applications", {"name": "stock"}, "stock"),
        (
            f"{HUB}/credentials",
            "Credentials",
            f"{T}/centers/trade/applications/order/environments/dev/credentials",
            {"title": "of the night job"},
            "of the night job",
        ),
    ],
)
def test_what_somebody_else_makes_is_in_the_open_list(
    lived: Estate, bo: Api, somebody: At, path: str, seen: str, made: str, body: dict[str, object], told: str
) -> None:
    page = _waits(somebody(lived.accounts["mei"]), path, seen)
    expect(page.get_by_role("main").get_by_text(told, exact=True)).to_have_count(0)
    bo.call("POST", made, body)
    expect(page.get_by_role("main").get_by_text(told, exact=True).first).to_be_visible()
    _stayed(page)


def test_grants_come_and_go_with_who_holds_them(lived: Estate, bo: Api, somebody: At) -> None:
    page = _waits(somebody(lived.accounts["mei"]), "/t/acme/-/grants", "tenant-admin")
    rows = page.get_by_role("main").get_by_role("link", name="ida")
    made = bo.call("POST", f"{T}/users", {"name": "ida", "password": "a password of ida's"})
    bo.call("POST", "identity/grants", {"user": made["id"], "role": "viewer", "pattern": "acme/dev"})
    expect(rows).to_have_count(1)
    bo.call("DELETE", f"{T}/users/{made['id']}")
    expect(rows).to_have_count(0)
    _stayed(page)


def test_the_hub_of_an_application_shows_its_new_title(lived: Estate, bo: Api, somebody: At) -> None:
    page = _waits(somebody(lived.accounts["mei"]), f"{HUB}/overview", "order")
    bo.call("PATCH", f"{T}/centers/trade/applications/order", {"title": "Orders of the shop"})
    expect(page.get_by_text("Orders of the shop").first).to_be_visible()
    _stayed(page)


def test_own_sessions_and_tokens_of_another_browser(lived: Estate, somebody: At) -> None:
    page = _waits(somebody(lived.accounts["mei"]), "/t/acme/-/me/tokens", "Tokens")
    lived.as_person(lived.accounts["mei"])
    expect(page.get_by_role("main").get_by_text("tests", exact=True).first).to_be_visible()
    _stayed(page)


def test_one_browser_shows_what_another_one_makes(lived: Estate, somebody: At) -> None:
    page = _waits(somebody(lived.accounts["mei"]), "/t/acme/-/centers", "trade")
    other = somebody(lived.accounts["bo"]).open("/t/acme/-/centers?new=1")
    other.get_by_role("dialog").get_by_role("textbox").first.fill("freight")
    other.get_by_role("dialog").get_by_role("button", name="Create center").click()
    expect(page.get_by_role("link", name="freight")).to_be_visible()
    _stayed(page)


def test_a_tenant_made_elsewhere_is_in_the_list_of_the_platform(lived: Estate, somebody: At, screen: object) -> None:
    person = Person.at(screen, lived.platform.address)  # type: ignore[arg-type]
    try:
        lived.platform_admin_signs_in(person)
        page = _waits(person, "/platform/tenants", "acme")
        lived.api.call("POST", "identity/tenants", {"name": "globex"})
        expect(page.get_by_role("link", name="globex")).to_be_visible()
        _stayed(page)
    finally:
        person.close()


def test_what_is_done_at_another_server_is_in_the_open_list(
    lived: Estate, platforms_of_module: Platforms, somebody: At
) -> None:
    page = _waits(somebody(lived.accounts["mei"]), "/t/acme/-/centers", "trade")
    other = platforms_of_module(share=lived.platform).administrator()
    assert other.client.base_url != lived.api.client.base_url
    other.call("POST", f"{T}/centers", {"name": "elsewhere"})
    expect(page.get_by_role("link", name="elsewhere")).to_be_visible()
    _stayed(page)
