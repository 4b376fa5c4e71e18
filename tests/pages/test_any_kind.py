"""A kind that no page was written for has a list, an editor, a diff, publishing with convergence, and a history."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from playwright.sync_api import expect

from qiantang.kernel import mirror, resource, runtime, scope
from qiantang.kernel.uplink import Uplink
from tests.pages import journey
from tests.pages.browser import NARROW, ROOT, WIDE, Estate, Person
from tests.pages.test_every_page import LOOKS
from tests.servers.platform import Platform
from tests.servers.product import Platforms, eventually

SCOPE = scope.Scope.parse("acme/dev/trade/order")
HUB = "/t/acme/dev/apps/trade/order/test"
REFUSED = "this instance never takes the word harmful"


@pytest.fixture(scope="module")
def estate(platforms_of_module: Platforms) -> Estate:
    """A platform whose developer added notes."""
    program = [sys.executable, "-m", "tests.servers.with_notes"]
    return Estate(platforms_of_module(program=program, variables={"PYTHONPATH": str(ROOT)}))


class Reader:
    """An instance that takes notes, as the client of a new capability does: over a mirror, with no room of its own."""

    def __init__(self, platform: Platform, credential: dict[str, Any], name: str) -> None:
        self.texts: list[str] = []
        self._uplink = Uplink([platform.address], credential_id=credential["id"], secret=credential["secret"])
        self._mirror = mirror.Mirror(self._uplink, SCOPE, scope.Instance(name=name), ["test"])
        self._mirror.subscribe("test", self._take)

    def open(self) -> None:
        runtime.call(self._mirror.open())

    def close(self) -> None:
        runtime.call(self._mirror.close())
        runtime.call(self._uplink.close())

    async def _take(self, _before: mirror.MirrorView, after: mirror.MirrorView) -> mirror.Outcome:
        found = after.snapshots[resource.Bundle(scope=SCOPE, capability="test")]
        texts = [msgspec.json.decode(one.content, type=dict[str, str])["text"] for one in found.entries]
        if "harmful" in texts:
            return mirror.Outcome(status="failed", error=REFUSED)
        self.texts = texts
        return mirror.APPLIED


@contextlib.contextmanager
def readers(estate: Estate, *names: str) -> Iterator[list[Reader]]:
    credential = estate.api.make_application(str(SCOPE))
    made = [Reader(estate.platform, credential, name) for name in names]
    try:
        for one in made:
            one.open()
        yield made
    finally:
        for one in made:
            one.close()


def test_a_kind_without_pages_has_them_out_of_its_schema(estate: Estate, somebody: Any) -> None:
    ada: Person = somebody(estate.person("mei", "tenant-admin"))
    page = ada.page
    with readers(estate, "order-1", "order-2") as both:
        _make(ada)
        journey.publishes(page, "Publish to 2 instances", "the first note")
        expect(journey.ring(page, "2 of 2 applied r1")).to_be_visible()
        eventually(lambda: [one.texts for one in both] == [["hello"], ["hello"]], "the note everywhere")
        _edit_as_source(ada)
        _compare(ada)
        journey.publishes(page, "Publish to 2 instances", "the second")
        expect(journey.ring(page, "0 of 2 applied r2: .*2 refused")).to_be_visible()
        expect(page.get_by_text(REFUSED).first).to_be_visible()
        _back(ada)
        eventually(lambda: [one.texts for one in both] == [["hello"], ["hello"]], "the first note again")


def _make(ada: Person) -> None:
    page = ada.open("/t/acme/dev/home")
    page.get_by_role("navigation").get_by_role("link", name="Applications").first.click()
    page.get_by_role("row", name=re.compile("order")).get_by_role("link").first.click()
    page.get_by_role("main").get_by_role("link", name="Notes").click()
    page.get_by_role("button", name="New resource").first.click()
    form = page.get_by_role("dialog", name="New resource")
    form.get_by_label("Name").fill("greeting")
    form.get_by_label(re.compile("^text")).fill(" ")
    form.get_by_role("button", name="Make draft").click()
    expect(form).to_be_hidden()
    # the server's own rule, at the field that it speaks of
    expect(page.get_by_role("alert")).to_contain_text("a note says something")
    expect(page.get_by_text("1 problem", exact=True)).to_be_visible()
    page.get_by_role("main").get_by_label(re.compile("^text")).fill("hello")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Check passed")).to_be_visible()
    page.locator("h1").click()


def _edit_as_source(ada: Person) -> None:
    page = ada.open(f"{HUB}/edit/note/greeting?mode=source")
    source = page.get_by_role("textbox", name="greeting")
    expect(source).to_contain_text("hello")
    source.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    page.keyboard.type('{"text": harmful')
    expect(page.get_by_role("button", name="Line 1, column")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Save"))).to_be_disabled()  # or what parsed last would be saved
    page.get_by_role("button", name="Leave").click()
    expect(source).to_contain_text("hello")
    source.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    page.keyboard.type('{"text": "harmful", "shared": true}')
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Check passed")).to_be_visible()
    expect(
        page.get_by_role("button", name="Leave")
    ).to_be_hidden()  # saved, though the server writes it in its own order
    page.get_by_text("Form", exact=True).click()
    expect(page.get_by_label(re.compile("^text"))).to_have_value("harmful")
    expect(page.get_by_role("radiogroup", name="shared").get_by_role("radio", name="on", exact=True)).to_be_checked()


def _compare(ada: Person) -> None:
    ada.page.keyboard.press("Escape")
    ada.page.locator("h1").click()
    ada.page.keyboard.press("d")
    expect(ada.page.get_by_text("harmful").first).to_be_visible()
    expect(ada.page.get_by_text("hello").first).to_be_visible()


def _back(ada: Person) -> None:
    page = ada.page
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_role("row", name=re.compile("the first note")).click()
    page.get_by_role("button", name="Roll back to r1").click()
    dialog = page.get_by_role("dialog", name="Roll back to r1")
    dialog.get_by_role("button", name="Roll back to r1").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("2/2 applied")).to_be_visible()


@pytest.mark.parametrize("path", ["", "/edit/note/welcome", "/diff", "/publish", "/history", "/instances"])
def test_they_look_as_all_others(estate: Estate, somebody: Any, path: str) -> None:
    ada: Person = somebody(estate.person("mei", "tenant-admin"))
    body = {"body": {"text": "welcome", "password": {"$secret": {"value": "hush"}}}}
    estate.api.call("PUT", f"test/{SCOPE}/notes/welcome", body, **{"If-Match": "*"})
    ada.wears(theme="system", language="zh")
    ada.open(HUB + path)
    for theme, language in LOOKS:
        ada.turns(theme=theme, language=language)
        assert not [*ada.axe(), *ada.faults()]
    ada.size(NARROW)
    ada.settle()
    assert not [*ada.axe(), *ada.faults()]
    ada.size(WIDE)
