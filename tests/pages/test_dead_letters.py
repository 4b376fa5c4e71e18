"""Dead letters on the pages: causes, letters, one that is edited and handled by its group, deleted ones, and the history."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from qiantang.kernel.scope import Scope
from qiantang.messaging import MessageBus
from qiantang.messaging.model import Cluster, DeadLetterSettings, Estate, Resource, RetryPolicy, Store, Topic
from tests.pages import journey as journey  # its deadline of `expect` holds here as well
from tests.pages.browser import NARROW, WIDE, Account, Person
from tests.pages.browser import Estate as Plane
from tests.pages.test_every_page import LOOKS
from tests.servers.product import Platforms, eventually

HUB = "/t/acme/dev/apps/trade/order"
SCOPE = "acme/dev/trade/order"
PLACE = Scope.parse(SCOPE)
REFUSED = '{"status": 409, "code": "messaging.too_strange", "detail": "not now", "title": "Conflict"}'
HOSTILE = "<img src=x onerror=window.pwned=1>"


class Shop:
    """The application of the plane, on SQLite in a thread of its own: billing refuses what is bad."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.billed: list[Any] = []
        self.shipped: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._bus = MessageBus(self.estate(), PLACE)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.sqlite3"

    def estate(self) -> Estate:
        cluster = Cluster(name="main", adapter="sql", resources=[Resource(name="one", url=self.url("broker"))])
        topics = [Topic(name="order.taken", clusters=["main"])]
        store = Store(url=self.url("store"))
        return Estate(clusters=[cluster], topics=topics, store=store, dead_letters=DeadLetterSettings())

    def publish(self, plane: Plane) -> None:
        """Publish what the application has."""
        bodies: dict[str, Any] = {
            "clusters/main": {"adapter": "sql", "resources": [{"name": "one", "url": self.url("broker")}]},
            "topics/order.taken": {"clusters": ["main"]},
            "policies/default": {"store": {"url": self.url("store")}, "dead_letters": {}},
        }
        for path, body in bodies.items():
            plane.api.call("PUT", f"messaging/{SCOPE}/{path}", {"body": body}, **{"If-Match": "*"})
        plane.api.call("POST", f"messaging/{SCOPE}/releases", {"expected_revision": 0})

    def open(self) -> None:
        once = RetryPolicy(attempts=1)

        async def bill(body: Any) -> None:
            if "bad" in body:
                raise ValueError(f"cannot bill {body['bad']}")
            if "worse" in body:
                raise KeyError(body["worse"])
            self.billed.append(body)

        async def ship(body: Any) -> None:
            self.shipped.append(body)

        self._bus.subscribe("order.taken", group="billing", retry=once)(bill)
        self._bus.subscribe("order.taken", group="shipping")(ship)
        self._thread.start()
        self._run(self._bus.open())
        for group in ("billing", "shipping"):
            eventually(lambda group=group: all(one.joined for one in self._bus.consumers("order.taken", group)), group)

    def dies(self, *bodies: Any, **more: Any) -> None:
        """Have messages die, and be in the store."""
        before = len(self.letters())
        for body in bodies:
            self._run(self._bus.send("order.taken", body, **more))
        eventually(lambda: len(self.letters()) >= before + len(bodies), "dead letters in the store")

    def letters(self) -> list[Any]:
        return self._run(self._bus.dead_letters(count=1000))

    def close(self) -> None:
        self._run(self._bus.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("messages")


@pytest.fixture(scope="module")
def estate(platforms_of_module: Platforms, folder: Path) -> Plane:
    """A platform that may open the application's files."""
    return Plane(platforms_of_module(variables={"QIANTANG_MESSAGING_FILE_FOLDERS": str(folder)}))


@pytest.fixture(scope="module")
def shop(estate: Plane, folder: Path) -> Iterator[Shop]:
    made = Shop(folder)
    made.open()
    made.dies({"bad": 1}, {"bad": 2}, {"bad": HOSTILE}, key="customer-7", headers={"trace": "t-1", "raw": b"\xff"})
    made.dies({"worse": 12345678901234567890}, tag="vip")
    made.publish(estate)
    yield made
    made.close()


@pytest.fixture
def owner(estate: Plane, somebody: Callable[[Account], Person]) -> Person:
    return somebody(estate.person("olga", "app-owner"))


def writes(page: Page, editor: Locator, text: str) -> None:
    """Write over all that is in an editor of code, by the keys."""
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    page.keyboard.type(text)


def letter(page: Page, text: str) -> None:
    """Open the drawer of a letter by its error."""
    page.get_by_role("table").get_by_text(text).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_an_application_that_keeps_none_is_told_how(estate: Plane, owner: Person) -> None:
    page = owner.open(f"{HUB}/dead")
    expect(page.get_by_role("heading", name="order keeps no dead letters")).to_be_visible()
    expect(page.get_by_text('"dead_letters"')).to_be_visible()
    assert not [*owner.axe(), *owner.faults()]
    page.get_by_role("link", name="Open messaging").click()
    page.wait_for_url(re.compile(rf"{HUB}/messaging"))


def test_causes_lead_to_their_letters(shop: Shop, owner: Person) -> None:
    page = owner.open(f"{HUB}/dead")
    rows = page.get_by_role("table").locator("[data-row]")
    expect(rows).to_have_count(2)
    row = rows.filter(has_text="ValueError")
    for text in ("3", "billing", "order.taken"):
        expect(row.get_by_text(text, exact=True)).to_be_visible()
    row.get_by_role("link").click()
    page.wait_for_url(re.compile(r"/dead/letters\?cause="))
    expect(page.get_by_role("table").locator("[data-row]")).to_have_count(3)
    page.get_by_placeholder("Words of the error").fill("BILL 2")
    expect(page.get_by_role("table").locator("[data-row]")).to_have_count(1)
    page.get_by_placeholder("Words of the error").fill("nothing such")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    assert page.evaluate("() => window.pwned") is None


def test_an_edited_letter_is_handled_by_its_group(shop: Shop, owner: Person) -> None:
    page = owner.open(f"{HUB}/dead/letters")
    letter(page, "cannot bill 1")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("in bill")).to_be_visible()
    expect(drawer.get_by_text("customer-7")).to_be_visible()
    drawer.get_by_role("button", name="Edit and send").click()
    send = drawer.get_by_role("button", name="Send it edited")
    expect(send).to_be_disabled()
    body = drawer.get_by_role("textbox", name="Body")
    writes(page, body, "{")
    expect(drawer.get_by_text("This is no JSON:")).to_be_visible()
    expect(send).to_be_disabled()
    writes(page, body, '{"good": 1}')
    drawer.get_by_label("Value of header 1").fill("t-2")
    drawer.get_by_label("Reason").fill("a slip of the pen")
    expect(
        drawer.get_by_text("Edited: headers, body.").or_(drawer.get_by_text("Edited: body, headers."))
    ).to_be_visible()
    send.click()
    expect(drawer).to_be_hidden()
    eventually(lambda: {"good": 1} in shop.billed, "the group handles it")
    assert {"good": 1} not in shop.shipped
    expect(page.get_by_role("status").get_by_text("1 of 1 done.")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("cannot bill 1")).to_have_count(0)
    page.get_by_role("link", name="History").click()
    row = page.get_by_role("table").locator("[data-row]").first
    for text in ("sent again", "olga", "a slip of the pen", "body, headers"):
        expect(row.get_by_text(text)).to_be_visible()
    row.click()
    page.get_by_role("dialog").get_by_role("button", name="Show the message").click()
    expect(page.get_by_role("dialog").get_by_role("table").get_by_text("good").first).to_be_visible()


def test_several_are_deleted_with_a_reason(shop: Shop, owner: Person) -> None:
    shop.dies({"bad": 31}, {"bad": 32})
    page = owner.open(f"{HUB}/dead/letters?words=bill+3")
    expect(page.get_by_role("table").locator("[data-row]")).to_have_count(2)
    page.get_by_label("all", exact=False).first.check()
    page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    asked = page.get_by_role("dialog")
    expect(asked.get_by_text("Nobody will handle these 2 messages any more.")).to_be_visible()
    asked.get_by_role("button", name="Delete 2 letters").click()
    expect(asked.get_by_text("Say why first.")).to_be_visible()
    asked.get_by_label("Reason").fill("of no use")
    asked.get_by_role("button", name="Delete 2 letters").click()
    expect(page.get_by_role("status").get_by_text("2 of 2 done.")).to_be_visible()
    assert not [one for one in shop.letters() if "bill 3" in one.error]


def test_one_that_fails_again_comes_back(shop: Shop, owner: Person) -> None:
    (number,) = [one.number for one in shop.letters() if "KeyError" in one.error]
    page = owner.open(f"{HUB}/dead/letters")
    letter(page, "KeyError")
    page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    asked = page.get_by_role("dialog").filter(has_text="only the group billing handles it")
    asked.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("status").get_by_text("1 of 1 done.")).to_be_visible()
    again = [one.number for one in eventually(lambda: [one for one in shop.letters() if "KeyError" in one.error], "it")]
    assert number not in again


def test_a_list_that_could_not_be_read_comes_back(shop: Shop, owner: Person) -> None:
    page = owner.page
    for name, path in (("Causes", "dead"), ("Letters", "dead/letters"), ("History", "dead/history")):
        refuse = re.compile(r"/api/v1/messaging/.*/dead-letter")
        page.route(refuse, lambda route: route.fulfill(status=409, content_type="application/json", body=REFUSED))
        owner.open(f"{HUB}/{path}")
        expect(page.get_by_text("Dead letters could not be read.")).to_be_visible()
        page.unroute(refuse)
        page.get_by_role("button", name="Retry now").click()
        expect(page.get_by_role("table", name=name).first).to_be_visible()


def test_who_may_only_read_sees_why_he_can_do_nothing(
    shop: Shop, estate: Plane, somebody: Callable[[Account], Person]
) -> None:
    viewer = somebody(estate.person("vera", "viewer"))
    page = viewer.open(f"{HUB}/dead/letters")
    letter(page, "cannot bill 2")
    drawer = page.get_by_role("dialog")
    for name, needs in (
        ("Show the message", "messaging.deadletter:reveal"),
        ("Send again", "messaging.deadletter:execute"),
        ("Delete", "messaging.deadletter:execute"),
    ):
        button = drawer.get_by_role("button", name=name, exact=False).first
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", re.compile(needs))
    person = somebody(estate.person("paul"))
    page = person.open(f"{HUB}/dead")
    expect(page.get_by_role("link", name="Dead letters")).to_have_count(0)


def test_a_database_that_is_away_is_said_and_may_be_tried_again(estate: Plane, owner: Person) -> None:
    estate.api.make_application("acme/dev/trade/stock")
    place = "acme/dev/trade/stock"
    url = {"$secret": {"value": "postgresql://app:hunter2@127.0.0.1:9/none"}}
    policy = {"body": {"store": {"url": url}, "dead_letters": {}}}
    estate.api.call("PUT", f"messaging/{place}/policies/default", policy, **{"If-Match": "*"})
    estate.api.call("POST", f"messaging/{place}/releases", {"expected_revision": 0})
    page = owner.open("/t/acme/dev/apps/trade/stock/dead")
    expect(page.get_by_text("The database of dead letters does not answer.")).to_be_visible()
    expect(page.get_by_text("messaging.dead_letters_away")).to_be_visible()
    expect(page.get_by_role("button", name="Retry now")).to_be_visible()
    assert "hunter2" not in page.content()
    assert not [*owner.axe(), *owner.faults()]


@pytest.mark.parametrize(
    "path",
    [
        "dead",
        "dead/letters",
        "dead/history",
        "dead/letters?words=none",
        "dead/letters?letter=2",
        "dead/letters?letter=9999",
    ],
)
def test_every_look(shop: Shop, owner: Person, path: str) -> None:
    faults: list[str] = []
    page = owner.open(f"{HUB}/{path}")
    if path.endswith("=2"):
        page.get_by_role("dialog").get_by_role("button", name="Edit and send").click()
        expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_visible()
    for theme, language in LOOKS:
        if "letter=" in path:  # the drawer covers the switch of the language
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            owner.settle()
        else:
            owner.turns(theme=theme, language=language)
        faults += [f"{theme} {language}: {one}" for one in (*owner.axe(), *owner.faults())]
    owner.size(NARROW)
    owner.settle()
    faults += [f"narrow: {one}" for one in (*owner.axe(), *owner.faults())]
    owner.size(WIDE)
    assert not faults, "\n".join(faults)
