"""What a page does while its server is away, and when its session was ended elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.pages.browser import Account, Estate, Person
from tests.servers.product import Platforms

SCOPE, HUB = "acme/dev/trade/order", "/t/acme/dev/apps/trade/order"
HISTORY = f"{HUB}/config/history"
BACK = 60_000
"""Milliseconds that a page may take to find a server that is there again: it tries ever less often."""


@pytest.fixture(scope="module")
def mei(estate: Estate) -> Account:
    """The administrator of the tenant, where two releases were made."""
    for number in (1, 2):
        estate.api.set(SCOPE, {"number": number})
        estate.api.publish(SCOPE, message=f"number {number}")
    return estate.person("mei", "tenant-admin")


@pytest.fixture
def person(screen: Chromium, estate: Estate, mei: Account) -> Iterator[Person]:
    """Mei at a browser; what its console says of a server that is away is expected."""
    person = Person.at(screen, estate.platform.address)
    person.signs_in(mei.name, mei.password, mei.tenant)
    yield person
    person.close()
    away = re.compile(r"ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)|Failed to load resource")
    assert not [one for one in person.complaints if not away.search(one)]


def foot(page: Page, words: str, deadline: float = 15_000) -> None:
    """Wait until the foot says this of the stream."""
    expect(page.get_by_role("contentinfo")).to_contain_text(words, timeout=deadline)


def untouched(page: Page) -> bool:
    """Say whether the page is the one that was marked, without a reload."""
    return bool(page.evaluate("() => window.untouched === true"))


def test_a_server_that_is_killed_and_comes_back(estate: Estate, person: Person) -> None:
    page = person.open(HISTORY)
    page.evaluate("() => { window.untouched = true; }")
    foot(page, "Live")
    estate.platform.kill()
    foot(page, "Stream lost")
    foot(page, "what is shown may be old")
    # what was read stays, and can be gone through
    expect(page.get_by_role("row", name=re.compile("number 2"))).to_be_visible()
    # what needs the server says so in its place, and the frame stays
    page.get_by_role("link", name="Requests", exact=True).click()
    expect(page.get_by_role("main").get_by_role("button", name="Retry now")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("row", name=re.compile("number 2"))).to_be_visible()
    foot(page, "Stream lost")

    estate.platform.start()
    foot(page, "Live", BACK)
    estate.api.set(SCOPE, {"number": 3})
    estate.api.publish(SCOPE, message="number 3")
    expect(page.get_by_role("row", name=re.compile("number 3"))).to_be_visible()
    assert untouched(page)


def test_what_happened_while_the_server_was_away_shows_when_it_is_back(
    estate: Estate, person: Person, platforms_of_module: Platforms
) -> None:
    page = person.open(HISTORY)
    page.evaluate("() => { window.untouched = true; }")
    foot(page, "Live")
    estate.platform.kill()
    foot(page, "Stream lost")
    other = platforms_of_module(share=estate.platform)  # another server on the same data, which the page does not know
    api = other.as_bearer(estate.api.token)
    api.set(SCOPE, {"number": 40})
    api.publish(SCOPE, message="meanwhile")
    other.stop()
    estate.platform.start()
    foot(page, "Live", BACK)
    expect(page.get_by_role("row", name=re.compile("meanwhile"))).to_be_visible()
    assert untouched(page)


def test_what_is_being_written_outlives_an_outage(estate: Estate, person: Person) -> None:
    page = person.open(f"{HUB}/config/edit/application?key=number&edit=1")
    value = page.get_by_label("Value of number")
    value.fill("77")
    estate.platform.kill()
    foot(page, "Stream lost")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("the server does not answer").first).to_be_visible()
    expect(value).to_have_value("77")
    estate.platform.start()
    foot(page, "Live", BACK)
    expect(value).to_have_value("77")
    page.get_by_role("button", name="Save draft").click()
    expect(value).to_be_hidden()
    expect(page.locator("[data-key=number]")).to_contain_text("77")


def test_a_session_that_was_ended_elsewhere_leads_to_the_sign_in_and_back(
    estate: Estate, person: Person, mei: Account, screen: Chromium
) -> None:
    address = f"{HISTORY}?rev=1"
    page = person.open(address)
    expect(page.get_by_role("button", name="Roll back to r1")).to_be_visible()
    elsewhere = Person.at(screen, estate.platform.address)
    try:
        elsewhere.signs_in(mei.name, mei.password, mei.tenant)
        _end_the_others(elsewhere)
    finally:
        elsewhere.close()
    # the next thing that is done leads away, and says where back to
    page.get_by_role("link", name="Requests", exact=True).click()
    page.wait_for_url(re.compile("/login"))
    goal = parse_qs(urlsplit(page.url).query)["next"][0]
    assert goal.startswith(f"{HUB}/config/")
    page.get_by_label("Tenant").fill(mei.tenant)
    page.get_by_label("Account").fill(mei.name)
    page.get_by_label("Password").fill(mei.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: urlsplit(url).path == urlsplit(goal).path)
    expect(page.get_by_role("heading", level=1, name="order")).to_be_visible()


def _end_the_others(elsewhere: Person) -> None:
    """End all sessions but this one on the page of sessions."""
    page = elsewhere.open("/t/acme/-/me/sessions")
    rows = page.get_by_role("main").get_by_role("row").filter(has=page.get_by_role("button", name="End", exact=True))
    others = rows.filter(has_not_text="this one")
    expect(rows.filter(has_text="this one")).to_be_visible()
    for left in range(others.count(), 0, -1):
        others.first.get_by_role("button", name="End", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(others).to_have_count(left - 1)
