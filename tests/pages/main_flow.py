"""Main flow: from the printed link over a wrong value, a refused canary and a good one to all instances, and back."""

from __future__ import annotations

import re

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.pages import journey
from tests.pages.browser import Person
from tests.servers.platform import Platform
from tests.servers.product import Client

HUB = "/t/acme/dev/apps/trade/order"
SCHEMA = '{"type": "object", "properties": {"number": {"type": "integer", "maximum": 5000}}}'
REASON = "the pool has room for 4000 only"


def refuses(client: Client) -> None:
    """Fail where the number is too large for this instance."""
    if client.number > 4000:
        raise RuntimeError(REASON)


def from_the_link_to_all_instances(screen: Chromium, platform: Platform) -> None:
    """Do all of it, in one browser."""
    ada = Person.at(screen, platform.address)
    try:
        journey.first_start(ada, platform)
        _make_places(ada)
        with journey.instances(
            platform,
            journey.api_of(ada, platform),
            "acme/dev/trade/order",
            "order-1",
            "order-2",
            "order-3",
            refuses=refuses,
        ) as clients:
            _write_and_publish(ada, clients)
            _fail_validation_and_fix(ada.page)
            _canary_that_is_refused(ada, clients)
            _canary_that_is_good(ada, clients)
            _back(ada, clients)
        ada.calm()
    finally:
        ada.close()


def _make_places(ada: Person) -> None:
    page = ada.page
    journey.make_tenant(page, "acme")
    journey.make_environment(page, "dev")
    journey.make_environment(page, "prod", protected=True)
    journey.make_application(ada, "dev", "trade", "order")
    expect(page.get_by_text("Nothing was published here yet.")).to_be_visible()


def _write_and_publish(ada: Person, clients: list[Client]) -> None:
    page = ada.page
    page.get_by_role("link", name="Configuration", exact=True).last.click()
    page.get_by_role("button", name="New namespace").first.click()
    form = page.get_by_role("dialog", name="New namespace")
    form.get_by_label("Name").fill("application")
    form.get_by_role("button", name="Make draft").click()
    expect(page.get_by_text("This namespace has no keys yet")).to_be_visible()
    # a value that is none of its type is told at its place
    journey.new_key(page, "number", "twelve", type_="number")
    expect(
        page.get_by_role("contentinfo").or_(page.get_by_role("main")).get_by_text("1 problem", exact=True)
    ).to_be_visible()
    journey.open_row(page, "number")
    expect(page.get_by_role("alert")).to_contain_text("number")
    page.get_by_label("Value of number").fill("100")
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_label("Value of number")).to_be_hidden()
    expect(page.get_by_text("Check passed: 1 draft")).to_be_visible()
    journey.publishes(page, "Publish to 3 instances", "the first number")
    expect(journey.ring(page, "3 of 3 applied r1")).to_be_visible()
    for client in clients:
        client.wait(100)
        expect(page.get_by_role("cell", name=client.name)).to_be_visible()


def _fail_validation_and_fix(page: Page) -> None:
    page.get_by_role("link", name="Edit", exact=True).first.click()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Namespace settings").click()
    form = page.get_by_role("dialog", name="Namespace settings")
    form.get_by_label("JSON Schema").fill(SCHEMA)
    form.get_by_role("button", name="Save draft").click()
    expect(form).to_be_hidden()
    journey.write(page, "number", "9000")
    expect(page.get_by_text("1 problem", exact=True)).to_be_visible()
    publish = page.get_by_role("button", name=re.compile("^Publish to"))
    journey.to_publishing(page)
    expect(page.get_by_text("1 problem in the drafts: fix it first.").first).to_be_visible()
    expect(publish).to_have_attribute("aria-disabled", "true")
    page.go_back()
    page.get_by_role("button", name="Jump to error").click()
    expect(page.get_by_role("alert")).to_contain_text("5000")
    page.get_by_label("Value of number").fill("4500")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Value of number")).to_be_hidden()
    expect(page.get_by_text("Check passed: 1 draft")).to_be_visible()


def _canary_that_is_refused(ada: Person, clients: list[Client]) -> None:
    page = ada.page
    journey.to_publishing(page)
    journey.way(page, "Instances")
    names = page.get_by_role("combobox", name="Instances")
    names.fill("order-3")
    names.press("Enter")
    page.get_by_role("button", name="Publish to 1 instance first").click()
    expect(page.get_by_text("Gray release r2").first).to_be_visible()
    expect(journey.ring(page, r"0 of 1 applied r2: .*1 refused.*order-3")).to_be_visible()
    expect(page.get_by_text(REASON)).to_be_visible()
    expect(page.get_by_text("1 of 1 refused.").first).to_be_visible()
    assert [client.number for client in clients] == [100, 100, 4500]
    page.get_by_role("button", name="Abort").click()
    dialog = page.get_by_role("dialog", name="Abort")
    expect(dialog).to_contain_text("1 instance goes back to what everyone has.")
    dialog.get_by_role("button", name="Abort").click()
    expect(dialog).to_be_hidden()
    clients[2].wait(100)


def _canary_that_is_good(ada: Person, clients: list[Client]) -> None:
    page = ada.page
    page.get_by_role("link", name="Edit", exact=True).first.click()
    expect(journey.row(page, "number")).to_contain_text("4500")  # the draft is there again, to be gone on with
    journey.write(page, "number", "2000")
    journey.to_publishing(page)
    journey.way(page, "Count")
    page.get_by_role("button", name="Publish to 1 instance first").click()
    expect(journey.ring(page, "1 of 1 applied")).to_be_visible()
    assert sorted(client.number for client in clients) == [100, 100, 2000]
    page.get_by_role("button", name="Promote to all").click()
    dialog = page.get_by_role("dialog", name="Promote to all")
    expect(dialog).to_contain_text("3 live instances receive it.")
    dialog.get_by_role("button", name="Promote to all").click()
    expect(journey.ring(page, "3 of 3 applied")).to_be_visible()
    for client in clients:
        client.wait(2000)


def _back(ada: Person, clients: list[Client]) -> None:
    page = ada.page
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_role("row", name=re.compile("the first number")).click()
    page.get_by_role("button", name="Roll back to r1").click()
    dialog = page.get_by_role("dialog", name="Roll back to r1")
    expect(dialog).to_contain_text("will have the content of r1.")
    dialog.get_by_role("button", name="Roll back to r1").click()
    expect(dialog).to_be_hidden()
    for client in clients:
        client.wait(100)
    expect(page.get_by_text("3/3 applied")).to_be_visible()
