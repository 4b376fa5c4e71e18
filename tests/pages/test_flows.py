"""Flows as a person does them in a browser, on the embedded default."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, expect

from tests.pages import journey
from tests.pages.browser import Account, Estate, Person
from tests.pages.main_flow import from_the_link_to_all_instances
from tests.servers.platform import PASSWORD, USER
from tests.servers.product import Platforms, eventually

SCOPE, HUB = "acme/dev/trade/order", "/t/acme/dev/apps/trade/order"
PROD, PROD_HUB = "acme/prod/trade/order", "/t/acme/prod/apps/trade/order"
SECRET = "s3cret-dsn"  # of a throw-away platform

At = Callable[[Account], Person]


@pytest.fixture(scope="module")
def lived(estate: Estate) -> Estate:
    """An estate with a published namespace that holds a secret, and people who edit, approve and look on."""
    estate.person("lin", "developer", "publisher")
    estate.person("mei", "tenant-admin")
    estate.api.set(SCOPE, {"number": 1, "text": "one", "password": {"value": {"$secret": {"value": SECRET}}}})
    estate.api.publish(SCOPE, message="the first")
    return estate


def disabled(button: Locator, reason: str) -> None:
    """Pass where a button cannot be used and says why."""
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", re.compile(reason))


def test_from_the_printed_link_to_a_release_on_all_instances(screen: Chromium, platforms_of_module: Platforms) -> None:
    from_the_link_to_all_instances(screen, platforms_of_module())


def test_four_eyes_in_production_and_back_with_the_typed_name(lived: Estate, lin: Person, mei: Person) -> None:
    api = lived.as_person(lived.accounts["lin"])
    for number in (1, 2):
        api.set(PROD, {"number": number})
        _lin_asks(lin, f"number {number}")
        _mei_approves(mei, f"number {number}")
        # who asked sees it without doing anything
        expect(
            lin.page.get_by_role("region", name="Publish to all").get_by_text("published", exact=True)
        ).to_be_visible()
        assert api.revision(PROD) == number
    page = lin.open(f"{PROD_HUB}/config/history?rev=1")
    page.get_by_role("button", name="Roll back in PROD").click()
    dialog = page.get_by_role("dialog", name="Roll back to r1")
    back = dialog.get_by_role("button", name="Roll back in PROD")
    disabled(back, "Type order to confirm")
    dialog.get_by_label("Type order to confirm").fill("orde")
    disabled(back, "Type order to confirm")
    back.click(force=True)
    dialog.get_by_label("Type order to confirm").fill("order")
    back.click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row", name=re.compile("rolled back to r1"))).to_be_visible()
    assert api.revision(PROD) == 3


def _lin_asks(lin: Person, message: str) -> None:
    page = lin.open(f"{PROD_HUB}/config/publish")
    page.get_by_placeholder("Why; kept in the history").fill(message)
    expect(page.get_by_text("A second person approves: neither who asks nor who edited.")).to_be_visible()
    page.get_by_role("button", name="Ask to publish to PROD").click()
    dialog = page.get_by_role("dialog")
    disabled(dialog.get_by_role("button", name="Ask to publish to PROD"), "Type order")
    dialog.get_by_label("Type order to confirm").fill("order")
    dialog.get_by_role("button", name="Ask to publish to PROD").click()
    page.wait_for_url(re.compile(r"/config/requests\?id="))
    expect(page.get_by_text("You asked for it: another person must approve.").first).to_be_visible()
    disabled(page.get_by_role("button", name="Approve and publish"), "You asked for it")
    # nor by another way
    request = page.url.partition("?id=")[2]
    address = f"{lin.address}/api/v1/config/{PROD}/requests/{request}/approve"
    answer = page.request.post(address, data={}, headers={"X-Qiantang": "1", "Origin": lin.address})
    assert answer.status == 403, answer.text()


def _mei_approves(mei: Person, message: str) -> None:
    page = mei.open("/t/acme/-/home")
    waiting = page.get_by_role("main").get_by_role("link").filter(has_text=message)
    waiting.or_(page.get_by_role("link", name="Review")).first.click()
    page.wait_for_url(re.compile("/config/requests"))
    expect(page.get_by_text(message).last).to_be_visible()
    page.get_by_role("button", name="Approve and publish").click()
    expect(page.get_by_role("button", name="Approve and publish")).to_be_hidden()
    expect(page.get_by_role("region", name="Publish to all").get_by_text("published", exact=True)).to_be_visible()


def test_a_secret_is_shown_to_who_may_see_it_and_that_is_written(lived: Estate, lin: Person, mei: Person) -> None:
    page = mei.open(f"{HUB}/config/edit/application?key=password")
    assert SECRET not in page.content()
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text(SECRET, exact=True)).to_be_visible()
    rows = lived.api.call("GET", "audit/tenants/acme/records?action=config.namespace:reveal&limit=10")["items"]
    assert [(one["actor_name"], one["outcome"]) for one in rows] == [("mei", "allow")]

    page = lin.open(f"{HUB}/config/edit/application?key=password")
    disabled(page.get_by_role("button", name="Reveal"), "config.namespace:reveal")
    answer = page.request.get(f"{lin.address}/api/v1/config/{SCOPE}/namespaces/application/revealed")
    assert answer.status == 403, answer.text()
    assert SECRET not in page.content()


def test_the_audit_is_verified_and_says_where_somebody_changed_it(lived: Estate, mei: Person) -> None:
    page = mei.open("/t/acme/-/audit")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile(r"\d+ records, every one as it was written\."))).to_be_visible()
    database = lived.platform.data / "qiantang.sqlite3"
    where = "chain = (select chain from audit_record where tenant = 'acme' limit 1) and seq = 3"
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        (was,) = connection.execute(f"select actor_name from audit_record where {where}").fetchone()
        connection.execute(f"update audit_record set actor_name = 'nobody' where {where}")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("The chain is broken at record 3.")).to_be_visible()
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(f"update audit_record set actor_name = ? where {where}", (was,))
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile(r"every one as it was written"))).to_be_visible()


def test_language_and_theme_stay_as_they_were_chosen(mei: Person) -> None:
    page = mei.open("/t/acme/-/home")
    expect(page.get_by_role("heading", level=1)).to_have_text("My work")
    page.get_by_role("button", name="EN / 中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    title = page.get_by_role("heading", level=1)
    expect(title).not_to_have_text("My work")
    page.get_by_role("button", name="主题").click()
    page.get_by_role("menuitem", name="深色").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.reload()
    mei.settle()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == ground
    # the pages that the server writes itself, too
    page.goto(f"{mei.address}/logout")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_palette_and_the_keys(mei: Person) -> None:
    page = mei.open("/t/acme/dev/home")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search or paste any id…")
    palette.get_by_role("combobox").fill("order")
    expect(palette.get_by_role("group", name="Objects").get_by_role("option").first).to_be_visible()
    expect(palette.get_by_role("option", selected=True)).to_contain_text("order")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/apps/trade/order/overview"))
    expect(palette).to_be_hidden()

    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_contain_text("Search and commands")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()

    _go(page, "h", "My work")
    _go(page, "a", "Applications")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Filter by name or title")).to_be_focused()
    page.keyboard.type("ord")
    expect(page).to_have_url(re.compile("words=ord"))
    row = page.get_by_role("row", name=re.compile("order"))
    expect(row).to_have_count(1)
    row.focus()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("peek="))
    expect(page.get_by_role("dialog")).to_contain_text("trade")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def _go(page: Page, key: str, title: str) -> None:
    page.keyboard.press("g")
    page.keyboard.press(key)
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()


def test_of_two_who_edit_one_draft_the_second_is_told_and_loses_nothing(
    lived: Estate, lin: Person, mei: Person
) -> None:
    lived.api.set("acme/dev/trade/order", {"number": 1, "text": "one"}, namespace="shared")
    lived.api.publish(SCOPE)
    address = f"{HUB}/config/edit/shared?key=text&edit=1"
    first, second = lin.open(address), mei.open(address)
    second.get_by_label("Value of text").fill("of mei")
    first.get_by_label("Value of text").fill("of lin")
    first.get_by_role("button", name="Save draft").click()
    expect(first.get_by_label("Value of text")).to_be_hidden()
    # what she was writing stays while the page hears of his
    expect(second.get_by_label("Value of text")).to_have_value("of mei")
    second.get_by_role("button", name="Save draft").click()
    dialog = second.get_by_role("dialog", name="Somebody saved text first")
    expect(dialog).to_contain_text("lin saved a draft since you read it.")
    expect(dialog).to_contain_text("of lin")
    expect(dialog).to_contain_text("of mei")
    dialog.get_by_role("button", name="Go on editing").click()
    expect(second.get_by_label("Value of text")).to_have_value("of mei")
    second.get_by_role("button", name="Save draft").click()
    dialog.get_by_role("button", name="Write mine over it").click()
    expect(dialog).to_be_hidden()
    expect(journey.row(second, "text")).to_contain_text("of mei")
    # and he sees hers without doing anything
    expect(journey.row(first, "text")).to_contain_text("of mei")


def test_settings_that_somebody_saved_first_are_told_of_and_kept(lived: Estate, mei: Person) -> None:
    def described(text: str) -> None:
        body = {"format": "properties", "items": {"number": {"value": "1"}}, "description": text}
        lived.api.call("PUT", f"config/{SCOPE}/namespaces/described", {"body": body}, **{"If-Match": "*"})

    described("before")
    page = mei.open(f"{HUB}/config/edit/described")
    expect(journey.row(page, "number")).to_be_visible()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Namespace settings").click()
    settings = page.get_by_role("dialog", name="Namespace settings")
    settings.get_by_label("Description").fill("of mei")
    described("of ada")
    settings.get_by_role("button", name="Save draft").click()
    told = page.get_by_role("dialog", name="Somebody saved Namespace settings first")
    expect(told).to_contain_text("of ada")
    expect(told).to_contain_text("of mei")
    told.get_by_role("button", name="Go on editing").click()
    expect(settings.get_by_label("Description")).to_have_value("of mei")
    settings.get_by_role("button", name="Save draft").click()
    told.get_by_role("button", name="Write mine over it").click()
    expect(told).to_be_hidden()
    expect(settings).to_be_hidden()
    found = lived.api.call("GET", f"config/{SCOPE}/namespaces/described")
    assert found["draft"]["description"] == "of mei"


def test_what_is_published_shows_on_pages_that_are_open(lived: Estate, mei: Person) -> None:
    page = mei.open(f"{HUB}/config/history")
    before = lived.api.revision(SCOPE)
    expect(page.get_by_role("row", name=re.compile(rf"\br{before}\b"))).to_be_visible()
    page.evaluate("() => { window.untouched = true; }")
    lived.api.set(SCOPE, {"number": 7, "text": "seven"})
    lived.api.publish(SCOPE, message="while you look")
    expect(page.get_by_role("row", name=re.compile(rf"\br{before + 1}\b.*while you look"))).to_be_visible()
    assert page.evaluate("() => window.untouched")


@pytest.fixture
def cookie(lived: Estate) -> Iterator[httpx.Client]:
    """A client that holds the cookie of the first administrator, as a browser does."""
    with httpx.Client(base_url=lived.platform.address, timeout=30) as client:
        client.post("/api/v1/identity/login", json={"name": USER, "password": PASSWORD}).raise_for_status()
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Qiantang": "1", "Origin": "https://elsewhere.example"},
        {"X-Qiantang": "1", "Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {"X-Qiantang": "1", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=["no mark", "foreign origin", "no origin to name", "both", "cross site"],
)
def test_a_cookie_alone_changes_nothing(lived: Estate, cookie: httpx.Client, headers: dict[str, str]) -> None:
    before = lived.api.revision(SCOPE)
    for method, path, body in (
        ("POST", "identity/tenants", {"name": "forged"}),
        ("PUT", f"config/{SCOPE}/namespaces/application", {"body": {"format": "text", "document": "forged"}}),
        ("POST", f"config/{SCOPE}/releases", {"expected_revision": before}),
        ("POST", f"config/{SCOPE}/rollback", {"to_revision": 1, "expected_revision": before}),
        ("DELETE", "identity/tenants/acme/centers/trade/applications/order", None),
        ("PATCH", "identity/tenants/acme/environments/prod", {"protected": False}),
        ("POST", "identity/tokens", {"name": "forged", "lifetime_days": 1}),
    ):
        answer = cookie.request(method, f"/api/v1/{path}", json=body, headers={"If-Match": "*", **headers})
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
    assert lived.api.revision(SCOPE) == before
    assert "forged" not in str(lived.api.call("GET", "identity/tenants"))
    # and the same with the mark of the own pages does
    own = {"X-Qiantang": "1", "Origin": lived.platform.address}
    path = "/api/v1/identity/tokens"
    assert cookie.post(path, json={"name": "own", "lifetime_days": 1}, headers=own).is_success


def test_nothing_was_left_behind(lived: Estate) -> None:
    """The chain of the audit is whole after all of it."""
    eventually(lambda: lived.api.call("POST", "audit/tenants/acme/verify")["intact"])
